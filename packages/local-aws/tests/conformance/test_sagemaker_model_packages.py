"""Model packages: versions, approval, what is made from them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import Hosting, variant


@pytest.fixture
def group(hosting: Hosting) -> str:
    name = unique("group")
    hosting.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def package(hosting: Hosting, group: str, **more: Any) -> str:
    described = hosting.sagemaker.describe_model(ModelName=hosting.model("packaged"))
    container = described["PrimaryContainer"]
    specification = {
        "Containers": [
            {
                "Image": container["Image"],
                "ModelDataUrl": container["ModelDataUrl"],
                "Environment": {"FROM": "package"},
            }
        ],
        "SupportedContentTypes": ["image/png"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    arn: str = hosting.sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, **more
    )["ModelPackageArn"]
    return arn


def model_of(hosting: Hosting, arn: str) -> str:
    name = unique("from-package")
    container = {"ModelPackageName": arn, "Environment": {"MORE": "model"}}
    hosting.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=hosting.role, PrimaryContainer=container
    )
    return name


def test_versions_are_counted_and_never_given_twice(hosting: Hosting, group: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-version.html."""
    first, second = package(hosting, group), package(hosting, group)
    hosting.sagemaker.delete_model_package(ModelPackageName=second)
    third = package(hosting, group)

    assert [arn.rpartition("/")[2] for arn in (first, second, third)] == ["1", "2", "3"]
    found = hosting.sagemaker.describe_model_package(ModelPackageName=third)
    assert found["ModelPackageVersion"] == 3
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    listed = hosting.sagemaker.list_model_packages(ModelPackageGroupName=group)
    versions = [p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"]]
    assert sorted(versions) == [1, 3]
    with pytest.raises(ClientError, match="cannot be deleted"):
        hosting.sagemaker.delete_model_package_group(ModelPackageGroupName=group)


def test_what_a_version_is_registered_with_is_described(hosting: Hosting, group: str) -> None:
    """botocore: CreateModelPackage and DescribeModelPackage."""
    metrics = {
        "ModelQuality": {
            "Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/metrics.json"}
        }
    }
    arn = package(
        hosting,
        group,
        ModelMetrics=metrics,
        CustomerMetadataProperties={"commit": "abc"},
        ModelApprovalStatus="Rejected",
        SkipModelValidation="All",
    )
    found = hosting.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelMetrics"] == metrics
    assert found["CustomerMetadataProperties"] == {"commit": "abc"}
    assert found["ModelApprovalStatus"] == "Rejected"
    assert found["SkipModelValidation"] == "All"


def test_an_update_changes_what_it_names_and_nothing_else(hosting: Hosting, group: str) -> None:
    """botocore: UpdateModelPackage."""
    arn = package(hosting, group, CustomerMetadataProperties={"a": "1", "b": "2"})
    update = hosting.sagemaker.update_model_package
    update(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="seen")
    update(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"c": "3"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    found = hosting.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "seen")
    approved = hosting.sagemaker.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved"
    )
    assert [p["ModelPackageArn"] for p in approved["ModelPackageSummaryList"]] == [arn]


def test_only_an_approved_version_is_deployed(hosting: Hosting, group: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-approve.html."""
    arn = package(hosting, group)
    with pytest.raises(ClientError, match="ModelApprovalStatus is PendingManualApproval"):
        model_of(hosting, arn)
    hosting.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    model = model_of(hosting, arn)
    described = hosting.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    assert described["ModelPackageName"] == arn
    endpoint = hosting.endpoint(hosting.configuration(variant(model)))
    assert hosting.invoke(endpoint) == b"packaged"
    environment = hosting.invoke(endpoint, b"environment")
    assert b'"FROM": "package"' in environment
    assert b'"MORE": "model"' in environment


def test_a_group_is_known_by_its_arn_too(hosting: Hosting, group: str) -> None:
    """botocore: CreateModelPackage.ModelPackageGroupName, ArnOrName."""
    found = hosting.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    arn = package(hosting, found["ModelPackageGroupArn"])
    assert arn.endswith(f"model-package/{group}/1")


def test_a_group_is_made_once_and_its_versions_have_no_tags_of_their_own(
    hosting: Hosting, group: str
) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html"""
    package(hosting, group)
    with pytest.raises(ClientError, match="already exists"):
        hosting.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="Tags cannot be given"):
        package(hosting, group, Tags=[{"Key": "a", "Value": "b"}])
    with pytest.raises(ClientError, match="Exactly one of"):
        package(hosting, group, ModelPackageName=unique("both"))
    assert package(hosting, group).endswith("/2")
