"""Endpoints of the embedded AWS, made, changed and asked as a user does."""

import json
import threading

import pytest
from botocore.exceptions import ClientError
from integration.sagemaker.conftest import Sagemaker

BUCKET = "sagemaker-tests"


@pytest.fixture(scope="module")
def shop(sm: Sagemaker) -> str:
    """Return the name of an endpoint in service."""
    sm.model("shop")
    assert sm.endpoint("shop", "shop")["EndpointStatus"] == "InService"
    return "shop"


def test_a_body_that_is_no_text_comes_to_the_container_with_its_headers(
    sm: Sagemaker, shop: str
) -> None:
    answer = sm.invoke(shop, b"\x89PNG\xff\x00", ContentType="image/png")
    assert answer["Body"] == b"[0.9, 0.1]"
    assert (answer["InvokedProductionVariant"], answer["ContentType"]) == (
        "AllTraffic",
        "application/json",
    )

    echoed = sm.invoke(
        shop, b"echo", ContentType="image/png", Accept="application/json", CustomAttributes="a=1"
    )
    headers = json.loads(echoed["Body"])
    assert headers["Content-Type"] == "image/png"
    assert headers["Accept"] == "application/json"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "a=1"
    assert echoed["CustomAttributes"] == "a=1"


def test_custom_attributes_over_1024_characters_are_refused(sm: Sagemaker, shop: str) -> None:
    assert sm.invoke(shop, b"x", CustomAttributes="a" * 1024)["CustomAttributes"] == "a" * 1024
    with pytest.raises(ClientError) as caught:
        sm.invoke(shop, b"x", CustomAttributes="a" * 1025)
    error = caught.value.response["Error"]
    assert (error["Code"], "customAttributes" in error["Message"]) == ("ValidationError", True)


def test_a_container_that_answers_too_much_is_a_model_error(sm: Sagemaker, shop: str) -> None:
    with pytest.raises(ClientError) as caught:
        sm.invoke(shop, b"bytes 6291557")
    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert "6,291,556 bytes" in caught.value.response["Error"]["Message"]


def test_a_program_gets_its_own_environment_only(sm: Sagemaker, shop: str) -> None:
    environment = json.loads(sm.invoke(shop, b"environment")["Body"])

    assert environment["FROM_IMAGE"] == "yes"
    assert environment["AWS_ENDPOINT_URL"] == sm.aws.endpoint_url
    assert "PYTHONPATH" not in environment
    assert "MOTO_PORT" not in environment


@pytest.mark.parametrize(("status", "kind"), [(400, "client"), (503, "server")])
def test_a_refusing_container_is_a_model_error(
    sm: Sagemaker, shop: str, status: int, kind: str
) -> None:
    with pytest.raises(ClientError) as caught:
        sm.invoke(shop, f"status {status}".encode())

    answer = caught.value.response
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert f"Received {kind} error ({status}) from primary" in answer["Error"]["Message"]
    assert answer["OriginalStatusCode"] == status  # type: ignore[typeddict-item]
    assert answer["OriginalMessage"] == "refused by the model"  # type: ignore[typeddict-item]
    assert answer["LogStreamArn"].endswith(f"/aws/sagemaker/Endpoints/{shop}")  # type: ignore[typeddict-item]


def test_unknown_endpoints_variants_and_large_bodies_are_validation_errors(
    sm: Sagemaker, shop: str
) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*Endpoint no of account 1234567"):
        sm.invoke("no")
    with pytest.raises(ClientError, match=r"ValidationError.*'Other'"):
        sm.invoke(shop, TargetVariant="Other")
    with pytest.raises(ClientError, match=r"ValidationError.*less than or equal to 6291456"):
        sm.invoke(shop, b"x" * 6_291_457)
    assert sm.invoke(shop, b"x" * 6_291_456)["Body"] == b"[0.9, 0.1]"


def test_answers_are_captured_and_refusals_are_not(sm: Sagemaker) -> None:
    sm.model("captured")
    sm.endpoint("captured", "captured")
    sm.invoke("captured", b"\x89PNG", ContentType="image/png", InferenceId="id-1")
    with pytest.raises(ClientError):
        sm.invoke("captured", b"status 500", ContentType="image/png", InferenceId="id-2")

    # Deleting the endpoint also writes what is still buffered.
    sm.client("sagemaker").delete_endpoint(EndpointName="captured")
    files = sm.until(lambda: sm.objects("captured/captured/AllTraffic/"))

    records = [json.loads(line) for body in files.values() for line in body.splitlines()]
    assert [r["eventMetadata"]["inferenceId"] for r in records] == ["id-1"]
    assert records[0]["captureData"]["endpointOutput"]["data"] == "[0.9, 0.1]"


def test_output_and_metrics_of_an_endpoint_are_in_cloudwatch(sm: Sagemaker, shop: str) -> None:
    sm.invoke(shop)

    assert "listening" in sm.log_lines(f"/aws/sagemaker/Endpoints/{shop}")
    metrics = sm.until(
        lambda: sm.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    )
    assert {m["MetricName"] for m in metrics} >= {"Invocations", "ModelLatency"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken-program", "the weights cannot be read"),
        ("no-artifact", f"Could not find model data at s3://{BUCKET}/none/model.tar.gz"),
        ("no-archive", "cannot be unpacked"),
        ("no-program", "images.json"),
    ],
)
def test_an_endpoint_that_cannot_serve_fails_with_a_reason(
    sm: Sagemaker, name: str, message: str
) -> None:
    if name == "broken-program":
        sm.model(name, FAIL="1")
    elif name == "no-artifact":
        sm.configuration(name, f"s3://{BUCKET}/none/model.tar.gz")
    elif name == "no-archive":
        sm.configuration(name, f"s3://{BUCKET}/dataset/train/bicycle/a.png")
    else:
        sm.model(name, image="unknown:1")

    endpoint = sm.endpoint(name, name)

    assert endpoint["EndpointStatus"] == "Failed"
    assert message in endpoint["FailureReason"]
    with pytest.raises(ClientError, match="not found"):
        sm.invoke(name)
    with pytest.raises(ClientError, match="in status Failed"):
        sm.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=name)


def test_an_update_drops_no_request_and_a_failed_one_keeps_the_old(sm: Sagemaker) -> None:
    sm.model("blue", answer="blue")
    sm.model("green", answer="green")
    sm.model("broken", FAIL="1")
    sm.endpoint("live", "blue")
    sagemaker, runtime = sm.client("sagemaker"), sm.client("sagemaker-runtime")
    stop, answers, failures = threading.Event(), list[bytes](), list[Exception]()

    def ask() -> None:
        while not stop.is_set():
            try:
                answer = runtime.invoke_endpoint(EndpointName="live", Body=b"sleep 0.02")
                answers.append(answer["Body"].read())
            except Exception as error:
                failures.append(error)

    load = [threading.Thread(target=ask) for _ in range(3)]
    for thread in load:
        thread.start()
    deployment = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        }
    }
    sagemaker.update_endpoint(
        EndpointName="live", EndpointConfigName="green", DeploymentConfig=deployment
    )
    updated = sm.settled("live")
    sm.until(lambda: answers[-1:] == [b"green"])
    sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="broken")
    rolled_back = sm.settled("live")
    sm.until(lambda: answers[-1:] == [b"green"])
    stop.set()
    for thread in load:
        thread.join()

    assert failures == []
    assert set(answers) == {b"blue", b"green"}
    assert updated["EndpointConfigName"] == "green"
    assert updated["LastDeploymentConfig"] == deployment
    assert rolled_back["EndpointStatus"] == "InService"
    assert rolled_back["EndpointConfigName"] == "green"
    assert "the weights cannot be read" in rolled_back["FailureReason"]
    sagemaker.delete_endpoint(EndpointName="live")
    sm.until(lambda: not list((sm.aws.home / "endpoints" / "live").iterdir()))


def test_an_alarm_of_the_deployment_rolls_it_back(sm: Sagemaker, shop: str) -> None:
    cloudwatch = sm.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
        Threshold=5,
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    sm.model("alarmed")
    sm.client("sagemaker").update_endpoint(
        EndpointName=shop,
        EndpointConfigName="alarmed",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
        },
    )
    endpoint = sm.settled(shop)

    assert endpoint["EndpointConfigName"] == "shop"
    assert "errors in state ALARM" in endpoint["FailureReason"]
    assert sm.invoke(shop)["Body"] == b"[0.9, 0.1]"


def test_weights_move_the_requests(sm: Sagemaker) -> None:
    sm.model("left", answer="left")
    sm.model("right", answer="right")
    sagemaker = sm.client("sagemaker")
    sagemaker.create_endpoint_config(
        EndpointConfigName="two",
        ProductionVariants=[
            {
                "VariantName": name,
                "ModelName": name,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": weight,
            }
            for name, weight in (("left", 1.0), ("right", 0.0))
        ],
    )
    sm.endpoint("two", "two")
    assert {sm.invoke("two")["Body"] for _ in range(10)} == {b"left"}
    assert sm.invoke("two", TargetVariant="right")["Body"] == b"right"

    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="two",
        DesiredWeightsAndCapacities=[
            {"VariantName": "left", "DesiredWeight": 0},
            {"VariantName": "right", "DesiredWeight": 1},
        ],
    )

    assert {sm.invoke("two")["Body"] for _ in range(10)} == {b"right"}
    variants = sm.settled("two")["ProductionVariants"]
    assert [v["CurrentInstanceCount"] for v in variants] == [1, 1]


def test_names_are_used_once(sm: Sagemaker, shop: str) -> None:
    sagemaker = sm.client("sagemaker")

    with pytest.raises(ClientError, match="already existing endpoint "):
        sagemaker.create_endpoint(EndpointName=shop, EndpointConfigName=shop)
    with pytest.raises(ClientError, match="already existing model"):
        sm.configuration(shop, f"s3://{BUCKET}/x")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.create_endpoint(EndpointName="new", EndpointConfigName="none")
