"""A batch against moto's S3, table, bus and queues, and an endpoint on loopback."""

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from scones_core.errors import InvalidRequest
from scones_lambdas import classify_batch, clients, record_results
from scones_lambdas.classify_batch import STOP_SECONDS, handler
from tests.functional.scones_lambdas.conftest import (
    BUCKET,
    Endpoint,
    Reply,
    forget_settings,
    messages,
    picture,
    put,
    table_rows,
)

pytestmark = pytest.mark.usefixtures("world")

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:classify:large"


def batch(*images: Any, first: int = 0) -> dict[str, Any]:
    items = [{"image": image, "index": first + n} for n, image in enumerate(images)]
    return {"BatchInput": {"execution": EXECUTION, "run": "large"}, "Items": items}


def lines(place: dict[str, str]) -> list[Any]:
    body = clients.s3().get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


@pytest.fixture(autouse=True)
def own_clients(new_clients: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch's own client of the endpoint, without pauses between its tries."""
    clients.batch_runtime.cache_clear()
    monkeypatch.setattr(classify_batch.Classifier, "sleep", lambda *_: None)


def test_each_image_of_a_batch_ends_as_one_result_in_order(context: Any) -> None:
    good = [put(f"in/{n}.png", picture()) for n in range(3)]
    folder = put("in/", b"")
    answer = handler(
        batch(good[0], {"bucket": BUCKET, "key": "none.png"}, good[1], "text", folder),
        context,
    )
    assert answer["counts"] == {"accepted": 2, "review": 0, "failed": 3}
    assert answer["results"] == {
        "bucket": BUCKET,
        "key": "runs/large/results/000000000.jsonl",
    }
    results = lines(answer["results"])
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
    assert [result["decision"] for result in results] == [
        *("accepted", "failed", "accepted", "failed", "failed")
    ]
    assert "is a folder" in results[4]["error"]["Cause"]
    assert len(table_rows()) == len(messages("events")) == 2
    assert len(messages("dead-letters")) == 3


def test_a_text_that_no_encoding_has_fails_its_own_image_alone(context: Any) -> None:
    odd = {"bucket": BUCKET, "key": "half \ud800.png"}
    answer = handler(batch(put("in/one.png", picture()), odd), context)
    assert answer["counts"] == {"accepted": 1, "review": 0, "failed": 1}
    result = lines(answer["results"])[1]
    assert (result["image"], result["error"]["Error"]) == (odd, "InvalidRequest")


def test_a_repeat_changes_nothing(context: Any) -> None:
    event = batch(put("in/one.png", picture()), first=7)
    first = handler(event, context)
    rows, results = table_rows(), lines(first["results"])
    messages("events")
    assert handler(event, context) == first
    assert table_rows() == rows
    assert lines(first["results"]) == results
    assert not messages("events")


def test_a_fault_that_passes_is_tried_again_with_the_same_inference_id(
    context: Any, world: Endpoint
) -> None:
    world.queue.append(Reply({"OriginalStatusCode": 500}, 424, "ModelError"))
    world.queue.append(Reply({"OriginalStatusCode": 429}, 424, "ModelError"))
    answer = handler(batch(put("in/one.png", picture())), context)
    assert answer["counts"]["accepted"] == 1
    ids = {headers["X-Amzn-SageMaker-Inference-Id"] for _, headers, _ in world.requests}
    assert len(world.requests) == 3
    assert len(ids) == 1


def test_a_fault_that_stays_is_a_failed_image_with_its_checked_reference(
    context: Any, world: Endpoint
) -> None:
    world.reply = Reply({"OriginalStatusCode": 500}, 424, "ModelError")
    answer = handler(batch(put("in/one.png", picture())), context)
    [result] = lines(answer["results"])
    assert result["error"]["Error"] == "EndpointUnavailable"
    assert result["image"]["width"] == 32
    assert len(world.requests) == classify_batch.IMAGE_ATTEMPTS


class NoTimeLeft(LambdaContext):
    """Lambda's context, a moment after an image may be begun."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return int(STOP_SECONDS * 1000) - 1


def test_without_time_left_images_are_failed_and_not_begun(world: Endpoint) -> None:
    answer = handler(batch(put("in/one.png", picture())), NoTimeLeft())
    assert answer["counts"] == {"accepted": 0, "review": 0, "failed": 1}
    assert "time of its batch ended" in lines(answer["results"])[0]["error"]["Cause"]
    assert not world.requests


@pytest.mark.parametrize("classes", [2, 20, 196])
def test_the_answer_has_the_same_size_for_any_number_of_classes(
    classes: int, context: Any, world: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELS", json.dumps([f"{n:060d}" for n in range(classes)]))
    forget_settings()
    world.reply.body = [0.9] + [0.1 / (classes - 1)] * (classes - 1)
    image = put("in/one.png", picture())
    answer = handler(batch(*[image] * 30), context)
    assert answer["counts"]["accepted"] == 30
    assert len(json.dumps(answer)) < 200


def test_a_small_image_is_read_once(context: Any) -> None:
    image = put("in/one.png", picture())
    reads: list[str] = []
    clients.s3().meta.events.register("before-call.s3.GetObject", lambda **_: reads.append("get"))
    handler(batch(image), context)
    assert len(reads) == 1


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"BatchInput": {}, "Items": []},
        {"BatchInput": {}, "Items": [{}]},
        {"BatchInput": {"execution": "e", "run": "r"}, "Items": ["an image"]},
    ],
)
def test_an_event_of_another_form_is_refused(event: Any, context: Any) -> None:
    with pytest.raises(InvalidRequest):
        handler(event, context)


def write(key: str, *values: Any) -> dict[str, Any]:
    body = "".join(f"{json.dumps(value)}\n" for value in values).encode()
    clients.s3().put_object(Bucket="scones-data", Key=key, Body=body)
    return {"Key": key, "Size": len(body)}


def close(**files: list[Any]) -> dict[str, Any]:
    manifest = {
        "ResultFiles": {
            kind: [write(f"runs/large/map/{kind}_0.json", *values)]
            for kind, values in files.items()
        }
    }
    write("runs/large/map/manifest.json", manifest)
    place = {"Bucket": "scones-data", "Key": "runs/large/map/manifest.json"}
    return {"execution": EXECUTION, "run": "large", "map_run": place}


def test_a_large_run_is_closed_with_the_sum_of_its_batches_and_its_lost_images(
    context: Any,
) -> None:
    counts = [{"counts": {"accepted": 190, "review": 9, "failed": 1}, "results": {}}] * 3
    lost = {
        "Input": json.dumps(batch({"bucket": "b", "key": "k.png"}, first=600)),
        "Error": "Lambda.Unknown",
        "Cause": json.dumps({"errorMessage": "The worker was killed."}),
    }
    answer = record_results.handler(close(SUCCEEDED=counts, FAILED=[lost]), context)
    assert answer == {
        "counts": {"accepted": 570, "review": 27, "failed": 4},
        "results": {"bucket": "scones-data", "prefix": "runs/large/results/"},
    }
    [letter] = messages("dead-letters")
    assert letter["item"] == {"bucket": "b", "key": "k.png"}
    assert (letter["error"], letter["cause"]) == ("Lambda.Unknown", "The worker was killed.")
    place = {"bucket": "scones-data", "key": "runs/large/results/failed-000000.jsonl"}
    [result] = lines(place)
    assert (result["index"], result["decision"]) == (600, "failed")


def test_a_large_run_without_images_is_refused(context: Any) -> None:
    with pytest.raises(InvalidRequest, match="no images"):
        record_results.handler(close(SUCCEEDED=[], FAILED=[]), context)


def test_batches_are_counted_in_the_log_without_a_line_an_image(
    context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    handler(batch(*[put("in/one.png", picture())] * 120), context)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metrics = [line for line in printed if "_aws" in line]
    assert {"Accepted": 120}.items() <= metrics[0].items()
    assert [len(line["Confidence"]) for line in metrics[1:]] == [100, 20]
    assert len(printed) == 4
