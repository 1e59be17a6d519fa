"""The largest values of SageMaker's requests, by botocore's model."""

from typing import Any

import pytest
from moto.core.utils import get_service_model

from local_aws.sagemaker.request_limits import violations


def _violations(operation: str, request: dict[str, Any]) -> list[str]:
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    return list(violations(shape, request))


@pytest.mark.parametrize(
    ("operation", "request_", "place", "limit"),
    [
        ("CreateModel", {"ModelName": "m" * 64}, "modelName", "length less than or equal to 63"),
        (
            "CreateModel",
            {"PrimaryContainer": {"Environment": {"LABELS": "x" * 1025}}},
            "primaryContainer.environment",
            "Map value must satisfy constraint: [Member must have length less than or equal to 10",
        ),
        (
            "CreateProcessingJob",
            {"Environment": {str(number): "" for number in range(101)}},
            "environment",
            "length less than or equal to 100",
        ),
        (
            "CreateProcessingJob",
            {"ProcessingInputs": [{"InputName": "a"}] * 11},
            "processingInputs",
            "length less than or equal to 10",
        ),
        (
            "CreateTransformJob",
            {"TransformInput": {"ContentType": "x" * 257}},
            "transformInput.contentType",
            "length less than or equal to 256",
        ),
        (
            "CreateEndpointConfig",
            {"ProductionVariants": [{"VariantName": "a"}, {"VariantName": "v" * 64}]},
            "productionVariants.2.member.variantName",
            "length less than or equal to 63",
        ),
        (
            "CreateTransformJob",
            {"MaxPayloadInMB": 2**31, "ModelClientConfig": {"InvocationsMaxRetries": 4}},
            "modelClientConfig.invocationsMaxRetries",
            "value less than or equal to 3",
        ),
    ],
)
def test_a_value_over_its_limit_is_named_with_its_place(
    operation: str, request_: dict[str, Any], place: str, limit: str
) -> None:
    (found,) = _violations(operation, request_)
    assert f"' at '{place}' failed to satisfy constraint: " in found
    assert limit in found


def test_each_value_over_a_limit_is_named_and_a_long_one_is_cut() -> None:
    found = _violations(
        "CreateTrainingJob",
        {"TrainingJobName": "j" * 64, "HyperParameters": {"a": "x" * 9000, "b": "y" * 2500}},
    )
    assert len(found) == 2
    assert max(map(len, found)) < 600


def test_the_largest_values_are_taken() -> None:
    request = {
        "TrainingJobName": "j" * 63,
        "HyperParameters": {str(number): "x" * 2500 for number in range(100)},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "k" * 128, "Value": "v" * 256}] * 50,
        "Unknown": "x" * 9000,
    }
    assert _violations("CreateTrainingJob", request) == []
