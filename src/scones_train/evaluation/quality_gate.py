"""Quality gate: whether a model may be released, by limits and against the active one.

Two models are compared on the test images that both were tested on, and a difference counts
only where chance does not explain it: McNemar's exact test for the accuracy, an interval of
the paired bootstrap for calibration error and coverage. Those are images of classes that both
know. A class that only the candidate knows has to reach the accuracy of the limits by itself: of
many classes a bad one hardly shows in the accuracy of all.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from scones_core.settings import QualitySettings
from scones_train.evaluation.metrics import accuracy, at_threshold, expected_calibration_error
from scones_train.evaluation.predictions import ImagePredictions

RESAMPLES = 1000
# Fewer images in common say nothing of either model.
MIN_COMMON_IMAGES = 30
# Fewer test images of a class say nothing of it.
MIN_CLASS_IMAGES = 10


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """A model's answers for its test images, and the confidence from which on they count."""

    predictions: ImagePredictions
    threshold: float

    @property
    def accuracy(self) -> float:
        """The share of images whose likeliest class is the right one."""
        return accuracy(self.predictions.probabilities, self.predictions.labels)

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return expected_calibration_error(self.predictions.probabilities, self.predictions.labels)

    @property
    def coverage(self) -> float:
        """The share of images whose confidence reaches the threshold."""
        found = self.predictions
        return at_threshold(found.probabilities, found.labels, self.threshold).coverage

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images are answered right, bool (N,)."""
        right: NDArray[np.bool_] = (
            self.predictions.probabilities.argmax(axis=1) == self.predictions.labels
        )
        return right

    def rows(self, chosen: NDArray[np.int64]) -> "ScoredModel":
        """Return the same model on these of its images; a row may come twice."""
        return ScoredModel(self.predictions.rows(chosen), self.threshold)


def below_limits(candidate: ScoredModel, limits: QualitySettings) -> list[str]:
    """Return a clause for each figure of the candidate that misses its limit."""
    found = candidate
    checks = {
        f"its accuracy is {found.accuracy:.4f}, and {limits.min_accuracy} is asked for": (
            found.accuracy < limits.min_accuracy
        ),
        f"its calibration error is {found.calibration_error:.4f}, and at most "
        f"{limits.max_calibration_error} is asked for": (
            found.calibration_error > limits.max_calibration_error
        ),
        f"its coverage is {found.coverage:.4f}, and {limits.min_coverage} is asked for": (
            found.coverage < limits.min_coverage
        ),
    }
    return [clause for clause, missed in checks.items() if missed]


def below_on_classes(
    candidate: ScoredModel,
    labels: Sequence[str],
    active_labels: Collection[str],
    limits: QualitySettings,
) -> list[str]:
    """Return a clause for each class of the active model that is lost, and each bad new one.

    `labels` are the candidate's. A new class is bad where it was hardly tested, or where its
    accuracy misses that of the limits beyond chance, by the binomial distribution.
    """
    found = []
    lost = [name for name in active_labels if name not in labels]
    if lost:
        found.append(f"it does not know {', '.join(lost)}, which the active release does")
    for index, name in enumerate(labels):
        if name in active_labels:
            continue
        right = candidate.correct[candidate.predictions.labels == index]
        if len(right) < MIN_CLASS_IMAGES:
            found.append(
                f"it was tested on {len(right)} images of {name}, which the active release does "
                f"not know, and {MIN_CLASS_IMAGES} are needed; label more of them"
            )
        elif binomial(int(right.sum()), len(right), limits.min_accuracy) < limits.significance:
            found.append(
                f"its accuracy on the {len(right)} test images of the new class {name} is "
                f"{right.mean():.4f}, and {limits.min_accuracy} is asked for"
            )
    return found


def binomial(hits: int, of: int, share: float) -> float:
    """Return how likely `hits` or fewer of so many images are right where a `share` of all is."""
    return sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits + 1))


def in_common(candidate: ScoredModel, active: ScoredModel) -> tuple[ScoredModel, ScoredModel]:
    """Return both models on the test images that both have, in the same order."""
    mine, its = candidate.predictions.paired(active.predictions)
    return ScoredModel(mine, candidate.threshold), ScoredModel(its, active.threshold)


def below_active(candidate: ScoredModel, active: ScoredModel, significance: float) -> list[str]:
    """Return a clause for each figure that is worse than the active model's beyond chance.

    Both were tested on the same images (`in_common`). `significance` is the probability, one
    side, of a refusal where the models are equally good; it holds for each figure by itself.
    """
    return [
        *_less_accurate(candidate, active, significance),
        *_beyond_chance(
            "calibration error", lambda model: model.calibration_error, candidate, active,
            significance,
        ),
        *_beyond_chance(
            "coverage", lambda model: -model.coverage, candidate, active, significance
        ),
    ]  # fmt: skip


def _less_accurate(
    candidate: ScoredModel, active: ScoredModel, significance: float
) -> Iterator[str]:
    lost = int((active.correct & ~candidate.correct).sum())
    won = int((candidate.correct & ~active.correct).sum())
    p = mcnemar(lost, won)
    if p < significance:
        yield (
            f"of {len(candidate.predictions)} test images it gets {lost} wrong that the active "
            f"release gets right, and only {won} the other way round (McNemar's exact test: "
            f"p = {p:.2g} < {significance})"
        )


def mcnemar(lost: int, won: int) -> float:
    """Return how likely `lost` or more of the disagreements would be lost by chance alone.

    The exact test, one-sided: under equal models each of the `lost + won` images that only one
    of the two gets right is a fair coin. After McNemar, 1947.
    """
    tosses = lost + won
    ways: int = sum(math.comb(tosses, k) for k in range(lost, tosses + 1))
    return float(Fraction(ways, 2**tosses))


def _beyond_chance(
    name: str,
    badness: Callable[[ScoredModel], float],
    candidate: ScoredModel,
    active: ScoredModel,
    significance: float,
) -> Iterator[str]:
    worse_by = badness(candidate) - badness(active)
    if worse_by <= 0:
        return
    random, count = np.random.default_rng(0), len(candidate.predictions)
    differences = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, count, count)
        differences.append(badness(candidate.rows(rows)) - badness(active.rows(rows)))
    lower_bound = float(np.quantile(differences, significance))
    if lower_bound > 0:
        yield (
            f"its {name} is {abs(badness(candidate)):.4f} where the active release has "
            f"{abs(badness(active)):.4f} on the same {count} test images (bootstrap: worse by at "
            f"least {lower_bound:.4f} in {1 - significance:.0%} of {RESAMPLES} resamples)"
        )
