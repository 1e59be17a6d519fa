import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from scones_core.errors import TrainingError, TrainingJobFailed
from scones_train.sagemaker.job_logs import LOG_GROUP
from scones_train.sagemaker.training_job import TrainingResult, launch
from scones_train.sagemaker.training_job_request import (
    Compute,
    TrainingRequest,
    image_uri,
    job_name,
    job_request,
)
from scones_train.training.hyperparameters import Hyperparameters

START = datetime(2026, 11, 20, 14, 32, tzinfo=UTC)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class FakeSageMaker:
    """A job that goes through the given states, one at each look."""

    def __init__(
        self, *states: BaseException | dict[str, Any], refusal: ClientError | None = None
    ) -> None:
        self.states, self.refusal = list(states), refusal
        self.created: dict[str, Any] = {}
        self.stopped = ""

    def create_training_job(self, **request: Any) -> dict[str, str]:
        if self.refusal:
            raise self.refusal
        self.created = request
        return {"TrainingJobArn": "arn"}

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        assert TrainingJobName == self.created["TrainingJobName"]
        state = self.states.pop(0)
        if isinstance(state, BaseException):
            raise state
        return {
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://a/model/{TrainingJobName}/output/m"},
            **state,
        }

    def stop_training_job(self, *, TrainingJobName: str) -> None:
        self.stopped = TrainingJobName


class FakeLogs:
    """One stream that grows by one page at each look; the same token means no more."""

    def __init__(self, *pages: list[str]) -> None:
        self.pages, self.looks, self.stream = list(pages), 0, ""

    def describe_log_streams(self, **request: Any) -> dict[str, Any]:
        prefix = request.pop("logStreamNamePrefix")
        assert request == {"logGroupName": LOG_GROUP}
        self.looks += 1
        if self.looks == 1:
            raise ClientError(
                {"Error": {"Code": "ResourceNotFoundException", "Message": "none yet"}},
                "DescribeLogStreams",
            )
        self.stream = f"{prefix}algo-1-1"
        return {"logStreams": [{"logStreamName": self.stream}]}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        place = int(request.pop("nextToken", "0"))
        stream = {"logGroupName": LOG_GROUP, "logStreamName": self.stream}
        assert request == {**stream, "startFromHead": True}
        lines = self.pages[place] if place < min(len(self.pages), self.looks) else []
        return {
            "events": [{"message": line} for line in lines],
            "nextForwardToken": str(place + 1 if lines else place),
        }


@pytest.fixture
def request_() -> TrainingRequest:
    return TrainingRequest(
        name_prefix="scones-local",
        image_uri=image_uri("123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model", "v1"),
        role_arn="arn:aws:iam::123456789012:role/training",
        data_bucket="data",
        artifacts_bucket="artifacts",
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/1",
        hyperparameters=Hyperparameters(dataset_version="v7", epochs=2).strings(),
        channels={split: (f"dataset/v7/{split}/", "") for split in ("train", "validation", "test")},
        compute=Compute("ml.m5.xlarge", 600),
        tags={"project": "scones"},
    )


def run(
    sagemaker: FakeSageMaker,
    logs: FakeLogs,
    request: TrainingRequest,
    clock: Clock | None = None,
    seen: list[Any] | None = None,
) -> TrainingResult:
    clock, seen = clock or Clock(), [] if seen is None else seen
    return launch(
        sagemaker,
        logs,
        request,
        progress=lambda *what: seen.append(what),
        now=clock.now,
        sleep=clock.sleep,
        poll_seconds=2,
    )


RUNNING, DONE = {"TrainingJobStatus": "InProgress"}, {"TrainingJobStatus": "Completed"}


def test_a_job_is_followed_to_its_result(request_: TrainingRequest) -> None:
    logs = FakeLogs(
        ["train_images=900\n"],
        ["step=1/2 train_loss=0.6000 validation_accuracy=0.8000 seconds_left=9\n"],
        ["step=2/2 train_loss=0.3000 validation_accuracy=0.9000 seconds_left=0\n"],
        ["threshold=0.9700 temperature=0.7000\n", "test_accuracy=0.9500\n"],
    )
    seen: list[tuple[int, int, str]] = []
    sagemaker = FakeSageMaker(RUNNING, RUNNING, RUNNING, RUNNING, DONE)
    result = run(sagemaker, logs, request_, seen=seen)
    assert result.job_name == sagemaker.created["TrainingJobName"]
    assert result.model_data_url == f"s3://a/model/{result.job_name}/output/m"
    assert result.seconds == 8
    assert result.metrics["test_accuracy"] == 0.95
    assert result.metrics["validation_accuracy"] == 0.9
    assert [(done, total) for done, total, _ in seen] == [(0, 0), (1, 2), (2, 2), (2, 2), (2, 2)]
    assert [line for *_, line in seen].count("test_accuracy=0.9500") == 1


def test_metrics_that_sagemaker_recorded_fill_what_the_log_lacks(request_: TrainingRequest) -> None:
    recorded = [{"MetricName": "test_accuracy", "Value": 0.94}]
    sagemaker = FakeSageMaker({**DONE, "FinalMetricDataList": recorded})
    assert run(sagemaker, FakeLogs(), request_).metrics == {"test_accuracy": 0.94}


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_failed_job_gives_its_own_reason(request_: TrainingRequest, status: str) -> None:
    sagemaker = FakeSageMaker(
        RUNNING, {"TrainingJobStatus": status, "FailureReason": "no image of the class 'bicycle'"}
    )
    with pytest.raises(TrainingJobFailed, match=f"{status}: no image of the class"):
        run(sagemaker, FakeLogs(), request_)


def test_an_interrupt_stops_the_job(request_: TrainingRequest) -> None:
    sagemaker = FakeSageMaker(RUNNING, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(sagemaker, FakeLogs(), request_)
    assert sagemaker.stopped == sagemaker.created["TrainingJobName"]


def test_a_refused_call_is_one_sentence(request_: TrainingRequest) -> None:
    refusal = ClientError(
        {"Error": {"Code": "ResourceLimitExceeded", "Message": "no ml.m5.xlarge left"}},
        "CreateTrainingJob",
    )
    with pytest.raises(TrainingError, match=r"no ml\.m5\.xlarge left"):
        run(FakeSageMaker(refusal=refusal), FakeLogs(), request_)


SPOT = Compute(
    "ml.g5.xlarge",
    600,
    spot=True,
    max_wait_seconds=300,
    subnets=("subnet-1",),
    security_groups=("sg-1",),
)


@pytest.mark.parametrize("compute", [Compute("ml.m5.xlarge", 600), SPOT])
def test_the_request_is_one_that_aws_takes(request_: TrainingRequest, compute: Compute) -> None:
    request_ = replace(request_, compute=compute)
    client = boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    request = job_request(request_, "job-1")
    with Stubber(client) as stub:
        stub.add_response(
            "create_training_job",
            {"TrainingJobArn": f"arn:aws:sagemaker:us-east-1:{'1' * 12}:training-job/job-1"},
            dict.fromkeys(request, ANY),
        )
        client.create_training_job(**request)
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in request["InputDataConfig"]
    }
    assert channels == {
        name: f"s3://data/dataset/v7/{name}/" for name in ("train", "validation", "test")
    }
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://artifacts/model"
    assert request["HyperParameters"]["epochs"] == "2"
    assert request["Tags"] == [{"Key": "project", "Value": "scones"}]


def test_job_names_are_valid_and_differ() -> None:
    names = {job_name("a-very-long-project-name-" * 4, START) for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name) for name in names)
    assert all("-20261120-143200-" in name for name in names)


def test_a_spot_job_waits_at_least_as_long_as_it_runs_and_goes_on_from_its_checkpoints(
    request_: TrainingRequest,
) -> None:
    asked = job_request(replace(request_, compute=SPOT), "job-1")
    assert asked["EnableManagedSpotTraining"] is True
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}
    assert asked["CheckpointConfig"] == {"S3Uri": "s3://artifacts/checkpoints/job-1"}
    assert asked["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


def test_a_resumed_job_has_the_checkpoints_of_the_earlier_one(request_: TrainingRequest) -> None:
    asked = job_request(replace(request_, resume="job-0"), "job-1")
    assert asked["CheckpointConfig"] == {"S3Uri": "s3://artifacts/checkpoints/job-0"}


@pytest.mark.parametrize(
    ("instance_type", "encrypted"),
    [("ml.m5.xlarge", True), ("ml.m5d.xlarge", False), ("ml.g5.xlarge", False)],
)
def test_a_volume_gets_the_key_unless_the_instance_encrypts_by_itself(
    request_: TrainingRequest, instance_type: str, encrypted: bool
) -> None:
    asked = job_request(replace(request_, compute=Compute(instance_type, 600)), "job-1")
    assert ("VolumeKmsKeyId" in asked["ResourceConfig"]) is encrypted


def test_a_built_in_algorithm_gets_no_metrics_and_its_content_types(
    request_: TrainingRequest,
) -> None:
    channels = {"train": ("dataset/v7/train/", "application/x-image")}
    asked = job_request(replace(request_, own_program=False, channels=channels), "job-1")
    assert "MetricDefinitions" not in asked["AlgorithmSpecification"]
    assert "CheckpointConfig" not in asked
    assert asked["InputDataConfig"][0]["ContentType"] == "application/x-image"
