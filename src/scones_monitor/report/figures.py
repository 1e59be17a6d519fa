"""Data of a report, and its figures for programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_monitor.cloudwatch_metrics import EndpointMetrics
from scones_monitor.drift.onset import Onset
from scones_monitor.drift.two_sample_tests import DriftFigure
from scones_monitor.estimated_accuracy import estimated_accuracy
from scones_monitor.period_summary import NO_LABEL, Place, Summary
from scones_monitor.release_history import NO_HISTORY, ROLLING, UNRECORDED, History
from scones_monitor.review.sample import SampleFigure
from scones_monitor.statistics import (
    Estimate,
    Share,
    percentiles,
    share,
)
from scones_monitor.variant_comparison import VariantComparison

SYNTHETIC = "synthetic"

# The unit and the decimals of each input statistic that is shown.
INPUTS = {
    "brightness": ("mean luma, 0 black to 1 white", 2),
    "contrast": ("standard deviation of luma, 0 to 0.5", 2),
    "sharpness": ("variance of the luma's Laplacian; blur lowers it", 3),
    "saturation": ("0 grey to 1", 2),
    "size": ("pixels, width times height", 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the report's figures are from; empty texts are shown as unknown.

    `dataset_kind` and `dataset_name` are the manifest source's `kind` and `name`;
    `threshold_origin` says in words who chose the threshold; `source` where the records are.
    """

    environment: str
    endpoint: str
    source: str
    release: str = ""
    model_url: str = ""
    dataset_version: str = ""
    dataset_kind: str = ""
    dataset_name: str = ""
    threshold_origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the workflow: how its inputs ended.

    `failures` are (image, error, cause). `without_record` counts classified images that were not
    captured; `keys` names images by inference id.
    """

    executions: tuple[str, ...]
    decisions: Mapping[str, int]
    failures: tuple[tuple[str, str, str], ...] = ()
    without_record: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """How many images the run was given."""
        return sum(self.decisions.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """What the period cost, in `currency`; `lines` are (what, amount), `basis` says how."""

    currency: str
    lines: tuple[tuple[str, float], ...]
    basis: str

    @property
    def total(self) -> float:
        """The sum of the lines."""
        return sum(amount for _, amount in self.lines)


Explain = Callable[[Place, bytes], Image.Image | None]
"""Returns a record's encoded image with the parts that decided marked; raises SconesError."""


def unexplained(_: Place, __: bytes) -> Image.Image | None:
    """Return None: nobody can tell which part of the image decided."""
    return None


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What a report is made of.

    `since` and `until` are the period, aware. `image` returns a record's image bytes, None where
    they are gone. `reference` is what drift was compared with; without one `drift_note` says why.
    `onset` is the first image at which the online detector had seen enough, `reference_until` when
    the reference ends.
    `variants` compares the active release, which all else is about, with its challenger.
    `history` says which release answered when, `sampling` is the percentage of requests that is
    captured. `samples` are the random samples of accepted images that overlap the period.
    `assignments` counts results by (vehicle, bay, orders).
    """

    summary: Summary
    provenance: Provenance
    generated: datetime
    since: datetime
    until: datetime
    image: Callable[[Place], bytes | None] = lambda _: None
    explain: Explain = unexplained
    run: Run | None = None
    metrics: EndpointMetrics | None = None
    sampling: int | None = None
    history: History = NO_HISTORY
    samples: Sequence[SampleFigure] = ()
    reference: Summary | None = None
    drift: Sequence[DriftFigure] = ()
    drift_note: str = ""
    onset: Onset | None = None
    reference_until: datetime | None = None
    cost: Cost | None = None
    assignments: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    target_precision: float | None = None
    variants: VariantComparison | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the images were made up, so that no figure is about the real task."""
        return self.provenance.dataset_kind == SYNTHETIC

    @cached_property
    def by_release(self) -> dict[str, NDArray[np.bool_]]:
        """Which records each release answered, and which nobody can tell, by release or reason.

        Empty where no history is kept.
        """
        if not self.history.stretches:
            return {}
        names, place = self.history.of(self.summary.time)
        found = {name: place == i for i, name in enumerate(names)}
        ordered = sorted(found.items(), key=lambda each: each[0] in (ROLLING, UNRECORDED))
        return {name: mask for name, mask in ordered if mask.any()}

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which records have a true label."""
        known: NDArray[np.bool_] = self.summary.truth != NO_LABEL
        return known

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which records were answered with their true label."""
        right: NDArray[np.bool_] = self.known & (self.summary.truth == self.summary.label)
        return right

    @cached_property
    def accuracy(self) -> Share:
        """The realised accuracy, over the records of known truth."""
        return share(self.right[self.known])

    @cached_property
    def precision(self) -> Share:
        """The realised accuracy of the accepted ones among these."""
        return share(self.right[self.known & self.summary.accepted])

    @cached_property
    def estimate(self) -> Estimate | None:
        """The accuracy to be expected by the confidences, without labels."""
        return estimated_accuracy(self.summary.confidence)

    @cached_property
    def estimated_precision(self) -> Estimate | None:
        """The same of the accepted ones."""
        return estimated_accuracy(self.summary.confidence[self.summary.accepted])

    @cached_property
    def coverage(self) -> Share:
        """How many of the classified images were accepted, by the active release."""
        # A run counts the decisions of both releases, which have each its own threshold.
        if self.run and self.variants is None:
            accepted, review = (self.run.decisions.get(d, 0) for d in ("accepted", "review"))
            return Share(accepted, accepted + review)
        return share(self.summary.accepted)

    @cached_property
    def captured(self) -> Share | None:
        """How many of the invocations were captured; None where these are not known."""
        if not self.metrics or not self.metrics.invoked:
            return None
        others = (each.count for each in self.summary.excluded if each.kind == "request")
        counted = len(self.summary) + sum(others)
        return Share(min(counted, self.metrics.invoked), self.metrics.invoked)


def figures(data: ReportData) -> dict[str, Any]:
    """Return the report's figures, ready for JSON.

    `accuracy` is over the `n_test` classified images of known truth, with its 95 % Wilson
    interval; precision over the accepted ones of these; `estimated_accuracy` needs no labels.
    `coverage_at_threshold` is accepted / (accepted + review); where a challenger answers too, of
    the active release alone. A proportion of nothing is None.
    """
    summary, run, right = data.summary, data.run, data.accuracy
    accepted = int(summary.accepted.sum())
    decided = {"accepted": accepted, "review": len(summary) - accepted, "failed": 0}
    decided |= dict(run.decisions) if run else {}
    return {
        "since": data.since.isoformat(),
        "until": data.until.isoformat(),
        "inputs": run.inputs if run else len(summary),
        **decided,
        "accuracy": right.value,
        "accuracy_interval": list(right.interval) if right.interval else None,
        "n_test": right.total,
        "estimated_accuracy": data.estimate.value if data.estimate else None,
        "estimated_accuracy_interval": list(data.estimate.interval) if data.estimate else None,
        "estimated_accuracy_n": data.estimate.n if data.estimate else 0,
        "threshold": summary.threshold,
        "thresholds": list(summary.decided_by()),
        "precision_at_threshold": data.precision.value,
        "precision_n": data.precision.total,
        "coverage_at_threshold": data.coverage.value,
        "captured_records": len(summary),
        "capture_files": summary.files,
        "capture_coverage": data.captured.value if data.captured else None,
        "invocations": data.metrics.invoked if data.metrics else None,
        "invocation_errors": data.metrics.failed if data.metrics else None,
        "latency_ms": dict(data.metrics.overall) if data.metrics else {},
        "results_without_record": run.without_record if run else 0,
        "classes": _class_figures(summary),
        "inputs_statistics": {
            name: {"n": len(values), **{str(p): v for p, v in percentiles(values).items()}}
            for name, values in input_values(summary).items()
        },
        "drift": [_drift_json(each) for each in data.drift],
        "drift_note": data.drift_note,
        "reference_until": data.reference_until.isoformat() if data.reference_until else None,
        "drift_since": data.onset.since.isoformat() if data.onset else None,
        "cost": {"currency": data.cost.currency, "total": data.cost.total} if data.cost else None,
        "random_samples": [each.as_json() for each in data.samples],
        "releases": {name: int(mask.sum()) for name, mask in data.by_release.items()},
        "assignments": [
            {"vehicle": vehicle, "bay": bay, "orders": orders, "n": n}
            for (vehicle, bay, orders), n in sorted(data.assignments.items())
        ],
        "variants": data.variants.as_json() if data.variants else None,
        "excluded": {each.reason: each.count for each in summary.excluded},
        "left_out": list(data.left_out),
    }


def _class_figures(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return the count and the confidences of each class that was answered at all."""
    figures = {}
    for index, label in enumerate(summary.labels):
        confidences = summary.confidence[summary.label == index]
        if len(confidences):
            quantiles = {str(p): value for p, value in percentiles(confidences).items()}
            figures[label] = {"n": len(confidences), "confidence_percentiles": quantiles}
    return figures


def input_values(summary: Summary) -> dict[str, NDArray[np.float32]]:
    """Return the known values of each input statistic of the sample, where there are any."""
    found = {}
    for name in INPUTS:
        values = summary.sample.inputs[name]
        known = values[~np.isnan(values)]
        if len(known):
            found[name] = known
    return found


def _drift_json(figure: DriftFigure) -> dict[str, Any]:
    finite = figure.statistic == figure.statistic
    return {
        "name": figure.name,
        "method": figure.method,
        "statistic": figure.statistic if finite else None,
        "p_value": figure.p_value,
        "n_reference": figure.n_reference,
        "n_current": figure.n_current,
        "interval": list(figure.interval) if figure.interval else None,
        "verdict": figure.verdict,
    }
