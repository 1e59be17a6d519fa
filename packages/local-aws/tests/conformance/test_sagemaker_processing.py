"""Processing jobs: the container's program, its folders, messages and ends.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
"""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import PROGRAMS
from local_aws.testing.aws import unique
from local_aws.testing.hosting import IMAGE, PULL, Hosting

PROGRAM = PROGRAMS / "stand_in_process.py"
INPUT, OUTPUT, CODE = (f"/opt/ml/processing/{name}" for name in ("input", "output", "code"))


def request(hosting: Hosting, *wishes: str, **changes: Any) -> dict[str, Any]:
    name = unique("processing")
    code = hosting.put("code/program.py", PROGRAM.read_bytes())
    data = hosting.put("batches/today/a.csv", b"1,2").removesuffix("a.csv")
    hosting.put("batches/today/more/b.csv", b"3,4")
    inputs = {"code": (code, CODE), "data": (data, INPUT)}
    output = {
        "S3Uri": f"s3://{hosting.bucket}/processed/{name}",
        "LocalPath": OUTPUT,
        "S3UploadMode": "EndOfJob",
    }
    return {
        "ProcessingJobName": name,
        "RoleArn": hosting.role,
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", f"{CODE}/program.py"],
            "ContainerArguments": [INPUT, OUTPUT, *wishes],
        },
        "ProcessingInputs": [
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": source,
                    "LocalPath": path,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for key, (source, path) in inputs.items()
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "figures", "S3Output": output}]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            }
        },
        **changes,
    }


def started(hosting: Hosting, *wishes: str, **changes: Any) -> str:
    asked = request(hosting, *wishes, **changes)
    hosting.sagemaker.create_processing_job(**asked)
    name: str = asked["ProcessingJobName"]
    return name


def ended(hosting: Hosting, name: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = hosting.sagemaker.describe_processing_job(ProcessingJobName=name)
        return None if found["ProcessingJobStatus"] in {"InProgress", "Stopping"} else found

    return hosting.aws.eventually(over)


def test_the_program_gets_its_inputs_and_leaves_its_outputs(hosting: Hosting) -> None:
    name = started(hosting, "message=2 rows", Environment={"WHERE": f"{INPUT}/x", "A": "1"})
    job = ended(hosting, name)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "2 rows" and "FailureReason" not in job
    assert job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert job["Environment"]["A"] == "1"
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1
    outputs = hosting.objects(f"processed/{name}/")
    seen = json.loads(outputs[f"processed/{name}/seen.json"])
    assert seen["files"] == {"a.csv": "1,2", "more/b.csv": "3,4"}
    described = seen["processingjobconfig"]
    assert described["ProcessingJobName"] == name
    # /opt/ml is a folder of the job here, and every path says which.
    base = seen["environment"]["SAGEMAKER_BASE_DIR"]
    assert seen["environment"]["WHERE"] == f"{base}/processing/input/x"
    assert described["ProcessingInputs"][1]["S3Input"]["LocalPath"] == f"{base}/processing/input"
    assert seen["resourceconfig"] == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert not Path(base).exists()
    shown = hosting.aws.local.ask("/_local_aws/page/overview")["jobs"]
    (card,) = (one for one in shown if one["name"] == name)
    assert (card["kind"], card["status"], card["message"]) == ("processing", "Completed", "2 rows")


def test_its_output_is_in_the_log(hosting: Hosting) -> None:
    name = started(hosting)
    ended(hosting, name)
    logs, group = hosting.aws.client("logs"), "/aws/sagemaker/ProcessingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/algo-1-")
    events = logs.get_log_events(
        logGroupName=group, logStreamName=streams["logStreams"][0]["logStreamName"]
    )["events"]
    assert any(event["message"].startswith("processing /") for event in events)


def test_a_program_that_fails_fails_the_job_and_uploads_nothing(hosting: Hosting) -> None:
    name = started(hosting, "message=why", "fail=ValueError: no rows")
    job = ended(hosting, name)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: ValueError: no rows, exit code: 3"
    assert job["ExitMessage"] == "why"
    assert hosting.objects(f"processed/{name}/") == {}


def test_a_message_is_cut_at_a_kilobyte_and_must_be_utf_8(hosting: Hosting) -> None:
    names = [started(hosting, *[f"message={'x' * 200}"] * 10), started(hosting, "bytes=ff41")]
    long, wrong = (ended(hosting, name) for name in names)
    assert long["ExitMessage"] == "x" * 1024
    assert wrong["ProcessingJobStatus"] == "Failed"
    assert wrong["FailureReason"].startswith("ClientError: ")


def test_an_input_that_is_not_there_fails_the_job(hosting: Hosting) -> None:
    asked = request(hosting)
    asked["ProcessingInputs"][1]["S3Input"]["S3Uri"] = f"s3://{hosting.bucket}/none/"
    hosting.sagemaker.create_processing_job(**asked)
    job = ended(hosting, asked["ProcessingJobName"])
    assert job["ProcessingJobStatus"] == "Failed"
    assert "No S3 objects found under S3 URL" in job["FailureReason"]


def test_a_program_that_is_not_there_fails_the_job(hosting: Hosting) -> None:
    app = {"ImageUri": IMAGE, "ContainerEntrypoint": ["no-such-program"]}
    job = ended(hosting, started(hosting, AppSpecification=app))
    assert "executable file not found" in job["FailureReason"]


def test_continuous_output_is_there_while_the_program_runs(hosting: Hosting) -> None:
    asked = request(hosting, "sleep=60")
    outputs = asked["ProcessingOutputConfig"]["Outputs"]
    outputs[0]["S3Output"]["S3UploadMode"] = "Continuous"
    hosting.sagemaker.create_processing_job(**asked)
    name = asked["ProcessingJobName"]
    hosting.aws.eventually(lambda: hosting.objects(f"processed/{name}/") or None)
    found = hosting.sagemaker.describe_processing_job(ProcessingJobName=name)
    assert found["ProcessingJobStatus"] == "InProgress"
    hosting.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert ended(hosting, name)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="in status Stopped"):
        hosting.sagemaker.stop_processing_job(ProcessingJobName=name)


@pytest.mark.parametrize("mode", ["EndOfJob", "Continuous"])
def test_an_output_that_cannot_be_written_fails_the_job_by_its_name(
    hosting: Hosting, mode: str
) -> None:
    target = "s3://no-such-bucket-of-ours/processed"
    output = {"S3Uri": target, "LocalPath": OUTPUT, "S3UploadMode": mode}
    outputs = {"Outputs": [{"OutputName": "figures", "S3Output": output}]}
    found = ended(hosting, started(hosting, ProcessingOutputConfig=outputs))
    assert found["ProcessingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: Failed to upload output:")
    assert target in found["FailureReason"]


def test_a_job_ends_when_its_time_is_over(hosting: Hosting) -> None:
    name = started(hosting, "sleep=60", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert ended(hosting, name)["ProcessingJobStatus"] == "Stopped"


def test_what_its_role_may_not_read_is_not_read(hosting: Hosting) -> None:
    role = hosting.aws.role_with(PULL, {"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    job = ended(hosting, started(hosting, RoleArn=role))
    assert "AccessDenied" in job["FailureReason"] and "s3:ListBucket" in job["FailureReason"]


def test_jobs_are_listed_newest_last_and_by_name(hosting: Hosting) -> None:
    names = [started(hosting), started(hosting)]
    for name in names:
        ended(hosting, name)
    listed = hosting.sagemaker.list_processing_jobs(NameContains=names[1].upper())
    (found,) = listed["ProcessingJobSummaries"]
    assert found["ProcessingJobName"] == names[1]
    assert found["ProcessingJobStatus"] == "Completed"
    page = hosting.sagemaker.list_processing_jobs(
        MaxResults=1, SortBy="CreationTime", SortOrder="Descending"
    )
    assert page["ProcessingJobSummaries"][0]["ProcessingJobName"] == names[1]
    assert "NextToken" in page


def test_a_name_is_taken_once(hosting: Hosting) -> None:
    asked = request(hosting)
    hosting.sagemaker.create_processing_job(**asked)
    with pytest.raises(ClientError, match="Job name must be unique") as refusal:
        hosting.sagemaker.create_processing_job(**asked)
    assert refusal.value.response["Error"]["Code"] == "ResourceInUse"
    ended(hosting, asked["ProcessingJobName"])


@pytest.mark.parametrize("wish", ["message=done", "fail=no rows"])
def test_a_state_machine_waits_for_it(hosting: Hosting, wish: str) -> None:
    asked = request(hosting, wish)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync",
        "Parameters": asked,
        "End": True,
    }
    machine = hosting.aws.state_machine({"StartAt": "Process", "States": {"Process": task}})
    outcome = hosting.aws.run(machine)
    if wish.startswith("fail"):
        assert outcome["status"] == "FAILED"
        assert "no rows, exit code: 3" in outcome["cause"]
    else:
        assert outcome["status"] == "SUCCEEDED", outcome
        assert json.loads(outcome["output"])["ExitMessage"] == "done"


def test_its_end_is_an_event(hosting: Hosting) -> None:
    events, (url, arn) = hosting.aws.client("events"), hosting.aws.queue()
    rule = unique("processing")
    kind = "SageMaker Processing Job State Change"
    status = {"ProcessingJobStatus": ["Completed"]}
    pattern = json.dumps({"source": ["aws.sagemaker"], "detail-type": [kind], "detail": status})
    events.put_rule(Name=rule, EventPattern=pattern)
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    hosting.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    name = started(hosting, "message=reported")
    event = json.loads(hosting.aws.message(url)["Body"])
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)
    assert event["detail"]["ProcessingJobName"] == name
    assert event["detail"]["ExitMessage"] == "reported"
