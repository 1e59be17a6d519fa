import datetime
import threading
import time
from types import SimpleNamespace

import pytest

from local_aws.stepfunctions.flow_states import matches_wildcards, time_of, wait_interval


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2030-05-06T07:08:09Z", 0),
        ("2030-05-06T07:08:09.250Z", 250_000),
        ("2030-05-06T07:08:09.243167252Z", 243_167),
        ("2030-05-06T09:08:09+02:00", 0),
        ("2030-05-05T22:38:09.5-08:30", 500_000),
    ],
)
def test_a_time_may_have_an_offset_and_a_fraction(text: str, microseconds: int) -> None:
    time = datetime.datetime(2030, 5, 6, 7, 8, 9, microseconds, datetime.UTC)
    assert time_of(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "2030-05-06",
        "2030-05-06t07:08:09Z",
        "2030-05-06T07:08:09z",
        "2030-05-06T07:08:09",
        "2030-13-06T07:08:09Z",
        5,
        None,
    ],
)
def test_what_is_not_a_time_in_rfc_3339_is_none(text: str) -> None:
    assert time_of(text) is None


def test_a_string_is_matched_with_many_wildcards_in_no_time() -> None:
    began = time.monotonic()
    assert not matches_wildcards(None, "a" * 1_000, "*a" * 20 + "b")
    assert time.monotonic() - began < 5


def test_a_wait_may_be_longer_than_a_lock_can_be_waited_for() -> None:
    waits: list[float] = []

    class State:
        """An execution that ends at the first look."""

        program_state_event = SimpleNamespace(wait=waits.append)

        def is_running(self) -> bool:
            return not waits

    wait_interval(None, None, State(), 8_000 * 365 * 86_400)
    assert len(waits) == 1 and waits[0] <= threading.TIMEOUT_MAX
