from collections.abc import Iterator
from typing import cast

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import ReleaseError
from scones_train.sagemaker.model_package import Contract, Training, package_request
from scones_train.sagemaker.registry import Registry, SageMaker

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:0.1.0"


def training(number: int, **metrics: float) -> Training:
    return Training(
        job=f"job-{number}",
        image=IMAGE,
        model_data_url=f"s3://artifacts/model/job-{number}/output/model.tar.gz",
        metrics=metrics or {"test_accuracy": 0.96},
        dataset_version="v7",
        manifest_sha256="ab" * 32,
        commit="c0ffee",
    )


@pytest.fixture
def registry() -> Iterator[Registry]:
    with mock_aws():
        sagemaker = boto3.client(
            "sagemaker", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        sagemaker.create_model_package_group(
            ModelPackageGroupName="scones-dev-candidates", ModelPackageGroupDescription="d"
        )
        yield Registry(cast(SageMaker, sagemaker), "scones-dev-candidates")


def absent(registry: Registry) -> Registry:
    sagemaker = boto3.client(
        "sagemaker", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return Registry(cast(SageMaker, sagemaker), "absent")


def test_a_candidate_carries_figures_data_and_code_and_waits(registry: Registry) -> None:
    made = registry.add(training(1, test_accuracy=0.9625, n_test=200.0))
    assert made.version == 1
    assert not made.approved
    assert registry.get(1).training == training(1, test_accuracy=0.9625, n_test=200.0)


def test_the_newest_come_first_and_each_is_found_by_its_model(registry: Registry) -> None:
    for number in (1, 2, 3):
        registry.add(training(number))
    assert [found.version for found in registry.all()] == [3, 2, 1]
    assert registry.of_artifact(training(2).model_data_url).version == 2


def test_what_is_no_candidate_is_named(registry: Registry) -> None:
    with pytest.raises(ReleaseError, match="no candidate 9"):
        registry.get(9)
    with pytest.raises(ReleaseError, match="s3://elsewhere/m is no candidate"):
        registry.of_artifact("s3://elsewhere/m")


def test_a_group_that_is_not_there_is_one_sentence(registry: Registry) -> None:
    with pytest.raises(ReleaseError, match="registry absent"):
        absent(registry).add(training(1))


def test_no_more_properties_are_sent_than_aws_takes() -> None:
    many = {f"figure_{number}": number / 7 for number in range(80)}
    request = package_request("group", training(1, **many))
    assert len(request["CustomerMetadataProperties"]) == 50
    assert request["CustomerMetadataProperties"]["dataset_version"] == "v7"


def test_a_package_says_what_its_container_is_asked_for() -> None:
    contract = Contract(("text/csv",), ("text/plain",), {"WORKLOAD": "other"})
    inference = package_request("group", training(1), contract)["InferenceSpecification"]
    assert inference["SupportedContentTypes"] == ["text/csv"]
    assert inference["SupportedResponseMIMETypes"] == ["text/plain"]
    assert inference["Containers"][0]["Environment"] == {"WORKLOAD": "other"}
    images = package_request("group", training(1))["InferenceSpecification"]
    assert "Environment" not in images["Containers"][0]
