"""Figures of drift between two samples, with a family-wise error of at most 5 %.

Each figure tests one quantity: the confidence, the probability of each class (the "black box
shift detection" of Rabanser et al. 2019, the best of their comparison), the mix of answered
classes, each statistic of the input. Holm's procedure keeps the probability of any false alarm
at or below `ALPHA`, whatever the figures' dependence and from `MIN_IMAGES` images on, because
each p-value is exact or conservative. A figure is drift only if its effect, too, is at least
`MIN_EFFECT`: with many images the smallest change is significant, but not worth a look.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scones_monitor.drift.samples import Sample, Values
from scones_monitor.statistics import Interval, wilson_interval

ALPHA = 0.05
"""The largest probability that a comparison of equal distributions names any figure drift."""

MIN_EFFECT = 0.05
"""The smallest difference of two distribution functions, or shares, that counts as drift."""

MIN_IMAGES = 20
"""The fewest images, of either sample, that a figure is judged by."""

MAX_CLASSES = 20
"""How many classes have figures of their own; the rarer ones of the reference share one."""

OTHER_CLASSES = "other classes"
CLASS_MIX = "class mix"
"""The name of the figure of the answered classes' shares."""

_PERMUTATIONS = 1_999
# Permuting costs time for each distinct value; above this the conservative p-value is used.
_MAX_PERMUTED_VALUES = 1_000
_EXACT_IMAGES = 10_000

Verdict = Literal["none", "drift", "too_few"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFigure:
    """One quantity of two samples compared.

    `statistic` is the effect, 0 to 1: the largest difference of the distribution functions, or
    of a class's share of the answers. `interval` is its 95 % confidence interval, None of too
    few images. `p_value` is adjusted for all figures of the comparison (Holm), None of too few.
    The statistic of no image at all is NaN.
    """

    name: str
    method: str
    statistic: float
    p_value: float | None
    n_reference: int
    n_current: int
    interval: Interval | None
    verdict: Verdict


def compare(
    reference: Sample,
    current: Sample,
    *,
    alpha: float = ALPHA,
    min_effect: float = MIN_EFFECT,
    seed: int = 0,
) -> tuple[DriftFigure, ...]:
    """Return a figure for each quantity that both samples have, in a fixed order.

    `seed` makes the permutations repeatable. The images must be independent of each other:
    several frames of one vehicle are one image. Where a sample has fewer than MIN_IMAGES
    images, the verdict is `too_few`.
    """
    rng = np.random.default_rng(seed)
    found = [
        _compare_values(name, before, now, rng)
        for name, before, now in _columns(reference, current)
    ]
    found.insert(1, _compare_mix(reference.answers, current.answers, rng))
    adjusted = iter(holm([each.p_value for each in found if each.p_value is not None]))
    return tuple(
        each if each.p_value is None else _decide(each, next(adjusted), alpha, min_effect)
        for each in found
    )


def drifted(figures: Sequence[DriftFigure]) -> Verdict:
    """Return the verdict of a comparison: drift if any figure is, too_few if none is judged."""
    verdicts = {figure.verdict for figure in figures}
    if "drift" in verdicts:
        return "drift"
    return "none" if "none" in verdicts else "too_few"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted by Holm's step-down procedure (Holm 1979), in their order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def ks_statistic(reference: Values, current: Values) -> float:
    """Return the largest difference of the two empirical distribution functions, 0 to 1."""
    values = np.concatenate([reference, current])
    before = np.searchsorted(np.sort(reference), values, side="right") / len(reference)
    now = np.searchsorted(np.sort(current), values, side="right") / len(current)
    return float(np.abs(before - now).max())


def _decide(figure: DriftFigure, p_value: float, alpha: float, min_effect: float) -> DriftFigure:
    drift = p_value <= alpha and figure.statistic >= min_effect
    return replace(figure, p_value=p_value, verdict="drift" if drift else "none")


def _columns(reference: Sample, current: Sample) -> Iterator[tuple[str, Values, Values]]:
    """Yield each quantity of both samples with its values, NaN left out."""
    yield "confidence", _known(reference.confidences), _known(current.confidences)
    classes = [label for label in reference.probabilities if label in current.probabilities]
    own, rest = own_figures(classes, reference)
    for label in own:
        before, now = reference.probabilities[label], current.probabilities[label]
        yield f"probability of {label}", _known(before), _known(now)
    if rest:
        yield (
            f"probability of {OTHER_CLASSES}",
            np.sum([np.nan_to_num(reference.probabilities[label]) for label in rest], axis=0),
            np.sum([np.nan_to_num(current.probabilities[label]) for label in rest], axis=0),
        )
    for name in reference.inputs:
        if name in current.inputs:
            yield name, _known(reference.inputs[name]), _known(current.inputs[name])


def own_figures(classes: Sequence[str], reference: Sample) -> tuple[list[str], list[str]]:
    """Return the classes with a figure of their own, and those that share one."""
    if len(classes) == 2:
        # The other probability is its complement: the same test twice.
        return [classes[-1]], []
    if len(classes) <= MAX_CLASSES:
        return list(classes), []
    answered = Counter(reference.answers)
    ranked = sorted(classes, key=lambda label: -answered[label])
    own = set(ranked[:MAX_CLASSES])
    return [c for c in classes if c in own], [c for c in classes if c not in own]


def _known(values: Values) -> Values:
    return values[~np.isnan(values)]


def _compare_values(
    name: str, reference: Values, current: Values, rng: np.random.Generator
) -> DriftFigure:
    n, m = len(reference), len(current)
    if min(n, m) < MIN_IMAGES:
        statistic = ks_statistic(reference, current) if n and m else math.nan
        return _too_few(name, "Kolmogorov-Smirnov", statistic, n, m)
    statistic = ks_statistic(reference, current)
    counts = np.unique(np.concatenate([reference, current]), return_counts=True)[1]
    if len(counts) <= min((n + m) / 2, _MAX_PERMUTED_VALUES):
        method, p_value = "permutation", _permuted_ks(statistic, counts, n, m, rng)
    else:
        method, p_value = _ks_p_value(reference, current)
    return DriftFigure(
        name=name,
        method=f"Kolmogorov-Smirnov, {method}",
        statistic=statistic,
        p_value=p_value,
        n_reference=n,
        n_current=m,
        interval=_ks_interval(statistic, n, m),
        verdict="none",
    )


def _too_few(name: str, method: str, statistic: float, n: int, m: int) -> DriftFigure:
    return DriftFigure(
        name=name,
        method=method,
        statistic=statistic,
        p_value=None,
        n_reference=n,
        n_current=m,
        interval=None,
        verdict="too_few",
    )


def _ks_p_value(reference: Values, current: Values) -> tuple[str, float]:
    """Return the method and the p-value for continuous values; ties only make it larger."""
    from scipy.stats import ks_2samp

    exact = max(len(reference), len(current)) <= _EXACT_IMAGES
    found = ks_2samp(reference, current, method="exact" if exact else "asymp")
    return "exact" if exact else "asymptotic", float(found.pvalue)


def _permuted_ks(
    statistic: float, counts: NDArray[np.integer], n: int, m: int, rng: np.random.Generator
) -> float:
    """Return the p-value over random divisions of tied values into samples of n and m.

    `counts` are the occurrences of each distinct value in both samples, in ascending order.
    """
    drawn = _divisions(counts, m, rng)
    now = drawn.cumsum(axis=1) / m
    before = (counts - drawn).cumsum(axis=1) / n
    return _share_at_least(np.abs(now - before).max(axis=1), statistic)


def _divisions(counts: NDArray[np.integer], m: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each value is among m drawn from all, (permutations, values)."""
    # Shuffling all images is the faster one, unless each value stands for many of them.
    method: Literal["count", "marginals"] = (
        "count" if counts.sum() < 40 * len(counts) else "marginals"
    )
    return rng.multivariate_hypergeometric(counts, m, size=_PERMUTATIONS, method=method)


def _share_at_least(drawn: Values, statistic: float) -> float:
    # The observed division is one of all, so that the p-value is never 0 (Phipson, Smyth 2010).
    return float(1 + (drawn >= statistic - 1e-9).sum()) / (1 + len(drawn))


def _ks_interval(statistic: float, n: int, m: int) -> Interval:
    """Return the 95 % interval of the difference, by the two-sample Kolmogorov band."""
    half = math.sqrt(-math.log(0.05 / 2) / 2 * (1 / n + 1 / m))
    return Interval(max(0.0, statistic - half), min(1.0, statistic + half))


def _compare_mix(
    reference: Sequence[str], current: Sequence[str], rng: np.random.Generator
) -> DriftFigure:
    """Return the figure of the answered classes: the largest change of a class's share."""
    n, m = len(reference), len(current)
    before, now = Counter(reference), Counter(current)
    labels = sorted(before.keys() | now.keys())
    counts = np.array([[before[label], now[label]] for label in labels], np.int64).reshape(-1, 2)
    if min(n, m) < MIN_IMAGES:
        changes = np.abs(counts[:, 0] / n - counts[:, 1] / m) if n and m else np.array([math.nan])
        return _too_few(CLASS_MIX, "largest change of share", float(changes.max()), n, m)
    changes = np.abs(counts[:, 0] / n - counts[:, 1] / m)
    largest = int(changes.argmax())
    both = counts.sum(axis=1)
    drawn = _divisions(both, m, rng)
    permuted = np.abs((both - drawn) / n - drawn / m).max(axis=1)
    return DriftFigure(
        name=CLASS_MIX,
        method="largest change of share, permutation",
        statistic=float(changes[largest]),
        p_value=_share_at_least(permuted, float(changes[largest])),
        n_reference=n,
        n_current=m,
        interval=_share_interval(
            int(before[labels[largest]]), int(now[labels[largest]]), n, m, len(labels)
        ),
        verdict="none",
    )


def _share_interval(before: int, now: int, n: int, m: int, classes: int) -> Interval:
    """Return the 95 % interval of a share's change, whichever of the classes changed most.

    Newcombe's hybrid score interval (1998, method 10), at 0.05 over the number of classes.
    """
    from scipy.stats import norm

    z = float(norm.isf(0.05 / (2 * classes)))
    p, q = before / n, now / m
    first, second = wilson_interval(before, n, z), wilson_interval(now, m, z)
    low = p - q - math.hypot(p - first.low, second.high - q)
    high = p - q + math.hypot(first.high - p, q - second.low)
    if low <= 0 <= high:
        return Interval(0.0, max(-low, high))
    return Interval(min(abs(low), abs(high)), max(abs(low), abs(high)))
