from collections.abc import Callable

import pytest

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_monitor.join import from_records, join
from scones_monitor.records import CapturedRecord

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


def test_records_alone_are_decided_at_the_threshold(record: Records) -> None:
    found = from_records(
        [record(None, probabilities=p) for p in [(0.97, 0.03), (0.031, 0.969)]],
        ("bicycle", "motorcycle"),
        0.97,
    )

    assert [(r.label, r.confidence, r.decision) for r in found] == [
        ("bicycle", 0.97, "accepted"),
        ("motorcycle", 0.969, "review"),
    ]


def test_records_of_another_number_of_classes_are_refused(record: Records) -> None:
    with pytest.raises(MonitorError, match="3 labels"):
        from_records([record(None)], ("a", "b", "c"), 0.9)


def test_an_accepted_result_without_its_inference_is_an_error(result: Results) -> None:
    bare = result("a.png", "bicycle", 0.99)
    del bare["inference"]

    with pytest.raises(MonitorError, match="without an inference"):
        join([bare], [])
