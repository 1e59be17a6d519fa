"""What the records answer that Terraform reads back: an extra field there is a replacement."""

import uuid

import pytest
from botocore.exceptions import ClientError
from integration.sagemaker.conftest import Sagemaker

ROLE = "arn:aws:iam::123456789012:role/sagemaker"


@pytest.fixture
def name() -> str:
    return f"record-{uuid.uuid4().hex[:8]}"


def test_a_model_is_described_as_it_was_made(sm: Sagemaker, name: str) -> None:
    sagemaker = sm.client("sagemaker")
    container = {"Image": "toy-model", "Environment": {"A": "1"}}
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container,
        EnableNetworkIsolation=True,
    )

    model = sagemaker.describe_model(ModelName=name)

    assert model["PrimaryContainer"] == container
    assert model["EnableNetworkIsolation"] is True
    assert "VpcConfig" not in model
    assert "Containers" not in model


def test_a_configuration_without_capture_says_nothing_of_it(sm: Sagemaker, name: str) -> None:
    sagemaker = sm.client("sagemaker")
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "toy-model"}
    )
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    config = sagemaker.describe_endpoint_config(EndpointConfigName=name)

    assert "DataCaptureConfig" not in config
    assert config["ProductionVariants"] == [variant]


def test_tags_are_replaced_and_removed(sm: Sagemaker, name: str) -> None:
    sagemaker = sm.client("sagemaker")
    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName=name, Tags=[{"Key": "a", "Value": "1"}]
    )["ModelPackageGroupArn"]

    sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}]
    )
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "3"},
    ]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]


def test_a_package_group_is_deleted_once_it_is_empty(sm: Sagemaker, name: str) -> None:
    sagemaker = sm.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    package = sagemaker.create_model_package(ModelPackageGroupName=name)["ModelPackageArn"]

    with pytest.raises(ClientError, match="cannot be deleted"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    assert sagemaker.list_tags(ResourceArn=package)["Tags"] == []
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=name)

    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=name)


def test_tags_of_what_is_not_there_are_an_error_of_the_caller(sm: Sagemaker) -> None:
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sm.client("sagemaker").list_tags(
            ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:model/none"
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
