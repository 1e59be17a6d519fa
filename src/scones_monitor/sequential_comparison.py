"""Sequential comparison: which of two releases answers better, looked at any day.

A usual 95 % interval is right for one look: who looks daily and stops at the first interval
without a zero decides wrongly far more often than in 5 % of the comparisons. The interval here
holds at all looks together, so that one may stop at any of them: Robbins' normal mixture
(Statistical Methods Related to the Law of the Iterated Logarithm, 1970), which Johari, Koomen,
Pekelis and Walsh put forward for A/B tests (Always Valid Inference, Operations Research, 2022).
It takes the difference's estimate as normal, which Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
justify for growing samples (Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics, 2024); the tests try it on small ones.
"""

import math
from dataclasses import dataclass
from typing import Literal

from scones_monitor.statistics import Interval

ALPHA = 0.05
"""How often at most a difference is found, at whatever look, where there is none."""

MARGIN = 0.02
"""A difference in accuracy below two points is not worth a longer comparison."""

MIN_LABELS = 30
"""Labels that each release needs before anything is decided."""

# The spread of the differences that the interval is made for: fixed, as one that is fitted to the
# data would not hold. Five points is what a new release may be expected to change.
_SPREAD = 0.05

Outcome = Literal["challenger", "active", "equal", "open"]


@dataclass(frozen=True, slots=True)
class Stratum:
    """The answers of one decision, accepted or review; of the labelled ones `right` are right."""

    answered: int
    labelled: int
    right: int

    @property
    def mean(self) -> float:
        """The share that is right; one half where no label says."""
        return self.right / self.labelled if self.labelled else 0.5

    @property
    def variance(self) -> float:
        """The mean's variance: that of the posterior of a uniform prior, so never 0."""
        smoothed = (self.right + 1) / (self.labelled + 2)
        return smoothed * (1 - smoothed) / (self.labelled + 3)


@dataclass(frozen=True, slots=True)
class Arm:
    """What one release answered. People label rather what is sent to review, so both are apart."""

    accepted: Stratum
    review: Stratum

    @property
    def answered(self) -> int:
        """How many images it answered."""
        return self.accepted.answered + self.review.answered

    @property
    def labelled(self) -> int:
        """How many of them have a label."""
        return self.accepted.labelled + self.review.labelled

    @property
    def accuracy(self) -> float:
        """The accuracy over all answers: of each decision's labels, weighted by its answers."""
        share = self.accepted.answered / self.answered
        return share * self.accepted.mean + (1 - share) * self.review.mean

    @property
    def variance(self) -> float:
        """The variance of this accuracy."""
        share = self.accepted.answered / self.answered
        between = share * (1 - share) * (self.accepted.mean - self.review.mean) ** 2
        within = share**2 * self.accepted.variance + (1 - share) ** 2 * self.review.variance
        return within + between / self.answered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the labels say so far: the challenger's accuracy minus the active release's.

    `interval` holds at all looks together with 95 %. `outcome` is the better release, `equal`
    where a difference of MARGIN or more is excluded, else `open`; `missing` is then about how
    many labels more it takes, if things stay as they look; None where nobody can tell.
    """

    outcome: Outcome
    difference: float | None
    interval: Interval | None
    missing: int | None
    reason: str


def compare(active: Arm, challenger: Arm, alpha: float = ALPHA) -> Verdict:
    """Return the verdict on two releases whose labels are all that there are until now.

    Valid where labels do not depend on whether an answer is right, within each decision of each
    release, and where chance sent an image to one of the two.
    """
    if not active.answered or not challenger.answered:
        return Verdict("open", None, None, None, "One of the two has not answered anything yet.")
    if not active.labelled or not challenger.labelled:
        missing = _labels_for(active, challenger, MARGIN, alpha)
        return Verdict("open", None, None, missing, "One of the two has no labelled answer yet.")
    difference = challenger.accuracy - active.accuracy
    half = _half_width(active.variance + challenger.variance, alpha)
    interval = Interval(max(-1.0, difference - half), min(1.0, difference + half))
    outcome, reason = _outcome(interval, min(active.labelled, challenger.labelled))
    if outcome != "open":
        return Verdict(outcome, difference, interval, None, reason)
    # Whichever comes first: that zero is left out, or all that is beyond the margin.
    target = max(abs(difference), MARGIN - abs(difference))
    total = _labels_for(active, challenger, target, alpha)
    missing = max(1, total - active.labelled - challenger.labelled)
    reason += _unlabelled(active, challenger)
    return Verdict(outcome, difference, interval, missing, reason)


def _outcome(interval: Interval, min_labelled: int) -> tuple[Outcome, str]:
    if min_labelled < MIN_LABELS:
        return (
            "open",
            f"Each of the two needs {MIN_LABELS} labelled answers; one has {min_labelled}.",
        )
    if interval.low > 0:
        return "challenger", "The challenger is the more accurate one."
    if interval.high < 0:
        return "active", "The active release is the more accurate one."
    if interval.low > -MARGIN and interval.high < MARGIN:
        return "equal", f"They differ by less than {MARGIN:.0%}, whichever is better."
    return "open", "The difference may still be of either sign."


def _unlabelled(active: Arm, challenger: Arm) -> str:
    """Return what keeps the interval wide, where a decision's answers have no labels at all."""
    for name, arm in (("active release", active), ("challenger", challenger)):
        for decision, part in (("accepted", arm.accepted), ("review", arm.review)):
            if part.answered and not part.labelled:
                return (
                    f" No answer of the {name} with the decision {decision} has a label: label "
                    "images of both decisions."
                )
    return ""


def _half_width(variance: float, alpha: float) -> float:
    """Return half the width of the interval that holds at all looks, by the normal mixture."""
    spread = _SPREAD**2
    total = variance + spread
    bound = 2 * math.log(1 / alpha) + math.log(total / variance)
    return math.sqrt(variance * total / spread * bound)


def _labels_for(active: Arm, challenger: Arm, difference: float, alpha: float) -> int:
    """Return how many labels of both together tell this difference, drawn as the answers are."""
    answered = active.answered + challenger.answered
    # The variance of one label's difference; one that was right each time so far will not stay so.
    per_label = sum(
        (max(arm.labelled * arm.variance, 0.01) if arm.labelled else 0.25)
        * (answered / arm.answered)
        for arm in (active, challenger)
    )
    low, high = 0.0, per_label
    # The half width grows with the variance.
    for _ in range(60):
        middle = (low + high) / 2
        if _half_width(max(middle, 1e-12), alpha) > difference:
            high = middle
        else:
            low = middle
    return math.ceil(per_label / max(low, 1e-12))
