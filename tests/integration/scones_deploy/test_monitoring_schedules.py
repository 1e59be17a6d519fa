"""A schedule of monitoring jobs is stopped by its tags, and removed as an orphan."""

import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT, Aws
from scones_deploy.hourly import running, stop
from scones_deploy.removal import Arn, Owner, remove

DEV = Owner("scones", "dev")
TAGS = [{"Key": "Project", "Value": "scones"}, {"Key": "Environment", "Value": "dev"}]


@pytest.fixture
def aws(tmp_path):
    with LocalAws.start(tmp_path / "aws", 0, {}, keep=False) as local:
        yield Aws.of(local)


def schedule(aws, name, tags):
    """Make a schedule, and return its ARN."""
    folder = "/opt/ml/processing"
    output = {"S3Uri": "s3://any/out", "LocalPath": f"{folder}/output"}
    job = {
        "MonitoringInputs": [
            {"EndpointInput": {"EndpointName": "any", "LocalPath": f"{folder}/input"}}
        ],
        "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
        "MonitoringResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 5,
            }
        },
        "MonitoringAppSpecification": {
            "ImageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/any:1"
        },
        "RoleArn": aws.role,
    }
    made = aws.client("sagemaker").create_monitoring_schedule(
        MonitoringScheduleName=name,
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinition": job,
            "MonitoringType": "DataQuality",
        },
        Tags=tags,
    )
    return made["MonitoringScheduleArn"]


def states(aws):
    found = aws.client("sagemaker").list_monitoring_schedules()["MonitoringScheduleSummaries"]
    return {each["MonitoringScheduleName"]: each["MonitoringScheduleStatus"] for each in found}


def test_the_owners_schedule_is_stopped_and_removed_and_anothers_stays(aws):
    sagemaker = aws.client("sagemaker")
    own, _ = schedule(aws, "own", TAGS), schedule(aws, "theirs", [])
    (found,) = running(sagemaker, DEV)
    assert (found.kind.words, found.name) == ("monitoring schedule", "own")
    stop(sagemaker, found)
    assert states(aws) == {"own": "Stopped", "theirs": "Scheduled"}
    assert running(sagemaker, DEV) == []
    assert remove(aws.client, Arn.parse(own))
    assert not remove(aws.client, Arn.parse(own))
    assert states(aws) == {"theirs": "Scheduled"}
