import uuid

import pytest

from local_aws.testing.aws import Aws
from scones_core.errors import ReleaseError
from scones_train.sagemaker.model_package import Training
from scones_train.sagemaker.registry import Registry


@pytest.fixture
def registry(aws: Aws) -> Registry:
    group = f"g-{uuid.uuid4().hex[:8]}"
    aws.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=group, ModelPackageGroupDescription="candidates"
    )
    return Registry(aws.client("sagemaker"), group)


def training(number: int) -> Training:
    return Training(
        job=f"job-{number}",
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:0.1.0",
        model_data_url=f"s3://artifacts/model/job-{number}/output/model.tar.gz",
        metrics={"test_accuracy": 0.96},
        dataset_version="v7",
        manifest_sha256="ab" * 32,
        commit="c0ffee",
    )


def test_a_decision_changes_the_state_alone(registry: Registry) -> None:
    """botocore service-2.json: sagemaker/UpdateModelPackage, whose members are all optional."""
    registry.add(training(1))
    assert registry.decide(1, approved=True, note="looks right").approved
    found = registry.decide(1, approved=False, note="wrong labels")
    assert (found.approved, found.status, found.note) == (False, "Rejected", "wrong labels")
    assert registry.decide(1, approved=False, note="").note == "without a note"
    assert found.training == training(1)


def test_a_group_is_deleted_once_its_candidates_are(aws: Aws, registry: Registry) -> None:
    """docs.aws.amazon.com: DeleteModelPackageGroup takes a group without versions."""
    for number in (1, 2):
        registry.add(training(number))
    sagemaker = aws.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ClientError, match="cannot be deleted"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=registry.group)
    assert registry.clear() == 2
    assert list(registry.all()) == []
    sagemaker.delete_model_package_group(ModelPackageGroupName=registry.group)
    with pytest.raises(ReleaseError, match=registry.group):
        registry.add(training(3))
