"""The report's tables, each row ready to be shown, and its choice of unusual images."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_monitor import formats
from scones_monitor.charts.distributions import (
    sparkline,
)
from scones_monitor.estimated_accuracy import estimated_accuracy
from scones_monitor.formats import count, interval, percent
from scones_monitor.period_summary import MAX_GALLERY_IMAGES, Place, Summary
from scones_monitor.release_history import ROLLING, UNRECORDED
from scones_monitor.report.figures import INPUTS, ReportData
from scones_monitor.review.sample import SampleFigure
from scones_monitor.statistics import (
    Estimate,
    Share,
    percentiles,
    share,
)
from scones_monitor.variant_comparison import VariantComparison, VariantFigures

MAX_ROWS = 20
"""Of more classes the most frequent ones have a row."""

_UNUSUAL = 3.5
"""The robust z-score from which a value is an outlier (Iglewicz and Hoaglin 1993)."""


def entropy_text(summary: Summary) -> str:
    """Return the spread of the answers' entropy in words, empty where it is not known."""
    values = summary.sample.entropy
    known = values[~np.isnan(values)]
    if not len(known):
        return ""
    spread = percentiles(known)
    return (
        f"Entropy of the answers, 0 bits for a certain one: median {spread[50]:.3f}, middle "
        f"90\u202f% {spread[5]:.3f} to {spread[95]:.3f}, n = {count(len(known))}."
    )


def by_class(data: ReportData) -> dict[str, Any]:
    """Return a row for each answered class, of many the most frequent, and how many are hidden."""
    summary, before = data.summary, data.reference
    counts = np.bincount(summary.label, minlength=len(summary.labels))
    old = np.bincount(before.label, minlength=len(summary.labels)) if before else None
    many = len(summary.labels) > MAX_ROWS
    order = np.argsort(-counts, kind="stable")[:MAX_ROWS] if many else range(len(counts))
    rows = []
    for i in map(int, order):
        values = summary.confidence[summary.label == i]
        if not len(values) and many:
            continue
        spread, part = percentiles(values), Share(len(values), len(summary))
        below = share(~summary.accepted[summary.label == i])
        row = {
            "name": summary.labels[i],
            "count": count(len(values)),
            "share": percent(part.value),
            "width": f"{100 * (part.value or 0):.1f}",
            "below": percent(below.value),
            "reference": percent(old[i] / max(1, old.sum())) if old is not None else "",
            "spark": sparkline(
                values, summary.threshold, len(summary.labels), f"class-{i}"
            ).markup()
            if len(values)
            else "",
        }
        rows.append(row | {f"p{p}": formats.confidence(spread.get(p)) for p in (5, 25, 50, 75, 95)})
    hidden = int((counts > 0).sum()) - len(rows) if many else 0
    return {"rows": rows, "hidden": max(0, hidden), "has_reference": old is not None}


def by_release(data: ReportData) -> list[dict[str, str]]:
    """Return the figures of each release of the period, where it is not one alone.

    Records of which nobody can tell the release have a row by the reason.
    """
    summary = data.summary
    if len(data.by_release) < 2 and not {ROLLING, UNRECORDED} & data.by_release.keys():
        return []
    rows = []
    for name, own in data.by_release.items():
        below, right = share(~summary.accepted[own]), share(data.right[own & data.known])
        estimate = estimated_accuracy(summary.confidence[own])
        rows.append(
            {
                "name": name,
                "n": count(int(own.sum())),
                "threshold": thresholds(summary, own),
                "below": f"{percent(below.value)} ({interval(below.interval)})",
                "estimate": f"{percent(estimate.value)} ({interval(estimate.interval)})"
                if estimate
                else formats.DASH,
                "right": f"{percent(right.value)} ({interval(right.interval)}), "
                f"n = {count(right.total)}"
                if right.total
                else formats.DASH,
            }
        )
    return rows


def thresholds(summary: Summary, chosen: NDArray[np.bool_] | None = None) -> str:
    """Return the thresholds that decided on these records, the lowest first."""
    return " and ".join(map(formats.threshold, summary.decided_by(chosen)))


def by_variant(found: VariantComparison) -> list[tuple[str, str, str, str]]:
    """Return (figure, active release, challenger, difference) of two releases in the same time."""

    def cell(each: Estimate | None) -> str:
        if each is None:
            return formats.DASH
        return f"{percent(each.value)} ({interval(each.interval)}), n = {count(each.n)}"

    own, theirs = found.active, found.challenger
    differences = found.differences()

    def row(name: str, text: Callable[[VariantFigures], str]) -> tuple[str, str, str, str]:
        return name, text(own), text(theirs), ""

    def labelled(side: VariantFigures) -> str:
        accepted, review = side.arm.accepted, side.arm.review
        return (
            f"{count(accepted.labelled)} of {count(accepted.answered)} accepted, "
            f"{count(review.labelled)} of {count(review.answered)} sent to review"
        )

    def latency(name: str) -> Callable[[VariantFigures], str]:
        return lambda side: (
            f"{side.latency_ms[name]:.0f}{formats.NARROW}ms"
            if name in side.latency_ms
            else formats.DASH
        )

    rows = [
        row("Variant", lambda side: side.variant),
        row("Threshold", lambda side: formats.threshold(side.summary.threshold)),
        row("Captured answers", lambda side: count(len(side.summary))),
        row(
            "Invocations",
            lambda side: count(side.metrics.invoked) if side.metrics else formats.DASH,
        ),
    ]
    for name, figure in own.figures.items():
        apart = differences[name]
        difference_text = formats.points(apart.value, apart.interval) if apart else formats.DASH
        rows.append((name.capitalize(), cell(figure), cell(theirs.figures[name]), difference_text))
    rows.append(row("Labelled", labelled))
    for name in sorted({*own.latency_ms, *theirs.latency_ms}):
        rows.append(row(f"Model latency, {name}", latency(name)))
    return rows


def quality(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Return (figure, estimate, realised, n) of accuracy and precision."""

    def cells(estimate: Estimate | None, realised: Share) -> tuple[str, str, str]:
        first = f"{percent(estimate.value)} ({interval(estimate.interval)})" if estimate else ""
        second = f"{percent(realised.value)} ({interval(realised.interval)})"
        n = f"{count(estimate.n) if estimate else 0} estimated, {count(realised.total)} labelled"
        return first or formats.DASH, second if realised.total else formats.DASH, n

    review, right = ~data.summary.accepted, share(data.right[data.known & ~data.summary.accepted])
    return [
        ("Accuracy", *cells(data.estimate, data.accuracy)),
        ("Precision of the accepted", *cells(data.estimated_precision, data.precision)),
        (
            "Accuracy of those sent to review",
            *cells(estimated_accuracy(data.summary.confidence[review]), right),
        ),
        *(_sampled(each) for each in data.samples),
    ]


def _sampled(found: SampleFigure) -> tuple[str, str, str, str]:
    right = found.right
    first, last = (f"{each.day} {each:%b}" for each in (found.since, found.until))
    realised = f"{percent(right.value)} ({interval(right.interval)})"
    return (
        f"Precision by random sample, {first} to {last}",
        formats.DASH,
        realised if right.total else formats.DASH,
        f"{count(right.total)} labelled of {count(found.drawn)} drawn of "
        f"{count(found.population)} accepted",
    )


def unusual(summary: Summary) -> tuple[Place, ...]:
    """Return the sample's records whose input statistics are farthest from the median.

    The distance is the robust z-score, |x - median| / (1.4826 MAD), of the statistic that deviates
    most; only outliers (over 3.5) are returned, the farthest first, with the reason.
    """
    rows = len(summary.sample)
    best, why = np.zeros(rows), np.full(rows, "", object)
    for name in INPUTS:
        values = summary.sample.inputs[name].astype(np.float64)
        known = values[~np.isnan(values)]
        if len(known) < 10:
            continue
        middle = float(np.median(known))
        scale = 1.4826 * float(np.median(np.abs(known - middle)))
        if scale == 0:
            continue
        score = np.nan_to_num(np.abs(values - middle) / scale)
        farther = score > best
        digits = INPUTS[name][1]
        best[farther] = score[farther]
        for row in np.flatnonzero(farther & (score > _UNUSUAL)):
            why[row] = f"{name} {values[row]:.{digits}f}, median {middle:.{digits}f}"
    order = [
        int(row)
        for row in np.argsort(-best, kind="stable")[:MAX_GALLERY_IMAGES]
        if best[row] > _UNUSUAL
    ]
    return tuple(replace(summary.sample.places[row], reason=str(why[row])) for row in order)


def assignments(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Return (vehicle, bay, orders, number of results), in this order."""
    return [
        (vehicle, bay, orders, count(n))
        for (vehicle, bay, orders), n in sorted(data.assignments.items())
    ]
