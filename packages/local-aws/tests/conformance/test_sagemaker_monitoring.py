"""Monitoring schedules: processing jobs over an endpoint's captured records, by the clock.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ScheduleConfig.html
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-scheduling.html
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.clock import Clock
from local_aws.testing.hosting import IMAGE, Hosting, variant

INPUT, OUTPUT = "/opt/ml/processing/input/endpoint", "/opt/ml/processing/output"
HOURLY = "cron(0 * ? * * *)"


@pytest.fixture(scope="module")
def watched(hosting: Hosting) -> str:
    """An endpoint that captures what it is asked."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{hosting.bucket}/watched",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    config = hosting.configuration(variant(hosting.model()), DataCaptureConfig=capture)
    return hosting.endpoint(config)


def ask(hosting: Hosting, endpoint: str) -> None:
    """Ask the endpoint once, early in an hour; return when that is captured."""
    now = Clock(hosting.aws.local.endpoint_url).now()
    hosting.advance(3600 - (60 * now.minute + now.second))
    before = len(hosting.objects(f"watched/{endpoint}/"))
    hosting.invoke(endpoint)
    hosting.advance(60)
    hosting.aws.eventually(lambda: len(hosting.objects(f"watched/{endpoint}/")) > before or None)


def config(hosting: Hosting, endpoint: str, *wishes: str, **schedule: str) -> dict[str, Any]:
    given = {"EndpointName": endpoint, "LocalPath": INPUT}
    output = {
        "S3Uri": f"s3://{hosting.bucket}/reports",
        "LocalPath": OUTPUT,
        "S3UploadMode": "EndOfJob",
    }
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    return {
        "ScheduleConfig": {"ScheduleExpression": HOURLY, **schedule},
        "MonitoringJobDefinition": {
            "MonitoringInputs": [{"EndpointInput": given}],
            "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
            "MonitoringResources": {"ClusterConfig": cluster},
            "MonitoringAppSpecification": {
                "ImageUri": IMAGE,
                "ContainerArguments": [INPUT, OUTPUT, *wishes],
            },
            "Environment": {"OWN": "1"},
            "RoleArn": hosting.role,
        },
    }


class Scheduled:
    """A schedule that is deleted at the end of its test, as the clock is everybody's."""

    def __init__(self, hosting: Hosting, settings: dict[str, Any]) -> None:
        self.hosting, self.name = hosting, unique("schedule")
        hosting.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName=self.name, MonitoringScheduleConfig=settings
        )

    def __enter__(self) -> "Scheduled":
        return self

    def __exit__(self, *_: object) -> None:
        self.hosting.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=self.name)

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hosting.sagemaker.describe_monitoring_schedule(
            MonitoringScheduleName=self.name
        )
        return found

    def executions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.hosting.sagemaker.list_monitoring_executions(
            MonitoringScheduleName=self.name
        )["MonitoringExecutionSummaries"]
        return found

    def ended(self) -> dict[str, Any]:
        """Return the newest execution once its job has ended."""

        def over() -> dict[str, Any] | None:
            newest = self.executions()[0]
            return None if newest["MonitoringExecutionStatus"] == "InProgress" else newest

        return self.hosting.aws.eventually(over)


def test_each_hour_a_job_gets_the_records_of_the_hour_before(
    hosting: Hosting, watched: str
) -> None:
    ask(hosting, watched)
    with Scheduled(hosting, config(hosting, watched)) as schedule:
        assert schedule.described()["MonitoringScheduleStatus"] == "Scheduled"
        assert schedule.executions() == []
        hosting.advance(3600)
        execution = schedule.ended()
        assert execution["MonitoringExecutionStatus"] == "Completed", execution
        assert execution["EndpointName"] == watched
        job = hosting.sagemaker.describe_processing_job(
            ProcessingJobName=execution["ProcessingJobArn"].rpartition("/")[2]
        )
        assert job["MonitoringScheduleArn"] == schedule.described()["MonitoringScheduleArn"]
        hour = execution["ScheduledTime"]
        assert (hour.minute, hour.second) == (0, 0)
        (report,) = hosting.objects(f"reports/{watched}/{schedule.name}/").items()
        last = schedule.described()["LastMonitoringExecutionSummary"]
        assert last["ProcessingJobArn"] == execution["ProcessingJobArn"]
    assert report[0].count("/") == 7
    seen = json.loads(report[1])
    (name,) = seen["files"]
    assert name.startswith(f"{watched}/AllTraffic/2") and name.endswith(".jsonl")
    assert json.loads(seen["files"][name].splitlines()[0])["captureData"]
    told = seen["environment"]
    assert told["OWN"] == "1" and told["sagemaker_endpoint_name"] == watched
    assert told["sagemaker_monitoring_schedule_name"] == schedule.name
    assert told["end_time"] == f"{hour:%Y-%m-%dT%H:%M:%SZ}"
    assert told["dataset_source"].endswith("/processing/input/endpoint")


def test_an_hour_without_records_is_an_execution_that_failed(
    hosting: Hosting, watched: str
) -> None:
    with Scheduled(hosting, config(hosting, watched)) as schedule:
        hosting.advance(2 * 3600)
        newest = schedule.executions()[0]
        assert newest["MonitoringExecutionStatus"] == "Failed"
        assert newest["FailureReason"] == "Job inputs had no data"
        assert "ProcessingJobArn" not in newest


def test_now_is_once_and_over_its_own_window(hosting: Hosting, watched: str) -> None:
    ask(hosting, watched)
    now = {
        "ScheduleExpression": "NOW",
        "DataAnalysisStartTime": "-PT3H",
        "DataAnalysisEndTime": "-PT0H",
    }
    wish = "message=CompletedWithViolations: Job completed successfully with 1 violations."
    with Scheduled(hosting, config(hosting, watched, wish, **now)) as schedule:
        ended = schedule.ended()
        assert ended["MonitoringExecutionStatus"] == "CompletedWithViolations", ended
        hosting.advance(3600)
        assert len(schedule.executions()) == 1


def test_a_stopped_schedule_rests_until_it_is_started(hosting: Hosting, watched: str) -> None:
    sagemaker = hosting.sagemaker
    with Scheduled(hosting, config(hosting, watched)) as schedule:
        named = {"MonitoringScheduleName": schedule.name}
        sagemaker.stop_monitoring_schedule(**named)
        hosting.advance(2 * 3600)
        assert schedule.executions() == []
        assert schedule.described()["MonitoringScheduleStatus"] == "Stopped"
        sagemaker.start_monitoring_schedule(**named)
        hosting.advance(3600)
        assert len(schedule.executions()) == 1


def test_a_schedule_is_changed_listed_and_tagged(hosting: Hosting, watched: str) -> None:
    sagemaker = hosting.sagemaker
    with Scheduled(hosting, config(hosting, watched)) as schedule:
        changed = config(hosting, watched, ScheduleExpression="cron(0 0/6 ? * * *)")
        sagemaker.update_monitoring_schedule(
            MonitoringScheduleName=schedule.name, MonitoringScheduleConfig=changed
        )
        found = schedule.described()
        assert found["MonitoringScheduleConfig"]["ScheduleConfig"] == changed["ScheduleConfig"]
        (listed,) = sagemaker.list_monitoring_schedules(NameContains=schedule.name)[
            "MonitoringScheduleSummaries"
        ]
        assert listed["EndpointName"] == watched
        arn, tag = found["MonitoringScheduleArn"], {"Key": "a", "Value": "1"}
        sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
        assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [tag]
    with pytest.raises(ClientError, match="not found"):
        schedule.described()


@pytest.mark.parametrize(
    "expression", ["cron(0/5 * ? * * *)", "rate(1 hour)", "cron(0 25 ? * * *)"]
)
def test_other_times_than_whole_hours_are_refused(
    hosting: Hosting, watched: str, expression: str
) -> None:
    with pytest.raises(ClientError, match="is none"):
        Scheduled(hosting, config(hosting, watched, ScheduleExpression=expression))
