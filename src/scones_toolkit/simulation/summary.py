"""Summary of a simulation: images by kind, latencies, rates."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scones_core.events import DECISIONS, Result
from scones_toolkit.simulation.images import KINDS, Kind

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Sent:
    """An image that was put into the bucket: `at` in seconds of the epoch, once it was there."""

    kind: Kind
    label: str
    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """How an image ended: `at` in seconds of the epoch, when its execution did."""

    result: Result
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of a simulation, by the images' keys; `not_sent` counts those S3 refused, by reason."""

    sent: Mapping[str, Sent]
    answered: Mapping[str, Answered]
    not_sent: Mapping[str, int] = field(default_factory=dict)

    @property
    def unanswered(self) -> int:
        """How many images were sent and have no answer."""
        return len(self.sent.keys() - self.answered.keys())


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by the nearest rank: a value that was observed.

    Raises ValueError without values. https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method
    """
    ranked = sorted(values)
    if not ranked:
        raise ValueError("there is no percentile of nothing")
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def summarise(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of a simulation as JSON; latencies in seconds, from upload to the end.

    `right` counts classified images of known class with the true label. Images a second are
    answered from the first upload to the last answer; rates are None where that is one moment.
    """
    pairs = [(sent, outcome.answered.get(key)) for key, sent in outcome.sent.items()]
    decisions = Counter(a.result["decision"] for _, a in pairs if a)
    latencies = [max(0.0, answer.at - sent.at) for sent, answer in pairs if answer]
    return {
        "sent": len(pairs),
        "not_sent": dict(outcome.not_sent),
        **{decision: decisions[decision] for decision in DECISIONS},
        "unanswered": outcome.unanswered,
        "kinds": {
            kind: _counts([pair for pair in pairs if pair[0].kind == kind]) for kind in KINDS
        },
        "latency_seconds": {
            "n": len(latencies),
            **{f"p{p}": round(percentile(latencies, p), 3) for p in PERCENTILES if latencies},
            **({"max": round(max(latencies), 3)} if latencies else {}),
        },
        "sent_per_second": _rate([sent.at for sent, _ in pairs]),
        "answered_per_second": _throughput(outcome),
        "assignments": _assignments(outcome.answered.values()),
        "failures": _failures(outcome.answered.values()),
    }


def _counts(pairs: Sequence[tuple[Sent, Answered | None]]) -> dict[str, int]:
    decisions = Counter(answer.result["decision"] for _, answer in pairs if answer)
    right = sum(
        bool(sent.label) and answer.result["inference"]["label"] == sent.label
        for sent, answer in pairs
        if answer and "inference" in answer.result
    )
    return {
        "sent": len(pairs),
        **{decision: decisions[decision] for decision in DECISIONS},
        "unanswered": sum(answer is None for _, answer in pairs),
        "right": right,
    }


def _rate(times: Sequence[float]) -> float | None:
    """Return events a second between the first and the last."""
    span = max(times) - min(times) if times else 0.0
    return round((len(times) - 1) / span, 3) if span > 0 else None


def _throughput(outcome: Outcome) -> float | None:
    """Return answers a second from the first upload to the last answer."""
    if not outcome.answered:
        return None
    begin = min(sent.at for sent in outcome.sent.values())
    span = max(answer.at for answer in outcome.answered.values()) - begin
    return round(len(outcome.answered) / span, 3) if span > 0 else None


def _assignments(answers: Any) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for answer in answers:
        assignment = answer.result.get("assignment")
        if isinstance(assignment, Mapping):
            counts[f"bay {assignment.get('bay')}, {assignment.get('orders')} orders"] += 1
    return dict(counts.most_common())


def _failures(answers: Any) -> dict[str, int]:
    errors = (answer.result.get("error") for answer in answers)
    return dict(Counter(error["Error"] for error in errors if error).most_common())
