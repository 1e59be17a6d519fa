"""The figures of the last hour: what `inv watch` shows, and what CloudWatch gets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MonitorError
from scones_monitor.drift.onset import Onset
from scones_monitor.drift.two_sample_tests import CLASS_MIX, DriftFigure, Verdict, drifted
from scones_monitor.formats import count, percent
from scones_monitor.period_summary import GOLDEN
from scones_monitor.report import ReportData
from scones_monitor.statistics import Share, share
from scones_monitor.variant_comparison import VariantComparison

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StandardUnitType
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

MAX_CLASSES = 20
"""How many classes have figures of their own: the most frequent ones; each is billed."""

NAMESPACE = "scones/monitoring"
"""Namespace of the published metrics; an endpoint's name says which environment it is of.

Terraform's alarms and dashboard name it and the metrics, too; a test holds them equal.
"""

DAY = timedelta(days=1)
"""The period of the figures that alarms look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One answered class: its share of the images, and its confidence, 0 to 1."""

    share: Share
    median: float
    p10: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """One period of an endpoint's traffic.

    `review` are the images below the threshold, `releases` those of each release where the period
    has more than one. `classes` are the answered ones, the most
    frequent first, `other_classes` how many more there are. `captured` are the records there
    are of those that data capture was to write, None where it is not known, as are
    `invocations`, `errors` and `latency_ms` (90th percentile). All are of the active release;
    `challenger` says in words how the one next to it does, "" where there is none.
    """

    endpoint: str
    since: datetime
    until: datetime
    images: int
    review: Share
    classes: Mapping[str, ClassFigures]
    other_classes: int = 0
    drift: Sequence[DriftFigure] = ()
    drift_note: str = ""
    onset: Onset | None = None
    captured: Share | None = None
    invocations: int | None = None
    errors: int | None = None
    latency_ms: float | None = None
    challenger: str = ""
    releases: Mapping[str, Share] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The verdict of all drift figures together."""
        return drifted(self.drift)

    @property
    def effect(self) -> float | None:
        """The largest effect of the figures that are judged, 0 to 1."""
        judged = [figure.statistic for figure in self.drift if figure.p_value is not None]
        return max(judged, default=None)

    @property
    def class_mix(self) -> Verdict:
        """The verdict of the answered classes' shares only."""
        return drifted([figure for figure in self.drift if figure.name == CLASS_MIX])


def live_figures(data: ReportData) -> LiveFigures:
    """Return the figures of a report's data; of a period without records, too."""
    summary, total = data.summary, len(data.summary)
    answered = np.bincount(summary.label[summary.label >= 0], minlength=len(summary.labels))
    ranked = [int(index) for index in np.argsort(-answered, kind="stable") if answered[index]]
    classes = {}
    for index in ranked[:MAX_CLASSES]:
        p10, median = np.quantile(summary.confidence[summary.label == index], [0.1, 0.5])
        classes[summary.labels[index]] = ClassFigures(
            share=Share(int(answered[index]), total), median=float(median), p10=float(p10)
        )
    metrics = data.metrics
    return LiveFigures(
        endpoint=data.provenance.endpoint,
        since=data.since,
        until=data.until,
        images=total,
        review=Share(int((~summary.accepted).sum()), total),
        classes=classes,
        other_classes=max(0, len(ranked) - MAX_CLASSES),
        drift=tuple(data.drift),
        drift_note=data.drift_note,
        onset=data.onset,
        captured=_captured(data, total),
        invocations=metrics.invoked if metrics else None,
        errors=metrics.failed if metrics else None,
        latency_ms=metrics.overall.get("p90") if metrics else None,
        challenger=_challenger_text(data.variants) if data.variants else "",
        releases={name: share(~summary.accepted[own]) for name, own in data.by_release.items()}
        if len(data.by_release) > 1
        else {},
    )


def _challenger_text(found: VariantComparison) -> str:
    side = found.challenger
    below = _share_text(Share(int((~side.summary.accepted).sum()), len(side.summary)))
    return f"{side.release}: {below} to review, verdict {found.verdict.outcome}"


def _captured(data: ReportData, total: int) -> Share | None:
    """Return the records of those expected; more than expected is all of them."""
    if data.metrics is None or not data.sampling:
        return None
    # A request that failed is not captured; a golden sample is, and is left out of the figures.
    total += sum(each.count for each in data.summary.excluded if each.reason == GOLDEN)
    answered = max(0, data.metrics.invoked - data.metrics.failed)
    expected = round(answered * data.sampling / 100)
    return Share(min(total, expected), expected) if expected else None


def line(figures: LiveFigures) -> str:
    """Return the figures as one line, for a log."""
    parts = [f"{figures.until:%H:%M:%S}", *(f"{name} {text}" for name, text in rows(figures))]
    return "  ".join(parts)


def rows(figures: LiveFigures) -> list[tuple[str, str]]:
    """Return the figures as names and texts, each with its n where it is of a sample."""
    found = [("images", count(figures.images)), ("review", _share_text(figures.review))]
    for name, review in figures.releases.items():
        found.append((f"review, {name}", _share_text(review)))
    for label, each in figures.classes.items():
        found.append((label, f"{percent(each.share.value)}, median {each.median:.3f}"))
    if figures.other_classes:
        found.append(("further classes", count(figures.other_classes)))
    found.append(("drift", _drift_text(figures)))
    if figures.onset is not None:
        found.append(("first change", str(figures.onset)))
    if figures.captured is not None:
        found.append(("captured", _share_text(figures.captured)))
    if figures.invocations is not None:
        found.append(("errors", f"{count(figures.errors or 0)} of {count(figures.invocations)}"))
    if figures.latency_ms is not None:
        found.append(("latency p90", f"{figures.latency_ms:.0f} ms"))
    if figures.challenger:
        found.append(("challenger", figures.challenger))
    return found


def _share_text(share: Share) -> str:
    return f"{percent(share.value)} of {count(share.total)}" if share.total else "of none"


def _drift_text(figures: LiveFigures) -> str:
    judged = [each for each in figures.drift if each.p_value is not None]
    if not judged:
        return f"not known: {figures.drift_note or 'too few images'}"
    names = [each.name for each in judged if each.verdict == "drift"]
    if not names:
        return f"none in {len(judged)} figures, n = {judged[0].n_current:,}"
    return f"DRIFT of {', '.join(names)}, n = {judged[0].n_current:,}"


def metric_data(figures: LiveFigures) -> "list[MetricDatumTypeDef]":
    """Return the entries of one PutMetricData, dated the period's end.

    By `Endpoint` and `Period`: Images, ReviewPercent, Drift and ClassMixDrift (1 or 0),
    DriftEffect, CaptureGapPercent; by `Label`, too: ClassPercent, ConfidenceMedian. What is not
    known has no entry: no data is another thing than zero.
    """
    values: dict[str, tuple[float | None, StandardUnitType]] = {
        "Images": (figures.images, "Count"),
        "ReviewPercent": (_percent(figures.review), "Percent"),
        "Drift": (_flag(figures.verdict), "Count"),
        "ClassMixDrift": (_flag(figures.class_mix), "Count"),
        "DriftEffect": (figures.effect, "None"),
        "CaptureGapPercent": (_gap(figures.captured), "Percent"),
    }
    found = [_entry(figures, name, value, unit) for name, (value, unit) in values.items()]
    for label, each in figures.classes.items():
        found.append(_entry(figures, "ClassPercent", _percent(each.share), "Percent", label))
        found.append(_entry(figures, "ConfidenceMedian", each.median, "None", label))
    return [entry for entry in found if entry is not None]


def publish(cloudwatch: "CloudWatchClient", figures: LiveFigures) -> int:
    """Write the figures to CloudWatch, and return how many values they are.

    Raises MonitorError where CloudWatch refuses or is not reached.
    """
    # MAX_CLASSES keeps them far below the 1,000 that one request takes.
    entries = metric_data(figures)
    try:
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=entries)
    except (ClientError, BotoCoreError) as error:
        raise MonitorError(
            f"The figures of {figures.endpoint} cannot be written to CloudWatch: {error}"
        ) from error
    return len(entries)


def span_text(span: timedelta) -> str:
    """Return a span as `--since` has it: `1d`, `12h`, `30m`; others in seconds."""
    seconds = round(span.total_seconds())
    units = (("d", 86400), ("h", 3600), ("m", 60))
    unit, size = next(((u, n) for u, n in units if seconds % n == 0), ("s", 1))
    return f"{seconds // size}{unit}"


def _flag(verdict: Verdict) -> bool | None:
    return None if verdict == "too_few" else verdict == "drift"


def _percent(share: Share) -> float | None:
    return None if share.value is None else 100 * share.value


def _gap(captured: Share | None) -> float | None:
    return None if captured is None or captured.value is None else 100 * (1 - captured.value)


def _entry(
    figures: LiveFigures, name: str, value: float | None, unit: "StandardUnitType", label: str = ""
) -> "MetricDatumTypeDef | None":
    if value is None or not math.isfinite(value):
        return None
    # A day's alarm must not see the figures of an hour, which somebody's terminal publishes.
    dimensions: list[DimensionTypeDef] = [
        {"Name": "Endpoint", "Value": figures.endpoint},
        {"Name": "Period", "Value": span_text(figures.until - figures.since)},
    ]
    if label:
        dimensions.append({"Name": "Label", "Value": label})
    return {
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": figures.until,
        "Value": float(value),
        "Unit": unit,
    }
