"""Training jobs of the embedded AWS, run as a user runs them."""

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.sagemaker.conftest import Sagemaker

BUCKET = "sagemaker-tests"
GROUP = "/aws/sagemaker/TrainingJobs"


def seen_by_the_program(sm: Sagemaker, job: dict[str, Any]) -> dict[str, Any]:
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = sm.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        member = tar.extractfile("seen.json")
        assert member is not None
        seen: dict[str, Any] = json.load(member)
        return seen


def test_a_job_runs_the_program_with_the_container_contract(sm: Sagemaker) -> None:
    sm.train("whole", hyperparameters={"epochs": "3"}, Environment={"SEED": "7"})
    job = sm.trained("whole")

    assert job["TrainingJobStatus"] == "Completed"
    artifact = f"s3://{BUCKET}/model/whole/output/model.tar.gz"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == artifact
    seen = seen_by_the_program(sm, job)
    assert seen["hyperparameters"] == {"epochs": "3"}
    assert seen["files"] == ["train/bicycle/a.png", "train/motorcycle/b.png"]
    assert seen["environment"]["TRAINING_JOB_NAME"] == "whole"
    assert seen["environment"]["SEED"] == "7"
    assert seen["environment"]["FROM_IMAGE"] == "yes"
    assert seen["environment"]["AWS_ENDPOINT_URL"] == sm.aws.endpoint_url
    assert "PYTHONPATH" not in seen["environment"]


def test_a_job_goes_through_the_statuses_and_keeps_the_last_metrics(sm: Sagemaker) -> None:
    sm.train("statuses", hyperparameters={"epochs": "2"})
    job = sm.trained("statuses")

    names = [t["Status"] for t in job["SecondaryStatusTransitions"]]
    assert names == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in t for t in job["SecondaryStatusTransitions"])
    metrics = {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]}
    assert metrics == pytest.approx({"validation:accuracy": 0.6, "test:accuracy": 0.955})
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert not (sm.aws.home / "training" / "statuses").exists()
    listed = sm.client("sagemaker").list_training_jobs(NameContains="statuses")
    assert listed["TrainingJobSummaries"][0]["TrainingJobStatus"] == "Completed"


def test_output_is_in_the_logs_while_the_job_runs_and_a_stop_keeps_the_model(sm: Sagemaker) -> None:
    sm.train("stopped", hyperparameters={"epochs": "9", "seconds": "20"})
    sagemaker = sm.client("sagemaker")

    def first_line() -> bool:
        try:
            return any("epoch=1" in line for line in sm.log_lines(GROUP, "stopped/algo-1-"))
        except ClientError:
            return False

    sm.until(first_line)
    running = sagemaker.describe_training_job(TrainingJobName="stopped")
    assert (running["TrainingJobStatus"], running["SecondaryStatus"]) == ("InProgress", "Training")
    assert "ModelArtifacts" not in running or not running["ModelArtifacts"]
    sagemaker.stop_training_job(TrainingJobName="stopped")
    job = sm.trained("stopped")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert seen_by_the_program(sm, job)["files"]
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped")


def test_a_job_that_takes_too_long_is_ended(sm: Sagemaker) -> None:
    sm.train(
        "slow",
        hyperparameters={"seconds": "60"},
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    job = sm.trained("slow")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


@pytest.mark.parametrize(
    ("name", "hyperparameters", "reason"),
    [
        ("fails-with-message", {"fail": "No images"}, "AlgorithmError: No images, exit code: 1"),
        ("fails-mute", {"status": "3"}, "AlgorithmError: test_accuracy=0.955, exit code: 3"),
    ],
)
def test_a_failing_program_says_why(
    sm: Sagemaker, name: str, hyperparameters: dict[str, str], reason: str
) -> None:
    sm.train(name, hyperparameters=hyperparameters)
    job = sm.trained(name)

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == reason
    assert sm.objects(f"model/{name}/") == {}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "no-bucket",
            {"source": "s3://no-such-bucket/x"},
            "ClientError: Data download failed:NoSuchBucket",
        ),
        ("no-data", {"source": f"s3://{BUCKET}/none/"}, "No S3 objects found under S3 URL"),
        ("no-image", {"image": "unknown:1"}, "images.json"),
        (
            "no-output",
            {"OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket/x"}},
            "upload failed",
        ),
    ],
)
def test_a_job_that_cannot_run_fails_with_a_reason(
    sm: Sagemaker, name: str, changes: dict[str, Any], message: str
) -> None:
    sm.train(name, **changes)
    job = sm.trained(name)

    assert job["TrainingJobStatus"] == "Failed"
    assert message in job["FailureReason"]


def test_a_manifest_names_the_files_of_a_channel(sm: Sagemaker) -> None:
    listed = [{"prefix": f"s3://{BUCKET}/dataset/train/"}, "bicycle/a.png"]
    sm.client("s3").put_object(Bucket=BUCKET, Key="list.json", Body=json.dumps(listed).encode())
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{BUCKET}/list.json"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}

    sm.train("by-manifest", InputDataConfig=[channel])

    assert seen_by_the_program(sm, sm.trained("by-manifest"))["files"] == ["train/bicycle/a.png"]


def test_a_name_is_used_once_and_an_unknown_one_is_an_error(sm: Sagemaker) -> None:
    sm.train("once")
    with pytest.raises(ClientError, match="ResourceInUse"):
        sm.train("once")
    with pytest.raises(ClientError, match="Requested resource not found"):
        sm.client("sagemaker").describe_training_job(TrainingJobName="never")
    assert sm.trained("once")["TrainingJobStatus"] == "Completed"


def test_an_invalid_metric_expression_makes_no_job(sm: Sagemaker) -> None:
    algorithm = {
        "TrainingImage": "toy-model",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "broken", "Regex": "("}],
    }
    with pytest.raises(ClientError, match="broken"):
        sm.train("bad-metric", AlgorithmSpecification=algorithm)
    with pytest.raises(ClientError, match="not found"):
        sm.client("sagemaker").describe_training_job(TrainingJobName="bad-metric")
