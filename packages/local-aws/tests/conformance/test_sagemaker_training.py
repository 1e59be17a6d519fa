"""Training jobs: ends and reasons, checkpoints, spot instances, lists."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import PULL, Hosting

SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 3600},
}


def writes(hosting: Hosting, name: str, line: str) -> None:
    hosting.aws.eventually(lambda: True if line in hosting.log(name) else None)


def checkpoints(hosting: Hosting, name: str, **more: Any) -> dict[str, Any]:
    return {"CheckpointConfig": {"S3Uri": f"s3://{hosting.bucket}/checkpoints/{name}", **more}}


def test_checkpoints_go_up_while_the_job_runs_and_come_down_at_the_next_start(
    hosting: Hosting,
) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html."""
    name, key = unique("resumed"), ""
    config, key = checkpoints(hosting, name), f"checkpoints/{name}/epoch"
    endless = {"checkpoint": "1", "epochs": "2", "seconds": "0"}
    slow = {**endless, "epochs": "9", "seconds": "20"}
    first = hosting.train(hyperparameters=slow, **config)
    assert hosting.aws.eventually(lambda: hosting.objects(key).get(key)) == b"1"
    hosting.sagemaker.stop_training_job(TrainingJobName=first)
    assert hosting.trained(first)["SecondaryStatus"] == "Stopped"

    second = hosting.train(hyperparameters={**endless, "epochs": "3"}, **config)
    found = hosting.trained(second)
    assert found["TrainingJobStatus"] == "Completed"
    assert found["CheckpointConfig"] == config["CheckpointConfig"]
    assert "first epoch: 2" in hosting.log(second)
    assert hosting.objects(key)[key] == b"3"


def test_a_spot_job_goes_on_from_its_checkpoint_after_an_interruption(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html."""
    name = unique("spot")
    key = f"checkpoints/{name}/epoch"
    hosting.train(
        name=name,
        hyperparameters={"checkpoint": "1", "epochs": "2", "seconds": "2"},
        **checkpoints(hosting, name),
        **SPOT,
    )
    hosting.aws.eventually(lambda: hosting.objects(key).get(key))
    hosting.post("sagemaker/interrupt", {"training_job": name, "back_in_seconds": 600})

    def status() -> str | None:
        found = hosting.sagemaker.describe_training_job(TrainingJobName=name)
        return "there" if found["SecondaryStatus"] == "Interrupted" else None

    assert hosting.aws.eventually(status)
    hosting.advance(601)
    found = hosting.trained(name)

    assert found["TrainingJobStatus"] == "Completed"
    names = [t["Status"] for t in found["SecondaryStatusTransitions"]]
    assert names == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    assert "first epoch: 2" in hosting.log(name)
    assert 1 <= found["BillableTimeInSeconds"] == found["TrainingTimeInSeconds"] <= 20


def test_a_spot_job_ends_when_no_instance_comes_back_in_time(hosting: Hosting) -> None:
    """botocore: StoppingCondition.MaxWaitTimeInSeconds, SecondaryStatus MaxWaitTimeExceeded."""
    name = hosting.train(hyperparameters={"seconds": "20"}, **SPOT)
    writes(hosting, name, "first epoch: 1")
    hosting.post("sagemaker/interrupt", {"training_job": name, "back_in_seconds": 7200})
    hosting.advance(3700)

    found = hosting.trained(name)
    assert found["TrainingJobStatus"] == "Stopped"
    assert found["SecondaryStatus"] == "MaxWaitTimeExceeded"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "supported only when",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://bucket/x", "LocalPath": "/tmp/x"}},
            "must be below /opt/ml",
        ),
    ],
)
def test_a_request_that_cannot_be_met_makes_no_job(
    hosting: Hosting, changes: dict[str, Any], message: str
) -> None:
    """botocore: CreateTrainingJob, StoppingCondition, CheckpointConfig."""
    name = unique("refused")
    with pytest.raises(ClientError, match=message):
        hosting.train(name=name, **changes)
    with pytest.raises(ClientError, match="not found"):
        hosting.sagemaker.describe_training_job(TrainingJobName=name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"HyperParameters": {"names": "x" * 2501}},
            r"Value '\{names=x+' at 'hyperParameters' failed to satisfy constraint: Map value must "
            r"satisfy constraint: \[Member must have length less than or equal to 2500, ",
        ),
        ({"HyperParameters": {"x" * 257: "1"}}, "Map keys must satisfy .* equal to 256, "),
        (
            {"HyperParameters": {str(number): "1" for number in range(101)}},
            "at 'hyperParameters' .*: Member must have length less than or equal to 100",
        ),
        ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, r"at 'tags\.1\.member\.value' .* 256"),
    ],
)
def test_a_value_over_a_limit_makes_no_job(
    hosting: Hosting, changes: dict[str, Any], message: str
) -> None:
    """botocore: the largest lengths of CreateTrainingJob's model, which no client checks."""
    name = unique("large")
    with pytest.raises(ClientError, match=message):
        hosting.train(name=name, **changes)
    with pytest.raises(ClientError, match="not found"):
        hosting.sagemaker.describe_training_job(TrainingJobName=name)


def test_a_local_path_below_the_base_is_followed(hosting: Hosting) -> None:
    """botocore: CheckpointConfig.LocalPath, /opt/ml/checkpoints by default."""
    name = unique("elsewhere")
    config = checkpoints(hosting, name, LocalPath="/opt/ml/model")
    found = hosting.trained(hosting.train(name=name, **config))
    assert found["TrainingJobStatus"] == "Completed"
    assert f"checkpoints/{name}/seen.json" in hosting.objects(f"checkpoints/{name}/")


def test_checkpoints_that_may_not_be_written_fail_the_job(hosting: Hosting) -> None:
    """.../dg/model-checkpoints.html: the role needs access to the bucket."""
    only = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": f"arn:aws:s3:::{hosting.bucket}*",
    }
    name = hosting.train(
        hyperparameters={"checkpoint": "1"},
        RoleArn=hosting.aws.role_with(PULL, only),
        **checkpoints(hosting, unique("denied")),
    )
    found = hosting.trained(name)
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: Checkpoint upload failed:")


def test_a_list_is_filtered_sorted_and_paged(hosting: Hosting) -> None:
    """botocore: ListTrainingJobs."""
    prefix = unique("listed")
    names = [hosting.train(name=f"{prefix}-{letter}") for letter in "bac"]
    for name in names:
        hosting.trained(name)
    page: dict[str, Any] = hosting.sagemaker.list_training_jobs(
        NameContains=prefix, SortBy="Name", SortOrder="Descending", MaxResults=2
    )
    found = [job["TrainingJobName"] for job in page["TrainingJobSummaries"]]
    assert found == [f"{prefix}-c", f"{prefix}-b"]
    rest = hosting.sagemaker.list_training_jobs(
        NameContains=prefix,
        SortBy="Name",
        SortOrder="Descending",
        MaxResults=2,
        NextToken=page["NextToken"],
    )
    assert [job["TrainingJobName"] for job in rest["TrainingJobSummaries"]] == [f"{prefix}-a"]
    assert "NextToken" not in rest
    assert rest["TrainingJobSummaries"][0]["SecondaryStatus"] == "Completed"
    later = hosting.sagemaker.list_training_jobs(
        NameContains=prefix, CreationTimeAfter=time.time() + 3600, StatusEquals="Completed"
    )
    assert later["TrainingJobSummaries"] == []


def test_a_job_has_one_algorithm_and_channels_of_different_names(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{hosting.bucket}/data"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    with pytest.raises(ClientError, match="must be unique"):
        hosting.train(InputDataConfig=[channel, channel])
    for more in ({}, {"TrainingImage": "image:1", "AlgorithmName": "other"}):
        algorithm = {"TrainingInputMode": "File", **more}
        with pytest.raises(ClientError, match="exactly one of TrainingImage and AlgorithmName"):
            hosting.train(AlgorithmSpecification=algorithm)
