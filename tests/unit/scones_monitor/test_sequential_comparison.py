"""The stopping rule under daily looks, by simulation with fixed seeds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from scones_monitor.sequential_comparison import ALPHA, MARGIN, Arm, Stratum, Verdict, compare
from scones_monitor.statistics import wilson_interval

RUNS, LOOKS, A_LOOK = 200, 60, 40
"""Comparisons, looks at each, and how many images are answered from one look to the next."""

SURE = {"challenger", "active"}


@dataclass(frozen=True)
class Traffic:
    """What one release does: (of accepted answers, of the others) for what is a pair."""

    accepted: float
    right: tuple[float, float]
    labelled: tuple[float, float] = (1.0, 1.0)

    def arm(self, rng: np.random.Generator, images: int) -> "list[int]":
        """Return the counts of more answers, as `Arm` takes them."""
        counts = []
        accepted = int(rng.binomial(images, self.accepted))
        for n, right, labelled in zip(
            (accepted, images - accepted), self.right, self.labelled, strict=True
        ):
            known = int(rng.binomial(n, labelled))
            counts += [n, known, int(rng.binomial(known, right))]
        return counts


def arm(counts: list[int]) -> Arm:
    return Arm(Stratum(*counts[:3]), Stratum(*counts[3:]))


def outcomes(
    active: Traffic,
    challenger: Traffic,
    share: float,
    decide: Callable[[Arm, Arm], str] = lambda a, b: compare(a, b).outcome,
) -> list[str]:
    """Return what each comparison is decided as by who looks often and stops at a decision."""
    rng, found = np.random.default_rng(20261129), []
    for _ in range(RUNS):
        own, theirs, outcome = [0] * 6, [0] * 6, "open"
        for _ in range(LOOKS):
            its = int(rng.binomial(A_LOOK, share))
            own = [a + b for a, b in zip(own, active.arm(rng, A_LOOK - its), strict=True)]
            theirs = [a + b for a, b in zip(theirs, challenger.arm(rng, its), strict=True)]
            outcome = decide(arm(own), arm(theirs))
            if outcome != "open":
                break
        found.append(outcome)
    return found


def part(found: list[str], of: set[str]) -> float:
    return sum(outcome in of for outcome in found) / len(found)


EQUAL = [
    (Traffic(0.9, (0.5, 0.5)), 0.5),
    (Traffic(0.9, (0.95, 0.6)), 0.5),
    (Traffic(0.9, (0.95, 0.6)), 0.1),
    (Traffic(0.95, (0.995, 0.9)), 0.1),
    (Traffic(1.0, (0.97, 0.0)), 0.3),
]


@pytest.mark.parametrize(("traffic", "share"), EQUAL)
def test_two_equal_releases_are_seldom_told_apart_however_often_one_looks(
    traffic: Traffic, share: float
) -> None:
    assert part(outcomes(traffic, traffic, share), SURE) <= ALPHA


def test_an_interval_for_one_look_would_tell_equal_releases_apart() -> None:
    """The simulation sees the fault that the rule is there to avoid."""

    def naive(active: Arm, challenger: Arm) -> str:
        own, theirs = (
            wilson_interval(a.accepted.right + a.review.right, max(1, a.labelled))
            for a in (active, challenger)
        )
        middle = (sum(theirs) - sum(own)) / 2
        half = ((own.high - own.low) ** 2 / 4 + (theirs.high - theirs.low) ** 2 / 4) ** 0.5
        return "challenger" if abs(middle) > half else "open"

    traffic, share = EQUAL[1]
    assert part(outcomes(traffic, traffic, share, naive), SURE) > 3 * ALPHA


@pytest.mark.parametrize("better", ["challenger", "active"])
def test_a_better_release_is_found_and_never_taken_for_the_worse(better: str) -> None:
    good, bad = Traffic(0.9, (0.97, 0.7)), Traffic(0.8, (0.9, 0.5))
    pair = (bad, good) if better == "challenger" else (good, bad)
    found = outcomes(*pair, 0.5)
    assert part(found, {better}) > 0.9
    assert part(found, SURE - {better}) == 0


def test_labels_of_the_review_queue_above_all_do_not_make_a_cautious_release_the_better() -> None:
    """Both are right in 90 %. The one that accepts less has easier images sent to review."""
    bold = Traffic(0.9, (0.94, 0.54), (0.05, 1.0))
    cautious = Traffic(0.5, (0.97, 0.83), (0.05, 1.0))
    assert part(outcomes(bold, cautious, 0.5), SURE) <= ALPHA

    def pooled(active: Arm, challenger: Arm) -> str:
        def whole(each: Arm) -> Arm:
            right = each.accepted.right + each.review.right
            return Arm(Stratum(each.answered, each.labelled, right), Stratum(0, 0, 0))

        return compare(whole(active), whole(challenger)).outcome

    assert part(outcomes(bold, cautious, 0.5, pooled), SURE) > 0.8


def test_a_difference_of_the_margin_is_seldom_called_equal() -> None:
    found = outcomes(Traffic(1.0, (0.99, 0)), Traffic(1.0, (0.99 - MARGIN, 0)), 0.5)
    assert part(found, {"equal"}) <= ALPHA


def test_equal_releases_are_called_equal_in_the_end() -> None:
    same = Arm(Stratum(9_000, 9_000, 8_900), Stratum(1_000, 1_000, 800))
    verdict = compare(same, same)
    assert (verdict.outcome, verdict.difference, verdict.missing) == ("equal", 0, None)
    assert verdict.interval is not None
    assert -MARGIN < verdict.interval.low < 0 < verdict.interval.high < MARGIN


def test_a_few_right_answers_decide_nothing_and_say_how_many_are_missing() -> None:
    none, every = (Arm(Stratum(5, 5, right), Stratum(0, 0, 0)) for right in (0, 5))
    verdict = compare(none, every)
    assert verdict.outcome == "open"
    assert "needs 30 labelled answers; one has 5" in verdict.reason
    assert verdict.missing


def test_so_many_labels_more_decide_where_things_stay_as_they_look() -> None:
    def counted(times: float) -> Verdict:
        parts = ((400, 100, 96), (400, 100, 90))
        own, theirs = (
            Arm(Stratum(n, round(known * times), round(right * times)), Stratum(0, 0, 0))
            for n, known, right in parts
        )
        return compare(own, theirs)

    first = counted(1)
    assert first.outcome == "open"
    assert first.missing is not None
    assert 200 < first.missing < 2_000
    enough = (200 + first.missing) / 200
    assert counted(enough * 1.3).outcome == "active"
    assert counted(enough * 0.7).outcome == "open"


@pytest.mark.parametrize(
    ("active", "words"),
    [
        (Arm(Stratum(0, 0, 0), Stratum(0, 0, 0)), "not answered anything"),
        (Arm(Stratum(50, 0, 0), Stratum(10, 0, 0)), "no labelled answer"),
    ],
)
def test_without_answers_or_labels_nothing_is_decided(active: Arm, words: str) -> None:
    verdict = compare(active, Arm(Stratum(50, 50, 45), Stratum(5, 5, 2)))
    assert (verdict.outcome, verdict.interval) == ("open", None)
    assert words in verdict.reason


def test_labels_of_one_decision_alone_leave_it_open_and_say_so() -> None:
    only_review = Arm(Stratum(900, 0, 0), Stratum(100, 100, 60))
    verdict = compare(only_review, only_review)
    assert verdict.outcome == "open"
    assert "decision accepted has a label" in verdict.reason
    assert verdict.interval is not None
    assert verdict.interval.high - verdict.interval.low > 0.5


def test_an_interval_stays_within_what_a_difference_can_be() -> None:
    right, wrong = (Arm(Stratum(3, 1, right), Stratum(0, 0, 0)) for right in (1, 0))
    verdict = compare(right, wrong)
    assert verdict.interval is not None
    assert -1.0 == verdict.interval.low < verdict.interval.high <= 1.0
