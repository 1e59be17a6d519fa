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

from scones_core.events import INLINE_IMAGES, MAX_STATE_BYTES
from scones_lambdas import (
    classify_batch,
    classify_image,
    filter_inferences,
    record_results,
    serialize_image,
)
from tests.functional.scones_lambdas.conftest import (
    BUCKET,
    Endpoint,
    Reply,
    forget_settings,
    messages,
    picture,
    put,
)
from tests.support.definitions import rendered

EVENTS = Path(__file__).parents[2] / "events"
NAMESPACE = "scones/test"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:classify:one"
HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "serialize": serialize_image.handler,
    "classify": classify_image.handler,
    "filter": filter_inferences.handler,
    "batch": classify_batch.handler,
    "record": record_results.handler,
}


class Lambda:
    """Lambda's Invoke, as the engine calls it: JSON in, JSON out, an exception by its name."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.calls.append(FunctionName)
        context = SimpleNamespace(
            aws_request_id="request", get_remaining_time_in_millis=lambda: 120_000
        )
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
def run(wait: Callable[[Callable[[], bool]], None]) -> Run:
    client = boto3.client("stepfunctions", region_name="us-east-1")

    def execute(payload: Any) -> Any:
        machine = client.create_state_machine(
            name="classify",
            definition=fast_definition(),
            roleArn="arn:aws:iam::123456789012:role/r",
        )["stateMachineArn"]
        client.start_execution(stateMachineArn=machine, input=json.dumps(payload), name="one")
        wait(lambda: client.describe_execution(executionArn=EXECUTION)["status"] != "RUNNING")
        ended = client.describe_execution(executionArn=EXECUTION)
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])["results"]

    return execute


def fast_definition() -> str:
    """Return the definition as Terraform renders it, with little patience."""
    functions = {f"{name}_function_arn": name for name in HANDLERS}
    machine = rendered(**functions, metric_namespace=NAMESPACE, data_bucket="scones-data")
    for name, state in machine["States"].items():
        # moto's parser knows no ItemBatcher; tests/integration/test_large_runs.py runs these.
        if state["Type"] == "Map" and "ItemBatcher" in state:
            machine["States"][name] = {"Type": "Fail", "Error": "Distributed"}
    text = json.dumps(machine)
    # Of SerializeImage, the first step.
    text = re.sub(r'"TimeoutSeconds": 35\b', '"TimeoutSeconds": 2', text)
    return text.replace('"BackoffRate": 2', '"BackoffRate": 1')


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def test_every_image_ends_as_one_result_in_input_order(run: Run) -> None:
    good = [put(f"in/{n}.png", picture()) for n in range(3)]
    items = [good[0], {"bucket": BUCKET, "key": "none.png"}, good[1], "text", good[2]]
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


def test_each_failed_image_is_counted(run: Run) -> None:
    good = put("in/one.png", picture())
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


def test_low_confidence_is_a_result_and_no_failure(run: Run, world: Endpoint) -> None:
    world.reply.body = [0.45, 0.55]
    [result] = run({"images": [put("in/one.png", picture())]})
    assert result["decision"] == "review"
    assert "error" not in result


def test_a_throttled_endpoint_is_tried_again(run: Run, world: Endpoint, functions: Lambda) -> None:
    world.queue.append(Reply({"Message": "slow"}, 400, "ThrottlingException"))
    world.queue.append(Reply({"Message": "wait"}, 503, "ServiceUnavailable"))
    [result] = run({"images": [put("in/one.png", picture())]})
    assert result["decision"] == "accepted"
    assert functions.calls == ["serialize", *["classify"] * 3, "filter", "record"]
    ids = {headers["X-Amzn-SageMaker-Inference-Id"] for _, headers, _ in world.requests}
    assert ids == {result["inference"]["inference_id"]}


def test_tries_end_and_the_image_has_failed(run: Run, world: Endpoint) -> None:
    world.reply = Reply({"Message": "wait"}, 503, "ServiceUnavailable")
    [result] = run({"images": [put("in/one.png", picture())]})
    assert result["error"]["Error"] == "EndpointUnavailable"
    assert len(world.requests) == 4


def test_a_fault_of_the_image_is_not_tried_again(
    run: Run, world: Endpoint, functions: Lambda
) -> None:
    world.reply = Reply({"OriginalStatusCode": 415}, 424, "ModelError")
    [result] = run({"images": [put("in/one.png", picture())]})
    assert result["error"]["Error"] == "UnsupportedImage"
    assert functions.calls == ["serialize", "classify", "record"]


def test_what_breaks_after_the_first_step_keeps_the_checked_reference(
    run: Run, world: Endpoint
) -> None:
    world.reply.body = [3.2, -1.5]
    [result] = run({"images": [put("in/one.png", picture())]})
    assert result["error"]["Error"] == "InvalidInference"
    assert result["image"]["width"] == 32


def test_a_cause_that_is_plain_text_is_kept(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = functions.invoke

    def killed(FunctionName: str, Payload: bytes) -> dict[str, Any]:
        if FunctionName == "record":
            return recorded(FunctionName, Payload)
        return {"Payload": io.BytesIO(b'"killed"'), "FunctionError": "Unhandled"}

    monkeypatch.setattr(functions, "invoke", killed)
    [result] = run({"images": [{"bucket": "b", "key": "k"}]})
    assert result["decision"] == "failed"
    assert "killed" in result["error"]["Cause"]


def test_a_step_that_never_ends_is_a_failed_image(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Event()

    recorded = functions.invoke

    def hang(FunctionName: str, Payload: bytes) -> dict[str, Any]:
        if FunctionName == "record":
            return recorded(FunctionName, Payload)
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
def test_the_stored_events_are_taken(name: str, run: Run) -> None:
    payload = event(name)
    for key in ("images/one.png", "images/two.png"):
        put(key, picture())
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


def test_small_runs_are_recorded_and_told(run: Run) -> None:
    good = put("in/one.png", picture())
    run({"images": [good, {"bucket": "scones-data", "key": "none.png"}]})
    [event] = messages("events")
    assert event["detail"]["image"]["key"] == "in/one.png"
    assert event["detail"]["execution"] == EXECUTION
    [letter] = messages("dead-letters")
    assert (letter["item"]["key"], letter["error"]) == ("none.png", "ImageNotFound")


@pytest.mark.parametrize("classes", [2, 20, 196])
def test_no_state_of_the_longest_small_run_has_more_than_32_kb(
    classes: int, run: Run, world: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number:03d}".ljust(60, "x") for number in range(classes)]
    put("labels.json", json.dumps(names).encode())
    assigned = {name: {"bay": "A" * 60, "orders": "near", "max_km": 3} for name in names}
    put("assignments.json", json.dumps(assigned).encode())
    monkeypatch.setenv("LABELS", "s3://scones-data/labels.json")
    monkeypatch.setenv("ASSIGNMENTS", "s3://scones-data/assignments.json")
    forget_settings()
    world.reply.body = [0.9] + [0.1 / (classes - 1)] * (classes - 1)
    longest = [f"{number}/{'k' * 1000}.png" for number in range(INLINE_IMAGES)]
    good = [put(key, picture()) for key in longest[::2]]
    bad = [{"bucket": "scones-data", "key": key} for key in longest[1::2]]
    results = run({"images": [*good, *bad]})
    assert [result["decision"] for result in results] == ["accepted"] * 5 + ["failed"] * 5
    client = boto3.client("stepfunctions", region_name="us-east-1")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=EXECUTION)
    states = [
        details[name]
        for page in pages
        for event in page["events"]
        for details in event.values()
        if isinstance(details, dict)
        for name in ("input", "output", "parameters")
        if name in details
    ]
    assert len(states) > 10 * INLINE_IMAGES
    assert max(len(text.encode()) for text in states) <= MAX_STATE_BYTES
