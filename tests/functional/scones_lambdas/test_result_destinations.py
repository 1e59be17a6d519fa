"""Rows, events and messages, against moto's table, bus and queues."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from scones_core.errors import InvalidRequest, MessageNotSent
from scones_core.events import Result, event_id
from scones_lambdas import clients, result_destinations
from scones_lambdas.environment import RecordEnvironment
from scones_lambdas.record_results import handler
from scones_lambdas.result_destinations import Recorder
from tests.functional.scones_lambdas.conftest import messages, table_rows

pytestmark = pytest.mark.usefixtures("world")

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:classify:one"
# Records results, and returns them as the function answers.
Record = Callable[..., list[Result]]
ASSIGNMENT = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3.5}


def result(key: str, decision: str = "accepted", release: str = "r1", **image: str) -> Any:
    confidence = 0.98 if decision == "accepted" else 0.61
    found: dict[str, Any] = {
        "image": {"bucket": "b", "key": key, "etag": '"e"', "version": "v1", **image},
        "inference": {
            "label": "bicycle",
            "confidence": confidence,
            "probabilities": {"bicycle": confidence},
            "inference_id": "a" * 32,
            "variant": "main",
        },
        "threshold": 0.7,
        "release": release,
        "decision": decision,
    }
    return {**found, "assignment": ASSIGNMENT} if decision == "accepted" else found


def failure(key: str) -> Any:
    error = {"Error": "ImageNotFound", "Cause": "There is no object."}
    return {"image": {"bucket": "b", "key": key}, "decision": "failed", "error": error}


@pytest.fixture
def record(context: Any) -> Record:
    def run(*results: Any) -> list[Result]:
        event = {"execution": EXECUTION, "results": list(results)}
        answer: list[Result] = handler(event, context)["results"]
        return answer

    return run


def test_an_accepted_image_has_a_row_and_an_event(record: Record) -> None:
    given = result("a b.png")
    assert record(given) == [given]
    [row] = table_rows()
    assert (row["image"], row["release"]) == ("s3://b/a b.png#v1", "r1")
    assert (row["bay"], row["orders"], row["max_km"]) == ("A", "near", "3.5")
    assert (row["label"], row["confidence"], row["decision"]) == ("bicycle", "0.98", "accepted")
    assert row["notified_at"]
    [event] = messages("events")
    assert (event["source"], event["detail-type"]) == ("scones.workflow", "VehicleClassified")
    assert event["detail"] == {
        "schema_version": "1",
        "event_id": event_id(given["image"], "r1"),
        "image": {"bucket": "b", "key": "a b.png", "etag": '"e"', "version": "v1"},
        "release": "r1",
        "execution": EXECUTION,
        "label": "bicycle",
        "confidence": 0.98,
        "assignment": ASSIGNMENT,
    }


def test_recording_twice_changes_nothing(record: Record) -> None:
    given = [result("a.png"), result("b.png", "review")]
    record(*given)
    rows = table_rows()
    messages("events")
    messages("review")
    assert record(*given) == given
    assert table_rows() == rows
    assert not messages("events") + messages("review")


def test_a_newer_release_s_answer_and_another_version_stand_next_to_the_older(
    record: Record,
) -> None:
    record(result("a.png"), result("a.png", release="r2"), result("a.png", version="v2"))
    keys = {(row["image"], row["release"]) for row in table_rows()}
    assert keys == {
        ("s3://b/a.png#v1", "r1"),
        ("s3://b/a.png#v1", "r2"),
        ("s3://b/a.png#v2", "r1"),
    }
    assert len({event["detail"]["event_id"] for event in messages("events")}) == 3


def test_without_versions_the_etag_names_the_image_s_version(record: Record) -> None:
    given = result("a.png")
    del given["image"]["version"]
    record(given)
    assert table_rows()[0]["image"] == 's3://b/a.png#"e"'


def test_an_image_below_the_threshold_goes_to_review_with_reason_and_reference(
    record: Record,
) -> None:
    record(result("a.png", "review"))
    [message] = messages("review")
    assert message["image"]["key"] == "a.png"
    assert (message["label"], message["confidence"], message["threshold"]) == ("bicycle", 0.61, 0.7)
    assert message["inference_id"] == "a" * 32
    assert message["reason"] == (
        "The confidence 0.6100 that it is a bicycle is below the threshold 0.7."
    )
    assert not messages("events")


def test_a_failed_image_is_a_dead_letter_with_its_cause_and_no_row(record: Record) -> None:
    record(failure("gone.png"), {**failure("x"), "image": "no image"})
    letters = messages("dead-letters")
    assert {(str(one["item"]), one["error"]) for one in letters} == {
        ("{'bucket': 'b', 'key': 'gone.png'}", "ImageNotFound"),
        ("no image", "ImageNotFound"),
    }
    assert all(one["cause"] and one["execution"] == EXECUTION for one in letters)
    assert not table_rows()


def test_a_row_without_its_mark_is_told_again_and_with_the_first_answer(record: Record) -> None:
    record(result("a.png"))
    key = {"image": {"S": "s3://b/a.png#v1"}, "release": {"S": "r1"}}
    clients.dynamodb().update_item(
        TableName="assignments", Key=key, UpdateExpression="REMOVE notified_at"
    )
    [first] = messages("events")
    again = result("a.png")
    again["inference"]["confidence"] = 0.99
    record(again)
    [second] = messages("events")
    assert second["detail"] == first["detail"]
    assert table_rows()[0]["notified_at"]


def test_an_image_that_comes_twice_in_a_list_is_told_once(record: Record) -> None:
    given = [result("a.png"), result("b.png", "review"), result("a.png"), result("b.png", "review")]
    assert record(*given) == given
    assert len(messages("events")) == len(messages("review")) == 1


def test_each_repeat_of_an_image_that_cannot_be_told_is_failed(record: Record) -> None:
    clients.dynamodb().delete_table(TableName="assignments")
    ended = record(result("a.png"), result("a.png"))
    assert [one["error"]["Error"] for one in ended] == ["RecordNotWritten"] * 2
    assert len(messages("dead-letters")) == 2


def test_a_mark_that_another_call_is_about_to_write_is_waited_for(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(result("a.png"))
    messages("events")
    key = {"image": {"S": "s3://b/a.png#v1"}, "release": {"S": "r1"}}
    table = clients.dynamodb()
    table.update_item(TableName="assignments", Key=key, UpdateExpression="REMOVE notified_at")

    def marked(_: float) -> None:
        table.update_item(
            TableName="assignments",
            Key=key,
            UpdateExpression="SET notified_at = :now",
            ExpressionAttributeValues={":now": {"S": "now"}},
        )

    monkeypatch.setattr(result_destinations, "MARK_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("time.sleep", marked)
    assert record(result("a.png"))[0]["decision"] == "accepted"
    assert not messages("events")


def test_results_keep_their_order_and_their_index(record: Record) -> None:
    kinds = itertools.cycle(("accepted", "review", "failed"))
    given = [
        {**(failure(f"{n}") if kind == "failed" else result(f"{n}", kind)), "index": n}
        for n, kind in zip(range(35), kinds, strict=False)
    ]
    assert record(*given) == given


def test_a_bus_that_is_gone_is_a_counted_failure_with_its_cause(record: Record) -> None:
    events = clients.events()
    events.remove_targets(Rule="all", EventBusName="scones", Ids=["q"])
    events.delete_rule(Name="all", EventBusName="scones")
    events.delete_event_bus(Name="scones")
    [ended] = record(result("a.png"))
    assert ended["decision"] == "failed"
    assert ended["error"]["Error"] == "MessageNotSent"
    assert "scones" in ended["error"]["Cause"]
    assert set(ended) == {"image", "decision", "error"}
    assert messages("dead-letters")[0]["item"]["key"] == "a.png"
    assert "notified_at" not in table_rows()[0]


def test_a_table_that_is_gone_is_a_counted_failure_and_tells_nobody(record: Record) -> None:
    clients.dynamodb().delete_table(TableName="assignments")
    [one, two] = record(result("a.png"), failure("b.png"))
    assert one["error"]["Error"] == "RecordNotWritten"
    assert two["error"]["Error"] == "ImageNotFound"
    assert not messages("events")


def test_a_queue_gets_only_characters_that_it_takes(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key of S3 may have these two; SQS refuses all messages of a call with them.
    keys = ["a\ufffe.png", "b\uffff.png", "vélo 🚲\x7f\x01.png"]
    sent: list[str] = []

    def taken(params: dict[str, Any], **_: Any) -> None:
        sent.extend(entry["MessageBody"] for entry in params["Entries"])

    clients.sqs().meta.events.register("provide-client-params.sqs.SendMessageBatch", taken)
    ended = record(
        *(result(key, "review") for key in keys), *map(failure, [*keys, "half \ud800.png"])
    )
    assert [one["decision"] for one in ended] == ["review"] * 3 + ["failed"] * 4
    refused = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
    assert len(sent) == 7
    assert [text for text in sent if refused.search(text)] == []
    assert [letter["image"]["key"] for letter in messages("review")] == keys
    assert [letter["item"]["key"] for letter in messages("dead-letters")] == [
        *keys,
        "half \ud800.png",
    ]


def test_without_a_dead_letter_queue_the_call_fails(record: Record) -> None:
    url = clients.sqs().get_queue_url(QueueName="dead-letters")["QueueUrl"]
    clients.sqs().delete_queue(QueueUrl=url)
    with pytest.raises(MessageNotSent, match="dead letters"):
        record(failure("a.png"))


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


def test_entries_that_the_bus_did_not_take_are_sent_again() -> None:
    settings = RecordEnvironment("t", "bus", "arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:d", "b", 1)
    table, bus, queues = client("dynamodb"), client("events"), client("sqs")
    with Stubber(table) as rows, Stubber(bus) as events:
        rows.add_response("batch_execute_statement", {"Responses": [{}, {}]})
        busy = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}
        events.add_response("put_events", {"Entries": [{"EventId": "1"}, busy]}, {"Entries": ANY})
        events.add_response("put_events", {"Entries": [{"EventId": "2"}]}, {"Entries": ANY})
        rows.add_response("batch_execute_statement", {"Responses": [{}, {}]})
        ended = Recorder(settings, table, bus, queues).record(
            [result("a.png"), result("b.png")], EXECUTION
        )
        assert [one["decision"] for one in ended] == ["accepted", "accepted"]
        events.assert_no_pending_responses()
        rows.assert_no_pending_responses()


def test_a_table_that_throttles_for_too_long_is_a_counted_failure(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = client("dynamodb")
    stub = Stubber(throttled)
    for _ in range(result_destinations.THROTTLED_ATTEMPTS):
        code = "ProvisionedThroughputExceededException"
        stub.add_client_error("batch_execute_statement", code, "slow down")
    monkeypatch.setattr(result_destinations, "THROTTLED_PAUSE_SECONDS", 0.0)
    stub.activate()
    monkeypatch.setattr(clients, "dynamodb", lambda: throttled)
    [ended] = record(result("a.png"))
    assert ended["error"]["Error"] == "RecordNotWritten"
    assert "slow down" in ended["error"]["Cause"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"execution": 1},
        {"execution": "e"},
        {"execution": "e", "results": [{}]},
        {"execution": "e", "results": [{"image": {}, "decision": "accepted"}]},
    ],
)
def test_an_event_of_another_form_is_refused(event: Any, context: Any) -> None:
    with pytest.raises(InvalidRequest):
        handler(event, context)


def test_a_usual_row_with_its_mark_is_one_write_unit(record: Record) -> None:
    given = result("dataset/20261120-5f1c7a52/test/motorcycle/0123456789abcdef.png")
    given["image"] |= {"bucket": "scones-dev-data-123456789012", "version": "v" * 32}
    given["image"]["etag"] = f'"{"e" * 32}"'
    given["release"] = "20261129-074748-679c"
    record(given)
    [row] = table_rows()
    assert row["notified_at"]
    assert sum(len(name) + len(value) for name, value in row.items()) < 1_024


def test_no_image_s_bytes_are_in_a_row_or_a_message(record: Record) -> None:
    record(result("a.png"), result("b.png", "review"))
    texts = json.dumps([table_rows(), messages("events"), messages("review")])
    assert len(texts) < 6_000


KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "string": (str,),
    "number": (int, float),
    "null": (type(None),),
}


def violations(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Yield how a value differs from a JSON Schema, by the keywords that the event's has."""
    kinds = schema.get("type", [])
    allowed = [
        kind for name in ([kinds] if isinstance(kinds, str) else kinds) for kind in KINDS[name]
    ]
    if allowed and not isinstance(value, tuple(allowed)):
        yield f"{value!r} is no {kinds}"
        return
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{value!r} is not allowed"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{value!r} is not of the pattern"
    if isinstance(value, float | int) and not schema.get("minimum", value) <= value <= schema.get(
        "maximum", value
    ):
        yield f"{value!r} is out of range"
    if isinstance(value, dict):
        yield from (
            f"{name} is missing" for name in schema.get("required", ()) if name not in value
        )
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from violations(value[name], inner)


SCHEMA = Path(__file__).parents[3] / "docs/schemas/vehicle-classified.json"


def test_an_event_has_the_documented_form(record: Record) -> None:
    without = result("b.png")
    del without["assignment"]
    record(result("a.png"), without)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for event in messages("events"):
        assert set(event["detail"]) == set(schema["properties"])
        assert list(violations(event["detail"], schema)) == []


def test_the_schema_tells_another_form_apart(record: Record) -> None:
    record(result("a.png"))
    [event] = messages("events")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for change in (
        {"event_id": "x"},
        {"schema_version": "2"},
        {"confidence": 2},
        {"image": {"bucket": "b"}},
        {"assignment": {**ASSIGNMENT, "orders": "everywhere"}},
    ):
        assert list(violations({**event["detail"], **change}, schema)), change


def answering(*batches: list[str]) -> tuple[Any, Stubber]:
    """Return a client of the table that answers these codes, one list a call; "" is no error."""
    table = client("dynamodb")
    stub = Stubber(table)
    for codes in batches:
        errors = [{"Error": {"Code": code, "Message": "why"}} if code else {} for code in codes]
        stub.add_response("batch_execute_statement", {"Responses": errors})
    stub.activate()
    return table, stub


def test_rows_that_are_throttled_alone_are_written_again_alone(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, stub = answering(["ThrottlingError", "", "ThrottlingError"], ["", "ThrottlingError"])
    for codes in ([""], ["", "", ""]):  # the last row, then all marks
        errors: list[dict[str, str]] = [{} for _ in codes]
        stub.add_response("batch_execute_statement", {"Responses": errors})
    monkeypatch.setattr(clients, "dynamodb", lambda: table)
    monkeypatch.setattr(result_destinations, "THROTTLED_PAUSE_SECONDS", 0.0)
    given = [result(f"{n}.png") for n in range(3)]
    assert record(*given) == given
    stub.assert_no_pending_responses()
    assert len(messages("events")) == 3


def test_a_row_that_the_table_refuses_is_the_only_failure_of_its_call(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = answering(["", "ValidationError"], [""])
    monkeypatch.setattr(clients, "dynamodb", lambda: table)
    sound, refused = record(result("a.png"), result("b.png"))
    assert sound["decision"] == "accepted"
    assert refused["error"]["Error"] == "RecordNotWritten"
    assert "ValidationError: why" in refused["error"]["Cause"]
    assert [event["detail"]["image"]["key"] for event in messages("events")] == ["a.png"]


def test_more_rows_than_one_call_takes_are_all_written_and_marked(record: Record) -> None:
    given = [result(f"{n}.png", "review" if n % 3 else "accepted") for n in range(60)]
    assert record(*given) == given
    assert len(table_rows()) == 60
    assert all(row["notified_at"] for row in table_rows())


def test_rows_whose_answer_was_lost_are_told_without_waiting_for_a_mark(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = clients.dynamodb()
    execute = table.batch_execute_statement

    def answer_late(**given: Any) -> Any:
        execute(**given)
        return execute(**given)

    monkeypatch.setattr(table, "batch_execute_statement", answer_late)
    monkeypatch.setattr(result_destinations, "MARK_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waited"))
    given = [result("a.png"), result("b.png", "review")]
    assert record(*given) == given
    assert len(messages("events")) == len(messages("review")) == 1
    assert all(row["notified_at"] for row in table_rows())


def test_a_table_and_a_bus_that_throttle_a_whole_call_are_asked_again(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, bus = client("dynamodb"), client("events")
    rows, events = Stubber(table), Stubber(bus)
    rows.add_client_error("batch_execute_statement", "ThrottlingException", "slow down")
    rows.add_response("batch_execute_statement", {"Responses": [{}]})
    rows.add_response("batch_execute_statement", {"Responses": [{}]})
    events.add_client_error("put_events", "ThrottlingException", "slow down")
    events.add_response("put_events", {"Entries": [{"EventId": "1"}]})
    for stub in (rows, events):
        stub.activate()
    monkeypatch.setattr(clients, "dynamodb", lambda: table)
    monkeypatch.setattr(clients, "events", lambda: bus)
    monkeypatch.setattr(result_destinations, "THROTTLED_PAUSE_SECONDS", 0.0)
    assert [one["decision"] for one in record(result("a.png"))] == ["accepted"]
    for stub in (rows, events):
        stub.assert_no_pending_responses()
