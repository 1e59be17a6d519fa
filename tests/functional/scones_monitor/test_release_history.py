"""Which release answered when, by what each roll-out leaves in a bucket with versions."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from scones_monitor.release_history import (
    ACTIVE,
    CHOSEN,
    ROLLING,
    UNRECORDED,
    History,
    Write,
    history_of,
    read_history,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Writes = Callable[..., tuple[list[Write], list[Write]]]


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def rolled(*outs: tuple[str, float, float | None]) -> History:
    """Return the history of roll-outs: release, begin and end in minutes, None without an end."""
    chosen, active = [], []
    for number, (release, begin, end) in enumerate(outs):
        chosen.append(Write(at(begin), f"v{number}", {"release": release}))
        if end is not None:
            body = {"release": release, "rollout": f"v{number}"}
            active.append(Write(at(end), f"a{number}", body))
    return history_of(chosen, active)


def names(history: History, *minutes: float) -> list[str]:
    seconds = np.array([int(at(each).timestamp()) for each in minutes], np.uint32)
    found, place = history.of(seconds)
    return [found[int(i)] for i in place]


def test_after_a_rollback_the_older_release_has_its_answers_again() -> None:
    history = rolled(("r1", 0, 5), ("r2", 60, 70), ("r1", 120, 130))
    assert names(history, 6, 59, 71, 119, 131, 500) == ["r1", "r1", "r2", "r2", "r1", "r1"]


def test_answers_during_a_roll_out_are_nobodys() -> None:
    history = rolled(("r1", 0, 5), ("r2", 60, 70))
    assert names(history, 60, 65) == [ROLLING, ROLLING]


def test_the_second_in_which_a_roll_out_begins_is_part_of_it() -> None:
    """SageMaker captures whole seconds."""
    history = rolled(("r1", 0, 5), ("r2", 60.005, 70.005))
    assert names(history, 60, 70) == [ROLLING, ROLLING]


def test_what_is_older_than_the_history_is_nobodys() -> None:
    assert names(rolled(("r1", 0, 5)), -1) == [UNRECORDED]
    assert names(History(()), 0) == [UNRECORDED]


def test_a_roll_out_that_failed_lasts_until_one_that_succeeds() -> None:
    """Either release may answer: SageMaker has taken it back, or Terraform was interrupted."""
    history = rolled(("r1", 0, 5), ("r2", 60, None), ("r1", 80, 85))
    assert names(history, 59, 61, 81, 86) == ["r1", ROLLING, ROLLING, "r1"]


def test_a_release_answers_alone_since_it_was_activated_last() -> None:
    history = rolled(("r1", 0, 5), ("r2", 60, 70), ("r1", 120, 130))
    assert history.alone_since("r1") == at(130)
    assert history.alone_since("r2") is None
    assert rolled(("r1", 0, 5)).alone_since("r1") is None, "it may have answered before, too"
    assert history.activations == (("r1", at(5)), ("r2", at(70)), ("r1", at(130)))


def judged(release: str, threshold: float, labels: list[str]) -> dict[str, Any]:
    return {"release": release, "threshold": threshold, "labels": labels}


def deployed(*outs: tuple[dict[str, Any], float, float | None]) -> History:
    """Return the history of roll-outs with what the answers of each are judged by."""
    chosen, active = [], []
    for number, (body, begin, end) in enumerate(outs):
        chosen.append(Write(at(begin), f"v{number}", body))
        if end is not None:
            active.append(Write(at(end), f"a{number}", body | {"rollout": f"v{number}"}))
    return history_of(chosen, active)


def test_what_decided_during_a_roll_out_is_what_was_deployed_before() -> None:
    """The functions, which have the threshold, are updated after the endpoint."""
    first, second = judged("r1", 0.9, ["a", "b"]), judged("r2", 0.8, ["b", "a"])
    history = deployed((first, 0, 5), (second, 60, 70))
    stretches = [(each.release, each.threshold, each.labels) for each in history.stretches]
    assert stretches[1:] == [
        ("r1", 0.9, ("a", "b")),
        ("", 0.9, ("a", "b")),
        ("r2", 0.8, ("b", "a")),
    ]


def test_another_threshold_of_the_same_release_is_no_other_release() -> None:
    """Or its traffic from before would no longer be what it is compared with."""
    history = deployed(
        (judged("r1", 0.9, []), 0, 5),
        (judged("r2", 0.9, []), 60, 70),
        (judged("r2", 0.8, []), 90, 91),
    )
    assert history.alone_since("r2") == at(70)
    assert names(history, 80, 90.5, 100) == ["r2", "r2", "r2"]
    assert history.thresholds(0.5)[1:] == [(at(91), 0.8)]


def test_without_any_recorded_threshold_the_present_one_decides() -> None:
    history = rolled(("r1", 0, 5), ("r2", 60, 70))
    assert [value for _, value in history.thresholds(0.9)] == [0.9]


def test_before_the_first_release_its_own_threshold_is_the_one_that_is_shown() -> None:
    """Not that of the release that is active now, nor the functions' own without a release."""
    none = {"release": None, "threshold": 0.93, "labels": ["a", "b"]}
    history = deployed(
        (none, 0, 5), (judged("r1", 0.6, []), 60, 70), (judged("r2", 0.8, []), 90, 95)
    )
    assert [value for _, value in history.thresholds(0.8)] == [0.6, 0.8]


def test_no_release_is_no_release() -> None:
    chosen = [Write(NOON, "v", {"release": None})]
    active = [Write(at(1), "a", {"release": None, "rollout": "v"})]
    assert history_of(chosen, active).activations == ()


@pytest.fixture
def bucket(s3: Any) -> Any:
    s3.put_bucket_versioning(Bucket="captures", VersioningConfiguration={"Status": "Enabled"})
    return s3


def roll(s3: Any, release: str) -> None:
    body = {"release": release}
    chosen = s3.put_object(Bucket="captures", Key=CHOSEN, Body=json.dumps(body).encode())
    body["rollout"] = chosen["VersionId"]
    s3.put_object(Bucket="captures", Key=ACTIVE, Body=json.dumps(body).encode())


def test_the_versions_of_both_objects_are_the_history(bucket: Any) -> None:
    for release in ("r1", "r2", "r1"):
        roll(bucket, release)
    history = read_history(bucket, "captures")
    assert [name for name, _ in history.activations] == ["r1", "r2", "r1"]


def test_what_is_no_json_of_that_form_is_left_out(bucket: Any) -> None:
    roll(bucket, "r1")
    for key in (CHOSEN, ACTIVE):
        for body in (b"{", b"[]", b'{"release": 5}', b"\xff"):
            bucket.put_object(Bucket="captures", Key=key, Body=body)
    roll(bucket, "r2")
    assert [name for name, _ in read_history(bucket, "captures").activations] == ["r1", "r2"]


def test_without_the_objects_there_is_no_history(bucket: Any) -> None:
    assert read_history(bucket, "captures") == History(())
