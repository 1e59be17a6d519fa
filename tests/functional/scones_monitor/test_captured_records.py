from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scones_core.errors import MonitorError
from scones_core.uris import S3Uri
from scones_monitor.captured_records import read_captures, wait_for_captures

URI = S3Uri.parse("s3://captures/capture")
HOUR = "capture/scones-dev/AllTraffic/2026/11/20/14"
Put = Callable[..., None]
Line = Callable[..., str]


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 20, hour, minute, second, tzinfo=UTC)


def test_records_of_all_files_come_in_the_order_of_time(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("b", time="2026-11-20T14:32:05Z"))
    put(f"{HOUR}/30-00-000-y.jsonl", line("c", time="2026-11-20T14:32:06Z"), line("a"), "")

    found = read_captures(s3, URI, "scones-dev")

    assert [r.event_id for r in found.records] == ["a", "b", "c"]
    assert (found.files, found.malformed, found.duplicates) == (2, 0, 0)


@pytest.mark.parametrize("uri", ["s3://captures/capture", "s3://captures/capture/"])
@pytest.mark.parametrize("root", ["capture/", "capture//"])
def test_a_trailing_slash_of_the_destination_does_not_matter(
    s3: Any, put: Put, line: Line, uri: str, root: str
) -> None:
    put(f"{root}scones-dev/AllTraffic/2026/11/20/14/32-05-100-x.jsonl", line("a"))

    assert len(read_captures(s3, S3Uri.parse(uri), "scones-dev").records) == 1


@pytest.mark.parametrize("root", ["", "/"])
def test_a_bucket_itself_may_be_the_destination(s3: Any, put: Put, line: Line, root: str) -> None:
    put(f"{root}scones-dev/AllTraffic/2026/11/20/14/32-05-100-x.jsonl", line("a"))

    assert len(read_captures(s3, S3Uri.parse("s3://captures"), "scones-dev").records) == 1


def test_other_endpoints_and_other_objects_are_left_alone(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"))
    put(HOUR.replace("scones-dev", "scones-dev-2") + "/32-05-100-x.jsonl", line("b"))
    put(f"{HOUR}/notes.txt", "nothing of ours")
    put("capture/scones-dev/AllTraffic/elsewhere.jsonl", line("c"))

    found = read_captures(s3, URI, "scones-dev")

    assert [r.event_id for r in found.records] == ["a"]
    assert found.files == 1


def test_one_variant_or_all_of_them_are_read(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"))
    put(HOUR.replace("AllTraffic", "canary") + "/32-05-100-x.jsonl", line("b"))

    every = read_captures(s3, URI, "scones-dev")
    canary = read_captures(s3, URI, "scones-dev", variant="canary")

    assert {r.event_id: r.variant for r in every.records} == {"a": "AllTraffic", "b": "canary"}
    assert [r.event_id for r in canary.records] == ["b"]


def test_hours_outside_of_the_period_are_not_read(s3: Any, put: Put, line: Line) -> None:
    for hour in (9, 12, 16):
        name = f"capture/scones-dev/AllTraffic/2026/11/20/{hour:02d}/30-00-000-x.jsonl"
        put(name, line(f"at {hour}", time=f"2026-11-20T{hour:02d}:30:00Z"))

    found = read_captures(s3, URI, "scones-dev", since=at(11), until=at(14))

    assert [r.event_id for r in found.records] == ["at 12"]
    assert found.files == 1


def test_a_file_of_the_hour_before_may_hold_the_first_records(
    s3: Any, put: Put, line: Line
) -> None:
    put(
        f"{HOUR}/59-30-000-x.jsonl",
        line("before", time="2026-11-20T14:59:59Z"),
        line("after", time="2026-11-20T15:00:01Z"),
    )

    found = read_captures(s3, URI, "scones-dev", since=at(15))

    assert [r.event_id for r in found.records] == ["after"]


def test_the_second_that_since_lies_in_belongs_to_the_period(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a", time="2026-11-20T14:32:05Z"))

    since = at(14, 32, 5).replace(microsecond=900_000)

    assert len(read_captures(s3, URI, "scones-dev", since=since).records) == 1


def test_malformed_lines_are_counted_by_reason_with_their_place(
    s3: Any, put: Put, line: Line
) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"), "broken", line("b", probabilities=(0.1, 0.1)))
    put(f"{HOUR}/33-05-100-x.jsonl", "{also broken")

    found = read_captures(s3, URI, "scones-dev")

    assert [r.event_id for r in found.records] == ["a"]
    assert found.malformed == 3
    assert {fault.reason: fault.count for fault in found.reasons} == {
        "the line is not JSON": 2,
        "endpointOutput is not probabilities that add up to 1": 1,
    }
    assert found.reasons[0].first == f"s3://captures/{HOUR}/32-05-100-x.jsonl:2"


def test_a_huge_line_does_not_hide_its_neighbours(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"), "x" * (18 * 2**20), line("b"))

    found = read_captures(s3, URI, "scones-dev")

    assert [r.event_id for r in found.records] == ["a", "b"]
    assert found.reasons[0].reason == "the line is longer than a record can be"


def test_an_event_counts_once_and_a_retried_inference_with_its_last_answer(
    s3: Any, put: Put, line: Line
) -> None:
    put(
        f"{HOUR}/32-05-100-x.jsonl",
        line("a", inference_id="id"),
        line("b", inference_id="id", time="2026-11-20T14:32:07Z"),
        line("c"),
        line("c"),
        line("d"),
    )

    found = read_captures(s3, URI, "scones-dev")

    assert sorted(r.event_id for r in found.records) == ["b", "c", "d"]
    assert found.duplicates == 2


def test_no_records_at_all_is_an_error_that_says_where_it_looked(s3: Any) -> None:
    with pytest.raises(MonitorError, match=r"s3://captures/capture/scones-dev/.*takes minutes"):
        read_captures(s3, URI, "scones-dev")


def test_an_absent_bucket_is_an_error_of_the_project(s3: Any) -> None:
    with pytest.raises(MonitorError, match="NoSuchBucket"):
        read_captures(s3, S3Uri.parse("s3://absent/capture"), "scones-dev")


class Clock:
    """Time that passes only while somebody sleeps; each sleep may bring something about."""

    def __init__(self, *events: Callable[[], None]) -> None:
        self.now = 0.0
        self.events = list(events)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.events:
            self.events.pop(0)()


def test_records_of_an_applys_golden_samples_are_not_read(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"), line("b", inference_id="golden-1"))

    assert [r.event_id for r in read_captures(s3, URI, "scones-dev").records] == ["a"]


def test_waiting_ends_with_the_last_expected_record(s3: Any, put: Put, line: Line) -> None:
    clock = Clock(
        lambda: put(f"{HOUR}/32-05-100-x.jsonl", line("a")),
        lambda: put(f"{HOUR}/32-06-100-x.jsonl", line("b")),
    )

    found = wait_for_captures(
        s3, URI, "scones-dev", expected=2, timeout_seconds=60, clock=clock, sleep=clock.sleep
    )

    assert [r.event_id for r in found.records] == ["a", "b"]
    assert clock.now == 2


def test_waiting_for_certain_inferences_is_not_ended_by_others(
    s3: Any, put: Put, line: Line
) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("other", inference_id="other"))
    clock = Clock(lambda: put(f"{HOUR}/32-06-100-x.jsonl", line("mine", inference_id="mine")))

    found = wait_for_captures(
        s3,
        URI,
        "scones-dev",
        expected=1,
        inference_ids=["mine"],
        timeout_seconds=60,
        clock=clock,
        sleep=clock.sleep,
    )

    assert {r.event_id for r in found.records} == {"other", "mine"}
    assert clock.now == 1


def test_the_deadline_returns_what_is_there(s3: Any, put: Put, line: Line) -> None:
    put(f"{HOUR}/32-05-100-x.jsonl", line("a"))
    clock = Clock()

    found = wait_for_captures(
        s3, URI, "scones-dev", expected=9, timeout_seconds=2.5, clock=clock, sleep=clock.sleep
    )

    assert len(found.records) == 1
    assert clock.now == pytest.approx(2.5)


def test_the_deadline_without_any_record_is_an_error(s3: Any) -> None:
    clock = Clock()

    with pytest.raises(MonitorError, match="No captured records"):
        wait_for_captures(
            s3, URI, "scones-dev", expected=1, timeout_seconds=3, clock=clock, sleep=clock.sleep
        )
