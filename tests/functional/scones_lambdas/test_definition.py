"""The definition, executed by moto's engine, with the real handlers behind a fake of Lambda."""

import io
import json
import re
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

from scones_lambdas import classify_image, filter_inferences, serialize_image

EVENTS = Path(__file__).parents[2] / "events"
DEFINITION = Path(__file__).parents[3] / "terraform/definitions/classify.asl.json"
NAMESPACE = "scones/test"
HANDLERS = {
    "serialize": serialize_image.handler,
    "classify": classify_image.handler,
    "filter": filter_inferences.handler,
}


class Lambda:
    """Lambda's Invoke, as the engine calls it: JSON in, JSON out, an exception by its name."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.calls.append(FunctionName)
        context = SimpleNamespace(aws_request_id="request")
        try:
            result: Any = HANDLERS[FunctionName](json.loads(Payload), context)
            fault = {}
        except Exception as error:
            result = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": "request",
                "stackTrace": traceback.format_exc().splitlines(),
            }
            fault = {"FunctionError": "Unhandled"}
        body = json.dumps(result, allow_nan=False).encode()
        return {"StatusCode": 200, "Payload": io.BytesIO(body), **fault}


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    fake = Lambda()
    monkeypatch.setattr(lambda_eval_utils, "boto_client_for", lambda **_: fake)
    return fake


Run = Callable[[Any], Any]


pytestmark = pytest.mark.usefixtures("world", "functions")


@pytest.fixture
def run(wait: Any) -> Run:
    client = boto3.client("stepfunctions", region_name="us-east-1")

    def execute(payload: Any) -> Any:
        machine = client.create_state_machine(
            name="classify",
            definition=fast_definition(),
            roleArn="arn:aws:iam::123456789012:role/r",
        )["stateMachineArn"]
        arn = client.start_execution(
            stateMachineArn=machine, input=json.dumps(payload), name="one"
        )["executionArn"]
        wait(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
        ended = client.describe_execution(executionArn=arn)
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])["results"]

    return execute


def fast_definition() -> str:
    """Return the definition as Terraform renders it, with little patience."""
    text = DEFINITION.read_text(encoding="utf-8")
    for name in HANDLERS:
        text = text.replace(f"${{{name}_function_arn}}", name)
    text = text.replace("${metric_namespace}", NAMESPACE)
    # Of SerializeImage, the first step.
    text = re.sub(r'"TimeoutSeconds": 35\b', '"TimeoutSeconds": 2', text)
    return text.replace('"BackoffRate": 2', '"BackoffRate": 1')


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def test_every_image_ends_as_one_result_in_input_order(run: Run, helpers: Any) -> None:
    good = [helpers.put(f"in/{n}.png", helpers.picture()) for n in range(3)]
    items = [good[0], {"bucket": helpers.BUCKET, "key": "none.png"}, good[1], "text", good[2]]
    results = run({"images": items})
    assert [r["decision"] for r in results] == [
        "accepted",
        "failed",
        "accepted",
        "failed",
        "accepted",
    ]
    assert [r["image"].get("key") for r in results if r["decision"] == "accepted"] == [
        image["key"] for image in good
    ]
    assert results[1]["image"] == items[1]
    assert results[3]["image"] == "text"


def counted_failures() -> float:
    metrics = boto3.client("cloudwatch", region_name="us-east-1")
    now = datetime.now(UTC)
    points = metrics.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Failed",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


def test_each_failed_image_is_counted(run: Run, helpers: Any) -> None:
    good = helpers.put("in/one.png", helpers.picture())
    bad = [{"bucket": "scones-data", "key": f"none-{n}.png"} for n in range(3)]
    assert len(run({"images": [*bad, good]})) == 4
    assert counted_failures() == 3


def test_a_failure_has_the_exception_s_name_and_sentence_without_its_stack(run: Run) -> None:
    [result] = run({"images": [{"bucket": "scones-data", "key": "none.png"}]})
    assert result["error"] == {
        "Error": "ImageNotFound",
        "Cause": "There is no object s3://scones-data/none.png. Check the bucket and the key.",
    }
    assert set(result) == {"image", "decision", "error"}


def test_low_confidence_is_a_result_and_no_failure(run: Run, world: Any, helpers: Any) -> None:
    world.reply.body = [0.45, 0.55]
    [result] = run({"images": [helpers.put("in/one.png", helpers.picture())]})
    assert result["decision"] == "review"
    assert "error" not in result


def test_a_throttled_endpoint_is_tried_again(
    run: Run, world: Any, functions: Lambda, helpers: Any
) -> None:
    world.queue.append(helpers.Reply({"Message": "slow"}, 400, "ThrottlingException"))
    world.queue.append(helpers.Reply({"Message": "wait"}, 503, "ServiceUnavailable"))
    [result] = run({"images": [helpers.put("in/one.png", helpers.picture())]})
    assert result["decision"] == "accepted"
    assert functions.calls == ["serialize", *["classify"] * 3, "filter"]
    ids = {headers["X-Amzn-SageMaker-Inference-Id"] for _, headers, _ in world.requests}
    assert ids == {result["inference"]["inference_id"]}


def test_tries_end_and_the_image_has_failed(run: Run, world: Any, helpers: Any) -> None:
    world.reply = helpers.Reply({"Message": "wait"}, 503, "ServiceUnavailable")
    [result] = run({"images": [helpers.put("in/one.png", helpers.picture())]})
    assert result["error"]["Error"] == "EndpointUnavailable"
    assert len(world.requests) == 4


def test_a_fault_of_the_image_is_not_tried_again(
    run: Run, world: Any, functions: Lambda, helpers: Any
) -> None:
    world.reply = helpers.Reply({"OriginalStatusCode": 415}, 424, "ModelError")
    [result] = run({"images": [helpers.put("in/one.png", helpers.picture())]})
    assert result["error"]["Error"] == "UnsupportedImage"
    assert functions.calls == ["serialize", "classify"]


def test_what_breaks_after_the_first_step_keeps_the_checked_reference(
    run: Run, world: Any, helpers: Any
) -> None:
    world.reply.body = [3.2, -1.5]
    [result] = run({"images": [helpers.put("in/one.png", helpers.picture())]})
    assert result["error"]["Error"] == "InvalidInference"
    assert result["image"]["width"] == 32


def test_a_cause_that_is_plain_text_is_kept(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(**_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(b'"killed"'), "FunctionError": "Unhandled"}

    monkeypatch.setattr(functions, "invoke", killed)
    [result] = run({"images": [{"bucket": "b", "key": "k"}]})
    assert result["decision"] == "failed"
    assert "killed" in result["error"]["Cause"]


def test_a_step_that_never_ends_is_a_failed_image(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Event()

    def hang(**_: Any) -> dict[str, Any]:
        ended.wait(timeout=10)
        return {"Payload": io.BytesIO(b"{}")}

    monkeypatch.setattr(functions, "invoke", hang)
    try:
        [result] = run({"images": [{"bucket": "b", "key": "k"}]})
    finally:
        ended.set()
    assert result["error"]["Error"] == "States.Timeout"
    assert isinstance(result["error"]["Cause"], str)


@pytest.mark.parametrize("name", ["single_image", "older_single_image", "images"])
def test_the_stored_events_are_taken(name: str, run: Run, helpers: Any) -> None:
    payload = event(name)
    for key in ("images/one.png", "images/two.png"):
        helpers.put(key, helpers.picture())
    assert {result["decision"] for result in run(payload)} == {"accepted"}


@pytest.mark.parametrize(
    "payload",
    [{}, {"images": None}, {"images": "a"}, {"images": 7}, {"image": {}}, ["a"], "a"],
)
def test_an_input_that_names_no_image_is_one_failed_result(payload: Any, run: Run) -> None:
    [result] = run(payload)
    assert result["image"] == payload
    assert result["decision"] == "failed"
    assert result["error"]["Error"] == "InvalidRequest"


def test_no_images_are_no_results(run: Run) -> None:
    assert run({"images": []}) == []


def test_a_full_batch_of_results_fits_into_a_state(run: Run, helpers: Any) -> None:
    key = f"dataset/20261120-5f1c7a52/test/motorcycle/{'a' * 16}.png"
    [result] = run({"images": [helpers.put(key, helpers.picture())]})
    assert 400 * (len(json.dumps(result, separators=(",", ":"))) + 1) < 262_144
