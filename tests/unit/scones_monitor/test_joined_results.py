import json
from collections.abc import Callable

from scones_core.events import Result
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.joined_results import cause_text, join

Results = Callable[..., Result]
Records = Callable[..., CapturedRecord]


def test_a_result_meets_the_record_of_its_inference_id(result: Results, record: Records) -> None:
    failed: Result = {
        "image": {"bucket": "data", "key": "a.png"},
        "decision": "failed",
        "error": {"Error": "ImageNotFound", "Cause": "gone"},
    }
    results = [
        result("a.png", "bicycle", 0.99, "id-a"),
        result("b.png", "bicycle", 0.6, "id-b"),
        result("c.png", "bicycle", 0.6, "not captured"),
        failed,
    ]

    found = join(
        results, [record("id-b", event_id="b"), record("id-a", event_id="a"), record(None)]
    )

    assert [(row.key, row.record.event_id) for row in found] == [("a.png", "a"), ("b.png", "b")]


def test_the_cause_of_a_lambda_error_is_its_message_and_any_other_is_itself() -> None:
    assert cause_text(json.dumps({"errorMessage": "gone", "errorType": "E"})) == "gone"
    assert cause_text(json.dumps({"ExitMessage": "", "FailureReason": "no access"})) == "no access"
    assert [cause_text(text) for text in ("gone", "[1]", "{")] == ["gone", "[1]", "{"]
