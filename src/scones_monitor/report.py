"""The report on an endpoint: figures for programs, a page for people, charts for documents."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from scones_core.errors import MonitorError
from scones_core.files import write_atomically, write_json
from scones_monitor import formats
from scones_monitor.charts.axes import TimeAxis
from scones_monitor.charts.distributions import (
    Stack,
    confidence_histogram,
    input_histogram,
    reliability_diagram,
    sparkline,
)
from scones_monitor.charts.matrix import confusion_matrix
from scones_monitor.charts.over_time import KINDS, MAX_POINTS, Marker, OverTime, Point, glyph
from scones_monitor.charts.png import to_png
from scones_monitor.charts.svg import Drawing
from scones_monitor.drift.figures import DriftFigure
from scones_monitor.formats import count, interval, percent, plural, threshold
from scones_monitor.images import decode_image
from scones_monitor.invocations import EndpointMetrics
from scones_monitor.statistics import (
    Estimate,
    Share,
    confusion,
    estimated_accuracy,
    percentiles,
    reliability,
    share,
)
from scones_monitor.summary import NO_LABEL, SHOWN, Place, Summary
from scones_monitor.timeline import Timeline, counts_of, days_without, longest_gap, timeline

MAX_PAGE_BYTES = 2_000_000
METRIC_STEP = timedelta(minutes=1)
SYNTHETIC = "synthetic"
MAX_ROWS = 20
"""Of more classes the most frequent ones have a row."""
MAX_MATRIX = 30
"""Of more classes the matrix is a list of the most frequent confusions."""

# The unit and the decimals of each input statistic that is shown.
INPUTS = {
    "brightness": ("mean luma, 0 black to 1 white", 2),
    "contrast": ("standard deviation of luma, 0 to 0.5", 2),
    "sharpness": ("variance of the luma's Laplacian; blur lowers it", 3),
    "saturation": ("0 grey to 1", 2),
    "size": ("pixels, width times height", 0),
}
_UNUSUAL = 3.5
"""The robust z-score from which a value is an outlier (Iglewicz and Hoaglin 1993)."""


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


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What a report is made of.

    `since` and `until` are the period, aware. `image` returns a record's image bytes, None where
    they are gone. `reference` is what drift was compared with; without one `drift_note` says why.
    `sampling` is the percentage of requests that is captured. `assignments` counts results by
    (vehicle, bay, orders).
    """

    summary: Summary
    provenance: Provenance
    generated: datetime
    since: datetime
    until: datetime
    image: Callable[[Place], bytes | None] = lambda _: None
    run: Run | None = None
    metrics: EndpointMetrics | None = None
    sampling: int | None = None
    releases: Sequence[Marker] = ()
    reference: Summary | None = None
    drift: Sequence[DriftFigure] = ()
    drift_note: str = ""
    cost: Cost | None = None
    assignments: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    target_precision: float | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the images were made up, so that no figure is about the real task."""
        return self.provenance.dataset_kind == SYNTHETIC

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
        """How many of the classified images were accepted."""
        if self.run:
            accepted, review = (self.run.decisions.get(d, 0) for d in ("accepted", "review"))
            return Share(accepted, accepted + review)
        return share(self.summary.accepted)

    @cached_property
    def captured(self) -> Share | None:
        """How many of the invocations were captured; None where these are not known."""
        if not self.metrics or not self.metrics.invoked:
            return None
        others = (each.count for each in self.summary.excluded if each.what == "request")
        counted = len(self.summary) + sum(others)
        return Share(min(counted, self.metrics.invoked), self.metrics.invoked)


def figures(data: ReportData) -> dict[str, Any]:
    """Return the report's figures, ready for JSON.

    `accuracy` is over the `n_test` classified images of known truth, with its 95 % Wilson
    interval; precision over the accepted ones of these; `estimated_accuracy` needs no labels.
    `coverage_at_threshold` is accepted / (accepted + review). A proportion of nothing is None.
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
        "classes": {
            label: {
                "n": int((summary.label == i).sum()),
                "confidence_percentiles": {
                    str(p): v
                    for p, v in percentiles(summary.confidence[summary.label == i]).items()
                },
            }
            for i, label in enumerate(summary.labels)
            if (summary.label == i).any()
        },
        "inputs_statistics": {
            name: {"n": len(values), **{str(p): v for p, v in percentiles(values).items()}}
            for name, values in _inputs(summary).items()
        },
        "drift": [_drift_json(each) for each in data.drift],
        "drift_note": data.drift_note,
        "cost": {"currency": data.cost.currency, "total": data.cost.total} if data.cost else None,
        "assignments": [
            {"vehicle": vehicle, "bay": bay, "orders": orders, "n": n}
            for (vehicle, bay, orders), n in sorted(data.assignments.items())
        ],
        "excluded": {each.reason: each.count for each in summary.excluded},
        "left_out": list(data.left_out),
    }


def write_report(path: Path, data: ReportData) -> dict[str, Any]:
    """Write the page, its figures as JSON and its main charts as PNG beside it; return the figures.

    The page loads nothing; each file is whole or as it was. Raises MonitorError where a page would
    be over 2 MB.
    """
    page = _Page(data)
    # A key may hold a lone surrogate, which UTF-8 cannot.
    html = page.html().encode("utf-8", errors="replace")
    if len(html) > MAX_PAGE_BYTES:
        raise MonitorError(f"{path} would have {len(html):,} bytes, over {MAX_PAGE_BYTES:,}.")
    found = figures(data)
    write_atomically(path, html)
    write_json(path.with_suffix(".json"), found)
    for name, drawing in page.main.items():
        write_atomically(path.with_name(f"{path.stem}-{name}.png"), to_png(drawing))
    return found


class KeyFigure(NamedTuple):
    """A figure with its name and a line of detail; `css` is the class of its mark."""

    name: str
    value: str
    detail: str
    css: str = ""


class Card(NamedTuple):
    """An image of a gallery; `source` is a data URI, empty where the image is gone."""

    source: str
    label: str
    confidence: str
    truth: str
    wrong: bool
    name: str
    reason: str


class _Page:
    """The page while it is made; `main` are the charts that become files of their own."""

    def __init__(self, data: ReportData) -> None:
        self.data = data
        self.main: dict[str, Drawing] = {}
        self.classes = len(data.summary.labels)

    def html(self) -> str:
        """Return the page; it refers to nothing outside of itself."""
        return _templates().get_template("report.html.j2").render(self._context())

    def _context(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        wrong = int((data.known & ~data.right & summary.accepted).sum())
        return {
            "data": data,
            "headline": headline(data),
            "period": formats.period(data.since, data.until),
            "key_figures": key_figures(data),
            "findings": findings(data),
            "known": data.accuracy.total,
            **(
                self._over_time()
                if len(summary)
                else {"legend": [], "charts": {}, "invocations_drawn": False}
            ),
            **(self._distributions() if len(summary) else {"histogram": "", "stacks": []}),
            "entropy": _entropy(summary),
            "by_class": _by_class(data),
            "by_release": _by_release(data),
            "input_charts": self._inputs(),
            "quality": _quality(data),
            "reliability": self._reliability(),
            **self._matrix(),
            "wrong": self._cards(summary.wrong),
            "wrong_count": wrong,
            "least": self._cards(summary.least_confident),
            "unusual": self._cards(unusual(summary)),
            "assignments": _assignments(data),
            "excluded": summary.excluded,
            "releases": [m.text for m in data.releases if data.since <= m.time <= data.until],
        }

    def _over_time(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        first, last = _plotted(data)
        line = timeline(summary.time, summary.confidence, summary.threshold, first, last)
        time = OverTime(TimeAxis(line.start, line.end), data.releases)
        metrics = data.metrics
        # CloudWatch's finest values are of a minute: in finer bins they would stand as spikes.
        fine = metrics is not None and line.step >= METRIC_STEP
        invoked = counts_of(metrics.invocations, line) if metrics and fine else None
        invoked = invoked if invoked is not None and invoked.any() else None
        charts = {"traffic": time.traffic(line, invoked)}
        legend: list[tuple[Any, str, int]] = []
        if len(summary) <= MAX_POINTS:
            points = _point_list(data)
            drawn = Counter(point.kind for point in points)
            legend = [(glyph(k).markup(), KINDS[k], drawn[k]) for k in KINDS if drawn[k]]
            charts["confidence"] = time.points(points, summary.threshold, self.classes)
        else:
            charts["confidence"] = time.bands(line, summary.threshold, self.classes)
        charts["review"] = time.lines(
            "review", "Share sent to review", {"review": _shares(line)}, "%", top=1.0
        )
        latency = {
            name: [point for point in series if line.start <= point[0] <= line.end]
            for name, series in (metrics.latency if metrics and fine else {}).items()
        }
        if any(latency.values()):
            charts["latency"] = time.lines("latency", "Model latency", latency, "ms")
        self.main |= {name: pair[0] for name, pair in charts.items()}
        drawn_charts = {n: [each.markup() for each in pair] for n, pair in charts.items()}
        return {
            "legend": legend,
            "charts": drawn_charts,
            "step": formats.duration(line.step),
            "invocations_drawn": invoked is not None,
        }

    def _distributions(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        if data.accuracy.total:
            wrong = data.known & ~data.right
            masks = {"wrong": wrong, "right": data.right}
        else:
            masks = {"review": ~summary.accepted, "accepted": summary.accepted}
        stacks = [Stack(name, summary.confidence[mask]) for name, mask in masks.items()]
        drawing = confidence_histogram(stacks, summary.threshold, self.classes)
        self.main["histogram"] = drawing
        counts = [(name, int(mask.sum())) for name, mask in masks.items()]
        return {"histogram": drawing.markup(), "stacks": counts[::-1]}

    def _inputs(self) -> list[dict[str, Any]]:
        found = []
        before = _inputs(self.data.reference) if self.data.reference else {}
        for name, values in _inputs(self.data.summary).items():
            unit, digits = INPUTS[name]
            spread, old = percentiles(values), before.get(name, np.empty(0, np.float32))
            spread_before = percentiles(old)
            found.append(
                {
                    "name": name,
                    "unit": unit,
                    "n": len(values),
                    "text": f"median {spread[50]:.{digits}f}, middle 90\u202f% "
                    f"{spread[5]:.{digits}f} to {spread[95]:.{digits}f}",
                    "reference": f"reference: median {spread_before[50]:.{digits}f}, "
                    f"n = {count(len(old))}" if spread_before else "",
                    "chart": input_histogram(name, values, old, digits).markup()
                    if values.min() < values.max() else "",
                }
            )  # fmt: skip
        return found

    def _reliability(self) -> Any:
        data = self.data
        if not data.accuracy.total:
            return ""
        bins = reliability(data.summary.confidence[data.known], data.right[data.known])
        drawing = reliability_diagram(bins)
        self.main["reliability"] = drawing
        return drawing.markup()

    def _matrix(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        if not data.accuracy.total:
            return {"matrix": "", "confusions": []}
        counts = confusion(summary.truth[data.known], summary.label[data.known], self.classes)
        if self.classes <= MAX_MATRIX:
            drawing = confusion_matrix(counts.tolist(), summary.labels)
            self.main["confusion"] = drawing
            return {"matrix": drawing.markup(), "confusions": []}
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        most = np.argsort(wrong, axis=None, kind="stable")[::-1][:MAX_ROWS]
        rows = [
            (
                summary.labels[i],
                summary.labels[j],
                count(int(wrong[i, j])),
                count(int(counts[i].sum())),
            )
            for i, j in zip(*np.unravel_index(most, wrong.shape), strict=True)
            if wrong[i, j]
        ]
        return {"matrix": "", "confusions": rows}

    def _cards(self, places: Sequence[Place]) -> list[Card]:
        keys = self.data.run.keys if self.data.run else {}
        found = []
        for place in places:
            body = self.data.image(place)
            image = decode_image(body) if body else None
            found.append(
                Card(
                    source=image.data_uri() if image else "",
                    label=place.label,
                    confidence=formats.confidence(place.confidence),
                    truth=place.truth,
                    wrong=bool(place.truth) and place.truth != place.label,
                    name=keys.get(place.inference_id, formats.timestamp(place.time)),
                    reason=place.reason,
                )
            )
        return found


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("scones_monitor"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(formats=formats)
    return environment


def headline(data: ReportData) -> str:
    """Return the outcome in one sentence."""
    total, failed = len(data.summary), data.run.decisions.get("failed", 0) if data.run else 0
    if not data.coverage.total:
        if data.run:
            return f"None of the {plural(data.run.inputs, 'image')} could be classified."
        return "No image was classified in this period."
    share_text = f"{percent(data.coverage.value)} {'were' if data.coverage.total > 1 else 'was'}"
    decided = f"{share_text} decided without a person"
    end = f", and {count(failed)} failed." if failed else "."
    if data.accuracy.total:
        sure = data.precision
        at = f" at {percent(sure.value)} precision" if sure.total else ""
        known = plural(data.accuracy.total, "labelled image")
        return f"{percent(data.accuracy.value)} of {known} got the right class; {decided}{at}{end}"
    return f"Of {plural(max(total, data.coverage.total), 'image')}, {decided}{end}"


def key_figures(data: ReportData) -> list[KeyFigure]:
    """Return the figures of the page's head, each with its n."""
    summary, run, metrics = data.summary, data.run, data.metrics
    total = run.inputs if run else len(summary)
    accepted = data.coverage.hits
    review = data.coverage.total - accepted
    source = "captured records"
    if run:
        source = f"of {plural(len(run.executions), 'execution')}"
    found = [
        KeyFigure("Images", count(total), source),
        KeyFigure(
            "Accepted", percent(data.coverage.value), f"n = {count(accepted)}, at the threshold of "
            f"{threshold(summary.threshold)} or above", "accepted",
        ),
        KeyFigure(
            "Review", percent(review / data.coverage.total if data.coverage.total else None),
            f"n = {count(review)}, below it", "review",
        ),
    ]  # fmt: skip
    if run:
        failed = run.decisions.get("failed", 0)
        found.append(KeyFigure("Failed", count(failed), f"of {plural(total, 'input')}", "failed"))
    elif metrics and metrics.invoked:
        errors = f"of {plural(metrics.invoked, 'invocation')}"
        found.append(KeyFigure("Errors", count(metrics.failed), errors, "failed"))
    if data.estimate:
        found.append(_estimate("Estimated accuracy", data.estimate, "no labels needed"))
    found.append(_realised("Realised accuracy", data.accuracy, "labelled"))
    found.append(_realised("Precision", data.precision, "accepted and labelled"))
    if data.captured:
        detail = f"{count(data.captured.hits)} of {plural(data.captured.total, 'invocation')}"
        found.append(KeyFigure("Captured", percent(data.captured.value), detail))
    if metrics and "p50" in metrics.overall:
        value = f"{metrics.overall['p50']:.0f}\u202fms"
        detail = f"median; 99 % within {metrics.overall.get('p99', 0):.0f}\u202fms, n = " + count(
            metrics.invoked
        )
        found.append(KeyFigure("Model latency", value, detail))
    if data.cost:
        value = f"{data.cost.total:,.2f}\u202f{data.cost.currency}"
        found.append(KeyFigure("Cost of the period", value, data.cost.basis))
    return found


def _estimate(name: str, found: Estimate, note: str) -> KeyFigure:
    detail = f"{interval(found.interval)}, n = {count(found.n)}, {note}"
    return KeyFigure(name, percent(found.value), detail)


def _realised(name: str, found: Share, what: str) -> KeyFigure:
    if not found.total:
        return KeyFigure(name, formats.DASH, f"no image is {what}")
    detail = f"{interval(found.interval)}, n = {count(found.total)} {what}"
    return KeyFigure(name, percent(found.value), detail)


def findings(data: ReportData) -> list[str]:
    """Return what a reader must know before trusting the figures, each a sentence."""
    summary, found = data.summary, []
    n = len(summary)
    if n == 0:
        found.append(
            "No record was captured in this period. On AWS delivery takes minutes; check that "
            "capture is on and that requests succeeded."
        )
    elif n < 30:
        found.append(f"Only {plural(n, 'record')}: the intervals are wide, single images decide.")
    drifted = [each for each in data.drift if each.verdict == "drift"]
    if drifted:
        names = ", ".join(each.name for each in drifted)
        found.append(f"Drift: {names} differ from the reference (see the table below).")
    if data.run and data.run.decisions.get("failed"):
        found.append(f"{plural(data.run.decisions['failed'], 'image')} failed.")
    if data.target_precision is not None and data.precision.interval:
        target = threshold(data.target_precision)
        if data.precision.interval.high < data.target_precision:
            found.append(f"Precision is below its target of {target}.")
    estimate, right = data.estimate, data.accuracy
    if estimate and right.interval and right.total >= 30:
        low, high = right.interval
        if estimate.interval.low > high or estimate.interval.high < low:
            found.append(
                "Estimated and realised accuracy disagree: the labelled images are not like the "
                "rest, or the confidences are no longer calibrated."
            )
    found += [*_gaps(data), *_capture(data)]
    if summary.other_clock:
        found.append(
            f"The clocks disagree: of {plural(summary.other_clock, 'record')} inferenceTime "
            "contradicts the time of the file; the file's time was used."
        )
    excluded = sum(each.count for each in summary.excluded if each.what != "label")
    if excluded:
        found.append(f"{count(excluded)} lines or records are not in the figures (see the end).")
    if data.run and data.run.without_record:
        found.append(
            f"{plural(data.run.without_record, 'classified image')} of the run "
            "have no captured record; their answers are counted, their images are not shown."
        )
    return found


def _capture(data: ReportData) -> Iterator[str]:
    if data.sampling is None:
        return
    bounds = data.captured.interval if data.captured else None
    if data.captured and bounds and bounds.high < data.sampling / 100 * 0.98:
        yield (
            f"Capture is incomplete: {percent(data.captured.value)} of the invocations were "
            f"captured, {data.sampling} % are asked for."
        )
    if data.sampling < 100:
        yield f"Captured is a sample of {data.sampling} % of the requests."


def _gaps(data: ReportData) -> list[str]:
    empty = days_without(data.summary.time, data.since, data.until) if len(data.summary) else []
    if empty:
        named = ", ".join(f"{day.day} {day:%B}" for day in empty[:5])
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        return [f"No record on {plural(len(empty), 'day')}: {named}{more}."]
    gap = longest_gap(data.summary.time)
    whole = data.until - data.since
    if gap and len(data.summary) > 100 and (gap[1] - gap[0]) > whole / 10:
        return [
            f"No record for {formats.duration(gap[1] - gap[0])}, from {formats.timestamp(gap[0])}."
        ]
    return []


def _plotted(data: ReportData) -> tuple[datetime, datetime]:
    """Return the times between which charts are drawn: the records' own where these are few."""
    span = data.summary.span
    if span is None:
        return data.since, data.until
    # A run of seconds would be a column at the edge of its period.
    short = (span[1] - span[0]) < (data.until - data.since) / 20
    return (span[0], span[1] + timedelta(seconds=1)) if short else (data.since, data.until)


def _point_list(data: ReportData) -> list[Point]:
    summary = data.summary
    found = []
    for i, moment in enumerate(_spread(summary.time)):
        decision = "accepted" if summary.accepted[i] else "review"
        kind = decision
        if data.known[i]:
            kind = f"{decision}-{'right' if data.right[i] else 'wrong'}"
        time = datetime.fromtimestamp(moment, UTC)
        value = float(summary.confidence[i])
        text = f"{summary.labels[summary.label[i]]} {formats.confidence(value)}\n{KINDS[kind]}"
        if data.known[i] and not data.right[i]:
            text += f"\ntruth: {summary.labels[summary.truth[i]]}"
        found.append(Point(time, value, kind, f"{text}\n{formats.timestamp(time)}"))
    return found


def _spread(time: NDArray[np.uint32]) -> list[float]:
    """Return times in which those of one second are spread over it: AWS captures whole seconds."""
    _, group, count_of = np.unique(time, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    first = np.cumsum(count_of) - count_of
    within = np.empty(len(time))
    within[order] = np.arange(len(time)) - first[group[order]]
    spread: list[float] = (time + within / count_of[group]).tolist()
    return spread


def _shares(line: Timeline) -> list[tuple[datetime, float]]:
    return [
        (time, int(line.below[i]) / int(line.count[i]))
        for i, time in enumerate(line.middles)
        if line.count[i]
    ]


def _inputs(summary: Summary) -> dict[str, NDArray[np.float32]]:
    found = {}
    for name in INPUTS:
        values = summary.sample.inputs[name]
        known = values[~np.isnan(values)]
        if len(known):
            found[name] = known
    return found


def _entropy(summary: Summary) -> str:
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


def _by_class(data: ReportData) -> dict[str, Any]:
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
        below = share(values < np.float32(summary.threshold))
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


def _by_release(data: ReportData) -> list[dict[str, str]]:
    """Return the figures of each release of the period, where there are several.

    A record is of the latest release whose name is older than it.
    """
    summary = data.summary
    releases = sorted(data.releases, key=lambda marker: marker.time)
    starts = np.array([marker.time.timestamp() for marker in releases])
    place = np.searchsorted(starts, summary.time, side="right")
    names = ["a release that is no longer known", *(marker.text for marker in releases)]
    found = np.unique(place)
    if not releases or (len(found) < 2 and 0 not in found):
        return []
    rows = []
    for each in map(int, found):
        own = place == each
        below, right = share(~summary.accepted[own]), share(data.right[own & data.known])
        estimate = estimated_accuracy(summary.confidence[own])
        rows.append(
            {
                "name": names[each],
                "n": count(int(own.sum())),
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


def _quality(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Return (figure, estimate, realised, n) of accuracy and precision."""

    def cells(estimate: Estimate | None, realised: Share) -> tuple[str, str, str]:
        first = f"{percent(estimate.value)} ({interval(estimate.interval)})" if estimate else ""
        second = f"{percent(realised.value)} ({interval(realised.interval)})"
        n = f"{count(estimate.n) if estimate else 0} estimated, {count(realised.total)} labelled"
        return first or formats.DASH, second if realised.total else formats.DASH, n

    return [
        ("Accuracy", *cells(data.estimate, data.accuracy)),
        ("Precision of the accepted", *cells(data.estimated_precision, data.precision)),
    ]


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
    order = [int(row) for row in np.argsort(-best, kind="stable")[:SHOWN] if best[row] > _UNUSUAL]
    return tuple(replace(summary.sample.places[row], reason=str(why[row])) for row in order)


def _assignments(data: ReportData) -> list[tuple[str, str, str, str]]:
    return [
        (vehicle, bay, orders, count(n))
        for (vehicle, bay, orders), n in sorted(data.assignments.items())
    ]


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
