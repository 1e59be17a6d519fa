from collections.abc import Callable

import pytest

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.join import join

Results = Callable[..., Result]
Records = Callable[..., CapturedRecord]


def test_a_result_meets_the_record_of_its_inference_id(result: Results, record: Records) -> None:
    found = join(
        [result("a.png", "bicycle", 0.99, "id-a"), result("b.png", "bicycle", 0.6, "id-b")],
        [record("id-b", event_id="b"), record("id-a", event_id="a")],
    )

    assert [(r.key, r.record and r.record.event_id) for r in found] == [
        ("a.png", "a"),
        ("b.png", "b"),
    ]
    assert (found.without_record, found.without_result) == (0, 0)


def test_what_has_no_partner_is_counted_on_both_sides(result: Results, record: Records) -> None:
    found = join(
        [result("a.png", "bicycle", 0.99, "id-a")],
        [record("other"), record(None, event_id="1"), record(None, event_id="2")],
    )

    assert found.rows[0].record is None
    assert (found.without_record, found.without_result) == (1, 3)


def test_truth_is_found_by_bucket_and_key_or_by_key_alone(result: Results) -> None:
    results = [result("a.png", "bicycle", 0.99)]

    assert join(results, [], {("data", "a.png"): "motorcycle"}).rows[0].correct is False
    assert join(results, [], {"a.png": "bicycle"}).rows[0].correct is True
    assert join(results, [], {("other", "a.png"): "bicycle"}).rows[0].correct is None


def test_a_failed_image_has_neither_label_nor_record_and_misses_none(record: Records) -> None:
    failed: Result = {
        "image": {"bucket": "data", "key": "a.png"},
        "decision": "failed",
        "error": {"Error": "ImageNotFound", "Cause": "gone"},
    }

    found = join([failed], [record("id")], {"a.png": "bicycle"})

    assert found.rows[0].error == {"Error": "ImageNotFound", "Cause": "gone"}
    assert (found.rows[0].label, found.rows[0].correct) == (None, None)
    assert found.without_record == 0
    assert found.of("failed") == found.rows


def test_an_unknown_decision_is_an_error(result: Results) -> None:
    strange = result("a.png", "bicycle", 0.99)
    strange["decision"] = "maybe"  # type: ignore[typeddict-item]

    with pytest.raises(MonitorError, match="maybe"):
        join([strange], [])


def test_an_accepted_result_without_its_inference_is_an_error(result: Results) -> None:
    bare = result("a.png", "bicycle", 0.99)
    del bare["inference"]

    with pytest.raises(MonitorError, match="without an inference"):
        join([bare], [])
