from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import TrainingError
from scones_toolkit.tasks.training.train import require_resumable


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """SageMaker with one training job, which is complete."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client(
            "sagemaker",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_training_job(
            TrainingJobName="whole",
            AlgorithmSpecification={"TrainingImage": "model:1", "TrainingInputMode": "File"},
            RoleArn="arn:aws:iam::123456789012:role/training",
            OutputDataConfig={"S3OutputPath": "s3://artifacts/model"},
            ResourceConfig={
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
        yield client


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        ("absent", "There is no training job 'absent' to resume; interrupted jobs: none"),
        ("whole", "whole is Completed: there is nothing to resume"),
    ],
)
def test_only_a_job_that_was_interrupted_is_resumed(
    sagemaker: Any, job: str, sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        require_resumable(sagemaker, job)
