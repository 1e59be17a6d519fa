"""The live side is a stubbed AWS; the intended side is what Terraform shows."""

import io
import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from scones_core.golden_samples import GoldenSample
from scones_deploy.bundle import Bundle
from scones_deploy.release import Release, Releases
from scones_deploy.terraform.state import AppliedResource
from scones_deploy.verification import (
    endpoint_differences,
    function_differences,
    rollback_advice,
    score_differences,
    served_release,
    setting_differences,
)

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
NOW = "2026-11-21T00:00:00Z"
RELEASE = Release(
    id="r1",
    image=IMAGE,
    model_data_url="s3://artifacts/model/j/output/model.tar.gz",
    model_sha256="ab" * 32,
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.9,
    labels=("bicycle", "motorcycle"),
    dataset_version="v",
)
CAPTURE = {
    "enable_capture": True,
    "initial_sampling_percentage": 100,
    "destination_s3_uri": "s3://capture/capture",
    "kms_key_id": "k",
}
CONFIGURATION = {
    "name": "e-r1-1",
    "production_variants": [{"variant_name": "AllTraffic", "model_name": "m-r1"}],
    "data_capture_config": [CAPTURE],
}


def client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    )


def endpoint(**changes: Any) -> list[str]:
    """Return the differences of a live endpoint that is as intended but for these values."""
    live: dict[str, Any] = {
        "status": "InService",
        "reason": "",
        "name": "e-r1-1",
        "percent": 100,
        "image": IMAGE,
        "url": RELEASE.model_data_url,
        "environment": {},
    }
    live.update(changes)
    sagemaker = client("sagemaker")
    with Stubber(sagemaker) as stub:
        stub.add_response(
            "describe_endpoint",
            {
                "EndpointName": "e",
                "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
                "EndpointConfigName": live["name"],
                "EndpointStatus": live["status"],
                **({"FailureReason": live["reason"]} if live["reason"] else {}),
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
            },
        )
        stub.add_response(
            "describe_endpoint_config",
            {
                "EndpointConfigName": live["name"],
                "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c",
                "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "m-r1"}],
                "DataCaptureConfig": {
                    "EnableCapture": True,
                    "InitialSamplingPercentage": live["percent"],
                    "DestinationS3Uri": "s3://capture/capture",
                    "KmsKeyId": "k",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                },
                "CreationTime": NOW,
            },
            {"EndpointConfigName": live["name"]},
        )
        stub.add_response(
            "describe_model",
            {
                "ModelName": "m-r1",
                "ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m-r1",
                "CreationTime": NOW,
                "PrimaryContainer": {
                    "Image": live["image"],
                    "ModelDataUrl": live["url"],
                    "Environment": live["environment"],
                },
            },
            {"ModelName": "m-r1"},
        )
        return endpoint_differences(sagemaker, "e", RELEASE, CONFIGURATION)


def served(status: str, model: str = "e-r1", **changes: str) -> str:
    """Return which of two releases an endpoint serves, by its status and its model."""
    releases = {
        "r1": RELEASE,
        "r2": replace(RELEASE, id="r2", model_data_url="s3://artifacts/2.tar.gz"),
    }
    sagemaker = client("sagemaker")
    with Stubber(sagemaker) as stub:
        stub.add_response(
            "describe_endpoint",
            {
                "EndpointName": "e",
                "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
                "EndpointConfigName": "c",
                "EndpointStatus": status,
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
            },
        )
        stub.add_response(
            "describe_endpoint_config",
            {
                "EndpointConfigName": "c",
                "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c",
                "ProductionVariants": [
                    {"VariantName": "Challenger-r2", "ModelName": "e-r2"},
                    {"VariantName": "AllTraffic", "ModelName": model},
                ],
                "CreationTime": NOW,
            },
        )
        container = {"Image": IMAGE, "ModelDataUrl": RELEASE.model_data_url, **changes}
        stub.add_response(
            "describe_model",
            {
                "ModelName": model,
                "ModelArn": f"arn:aws:sagemaker:us-east-1:123456789012:model/{model}",
                "CreationTime": NOW,
                "PrimaryContainer": container,
            },
            {"ModelName": model},
        )
        return served_release(sagemaker, "e", releases)


@pytest.mark.parametrize("status", ["InService", "Updating", "RollingBack", "UpdateRollbackFailed"])
def test_an_endpoint_serves_the_release_of_its_model_whatever_terraform_last_tried(
    status: str,
) -> None:
    assert served(status) == "r1"
    assert served(status, "e-r2", ModelDataUrl="s3://artifacts/2.tar.gz") == "r2"
    assert served(status, ModelDataUrl="s3://artifacts/other.tar.gz") == ""


@pytest.mark.parametrize("status", ["Creating", "Failed", "Deleting"])
def test_an_endpoint_that_never_came_into_service_serves_no_release(status: str) -> None:
    assert served(status) == ""


def test_without_an_endpoint_no_release_is_served() -> None:
    assert served_release(client("sagemaker"), "", {"r1": RELEASE}) == ""
    sagemaker = client("sagemaker")
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_endpoint", "ValidationException", "Could not find e")
        assert served_release(sagemaker, "e", {"r1": RELEASE}) == ""


CHALLENGER = replace(RELEASE, id="r2", image=IMAGE.replace(":1", ":2"))
SHARED = {
    **CONFIGURATION,
    "production_variants": [
        {"variant_name": "AllTraffic", "model_name": "m-r1", "initial_variant_weight": 0.75},
        {"variant_name": "Challenger-r2", "model_name": "m-r2", "initial_variant_weight": 0.25},
    ],
}


def shared(image: str, weights: tuple[float, float]) -> list[str]:
    """Return the differences of an endpoint with a challenger, of that image and these weights."""
    names = ("AllTraffic", "Challenger-r2")
    sagemaker = client("sagemaker")
    with Stubber(sagemaker) as stub:
        stub.add_response(
            "describe_endpoint",
            {
                "EndpointName": "e",
                "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
                "EndpointConfigName": "e-r1-1",
                "EndpointStatus": "InService",
                "ProductionVariants": [
                    {"VariantName": name, "DesiredWeight": weight}
                    for name, weight in zip(names, weights, strict=True)
                ],
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
            },
        )
        models = ("m-r1", "m-r2")
        stub.add_response(
            "describe_endpoint_config",
            {
                "EndpointConfigName": "e-r1-1",
                "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c",
                "ProductionVariants": [
                    {"VariantName": name, "ModelName": model}
                    for name, model in zip(names, models, strict=True)
                ],
                "CreationTime": NOW,
            },
        )
        for model, served in zip(models, (IMAGE, image), strict=True):
            stub.add_response(
                "describe_model",
                {
                    "ModelName": model,
                    "ModelArn": f"arn:aws:sagemaker:us-east-1:123456789012:model/{model}",
                    "CreationTime": NOW,
                    "PrimaryContainer": {
                        "Image": served, "ModelDataUrl": RELEASE.model_data_url, "Environment": {},
                    },
                },
                {"ModelName": model},
            )  # fmt: skip
        intended = {**SHARED, "data_capture_config": []}
        return endpoint_differences(sagemaker, "e", RELEASE, intended, CHALLENGER)


def test_a_challenger_is_compared_with_its_own_release() -> None:
    assert shared(CHALLENGER.image, (3.0, 1.0)) == []
    (found,) = shared(IMAGE, (0.75, 0.25))
    assert f"image of the model m-r2 is {IMAGE} and should be {CHALLENGER.image}" in found


def test_weights_that_were_changed_at_the_endpoint_are_a_difference() -> None:
    (found,) = shared(CHALLENGER.image, (0.75, 0.75))
    assert "the shares of e is {'AllTraffic': 0.5, 'Challenger-r2': 0.5} and should be" in found


def test_an_endpoint_on_its_release_differs_in_nothing() -> None:
    assert endpoint() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "RollingBack"}, "status of e is RollingBack and should be InService"),
        ({"status": "Failed", "reason": "no ping"}, "status of e is Failed (no ping) and should"),
        ({"name": "e-r0-9"}, "configuration of e is e-r0-9 and should be e-r1-1"),
        ({"percent": 10}, "percentage of e-r1-1 is 10 and should be 100"),
        ({"image": "other:2"}, f"image of the model m-r1 is other:2 and should be {IMAGE}"),
        ({"url": "s3://b/x.tar.gz"}, "artifact of the model m-r1 is s3://b/x.tar.gz"),
        ({"environment": {"A": "1"}}, "environment of the model m-r1 is {'A': '1'}"),
    ],
)
def test_each_difference_of_an_endpoint_is_named(changes: dict[str, Any], message: str) -> None:
    (found,) = endpoint(**changes)
    assert message in found


def test_a_missing_endpoint_is_a_difference_and_a_denial_an_error() -> None:
    sagemaker = client("sagemaker")
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_endpoint", "ValidationException", "Could not find it")
        found = endpoint_differences(sagemaker, "e", RELEASE, CONFIGURATION)
        assert found == ["e: Could not find it"]
        stub.add_client_error("describe_endpoint", "AccessDeniedException", "no")
        with pytest.raises(ClientError):
            endpoint_differences(sagemaker, "e", RELEASE, CONFIGURATION)


def bundle(code: str) -> Bundle:
    return Bundle("p", "h", "s", code, "c", 1, 1, ())


def resources(**variables: str) -> list[AppliedResource]:
    alias = {"name": "live", "function_name": "f"}
    return [
        AppliedResource("a", "aws_lambda_alias", "classify_image", alias),
        AppliedResource(
            "b",
            "aws_lambda_function",
            "classify_image",
            {"environment": [{"variables": variables}]},
        ),
    ]


def functions(code: str, **variables: str) -> list[str]:
    stubbed = client("lambda")
    with Stubber(stubbed) as stub:
        stub.add_response(
            "get_function_configuration",
            {"CodeSha256": "built", "Environment": {"Variables": {"ENDPOINT_NAME": "e"}}},
            {"FunctionName": "f", "Qualifier": "live"},
        )
        return function_differences(
            stubbed, {"classify_image": bundle(code)}, resources(**variables)
        )


def test_functions_are_held_to_their_code_and_to_every_variable() -> None:
    assert functions("built", ENDPOINT_NAME="e") == []
    assert functions("newer", ENDPOINT_NAME="e") == [
        "the code hash of f:live is built and should be newer"
    ]
    assert functions("built", ENDPOINT_NAME="e2", LABELS="[]") == [
        "ENDPOINT_NAME of f:live is e and should be e2",
        "LABELS of f:live is nothing and should be []",
    ]


def test_a_function_without_its_alias_is_named() -> None:
    stubbed = client("lambda")
    with Stubber(stubbed) as stub:
        stub.add_client_error("get_function_configuration", "ResourceNotFoundException")
        assert function_differences(stubbed, {}, resources()) == [
            "the function f:live is not there"
        ]


def test_a_wire_that_leads_elsewhere_is_named() -> None:
    right = resources(ENDPOINT_NAME="e", LABELS='["bicycle", "motorcycle"]')
    assert setting_differences(RELEASE, right, "e") == []
    (found,) = setting_differences(RELEASE, resources(ENDPOINT_NAME="e", LABELS='["a", "b"]'), "e")
    assert "LABELS is ['a', 'b'] and should be ['bicycle', 'motorcycle']" in found


KNOWN = GoldenSample(b"png", "image/png", (0.9, 0.1))


def answered(body: bytes) -> list[str]:
    runtime = client("sagemaker-runtime")
    with Stubber(runtime) as stub:
        stub.add_response(
            "invoke_endpoint",
            {"Body": io.BytesIO(body)},
            {
                "EndpointName": "e",
                "Body": b"png",
                "ContentType": "image/png",
                "InferenceId": ANY,
            },
        )
        return score_differences(runtime, "e", [KNOWN])


def test_a_variant_of_several_is_asked_by_name() -> None:
    runtime = client("sagemaker-runtime")
    with Stubber(runtime) as stub:
        stub.add_response(
            "invoke_endpoint",
            {"Body": io.BytesIO(b"[0.5, 0.5]")},
            {
                "EndpointName": "e",
                "Body": b"png",
                "ContentType": "image/png",
                "InferenceId": ANY,
                "TargetVariant": "Challenger-r2",
            },
        )
        (found,) = score_differences(runtime, "e", [KNOWN], "Challenger-r2")
    assert "by e, variant Challenger-r2, and should be" in found


def test_the_same_answer_within_float32_passes() -> None:
    assert answered(b"[0.9, 0.1]") == []
    assert answered(json.dumps([0.90002, 0.09998]).encode()) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[0.8, 0.2]", "answered [0.80000, 0.20000] by e and should be [0.90000, 0.10000]"),
        (b"[0.9]", "[0.90000] by"),
        (b"[NaN, 0.1]", "[nan, 0.10000]"),
        (b'["0.9", 0.1]', "['0.9', 0.10000]"),
        (b'{"error": 1}', "{'error': 1}"),
        (b"<html>", "<html>"),
    ],
)
def test_another_answer_is_a_difference(body: bytes, message: str) -> None:
    (found,) = answered(body)
    assert "golden sample 1 of 1" in found
    assert message in found


def test_an_endpoint_that_refuses_a_known_image_is_a_difference() -> None:
    runtime = client("sagemaker-runtime")
    with Stubber(runtime) as stub:
        stub.add_client_error("invoke_endpoint", "ModelError", "status 500 from the model")
        (found,) = score_differences(runtime, "e", [KNOWN])
    assert "status 500 from the model" in found


def test_the_way_back_is_the_release_before() -> None:
    releases = dict.fromkeys(("20260101-a", "20260201-b", "20260301-c"), RELEASE)
    assert "inv rollback 20260101-a" in rollback_advice(Releases("20260201-b", releases), "dev")
    assert "inv rollback 20260301-c" in rollback_advice(Releases("20260101-a", releases), "dev")
    assert "no other release" in rollback_advice(Releases("r1", {"r1": RELEASE}), "dev")
