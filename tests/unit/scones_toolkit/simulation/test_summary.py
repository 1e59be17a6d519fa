from typing import Any

import pytest

from scones_toolkit.simulation.summary import Answered, Outcome, Sent, percentile, summarise


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 15), (5, 15), (30, 20), (40, 20), (50, 35), (100, 50)]
)
def test_percentiles_are_those_of_the_published_example(percent: float, value: float) -> None:
    # https://en.wikipedia.org/wiki/Percentile#Worked_examples_of_the_nearest-rank_method
    assert percentile([50, 15, 40, 20, 35], percent) == value


def result(decision: str, label: str = "bicycle", **values: Any) -> Any:
    inference = {} if decision == "failed" else {"inference": {"label": label}}
    return {"image": {}, "decision": decision, **inference, **values}


def test_every_image_sent_is_counted_once() -> None:
    sent = {
        "a": Sent("clean", "bicycle", 0.0),
        "b": Sent("clean", "motorcycle", 1.0),
        "c": Sent("broken", "", 2.0),
        "d": Sent("dark", "bicycle", 4.0),
    }
    near = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3}
    answered = {
        "a": Answered(result("accepted", assignment=near), 2.0),
        "b": Answered(result("review"), 4.0),
        "c": Answered(result("failed", error={"Error": "UnsupportedImage", "Cause": ""}), 5.0),
    }

    figures = summarise(Outcome(sent, answered, {"SlowDown": 2}))

    assert [figures[name] for name in ("sent", "accepted", "review", "failed", "unanswered")] == [
        *(4, 1, 1, 1, 1)
    ]
    assert figures["kinds"]["clean"] == {
        "sent": 2,
        "accepted": 1,
        "review": 1,
        "failed": 0,
        "unanswered": 0,
        "right": 1,
    }
    assert figures["latency_seconds"] == {"n": 3, "p50": 3.0, "p90": 3.0, "p99": 3.0, "max": 3.0}
    assert figures["sent_per_second"] == 0.75
    assert figures["answered_per_second"] == 0.6
    assert figures["assignments"] == {"bay A, near orders": 1}
    assert figures["failures"] == {"UnsupportedImage": 1}
    assert figures["not_sent"] == {"SlowDown": 2}


def test_a_simulation_without_answers_has_no_latency() -> None:
    figures = summarise(Outcome({"a": Sent("clean", "bicycle", 0.0)}, {}))

    assert figures["latency_seconds"] == {"n": 0}
    assert figures["answered_per_second"] is None
    assert figures["unanswered"] == 1
