"""The report as files: the page, its figures as JSON, its main charts as PNG."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from scones_core.errors import MonitorError, SconesError
from scones_core.files import write_atomically, write_json
from scones_monitor import formats
from scones_monitor.captured_images import InputImage, decode_image
from scones_monitor.charts.axes import TimeAxis
from scones_monitor.charts.distributions import (
    Stack,
    confidence_histogram,
    input_histogram,
    reliability_diagram,
)
from scones_monitor.charts.matrix import confusion_matrix
from scones_monitor.charts.over_time import KINDS, MAX_POINTS, Marker, OverTime, Point, glyph
from scones_monitor.charts.png import to_png
from scones_monitor.charts.svg import Drawing
from scones_monitor.formats import count
from scones_monitor.period_summary import Place
from scones_monitor.report.figures import INPUTS, ReportData, figures, input_values
from scones_monitor.report.tables import (
    MAX_ROWS,
    assignments,
    by_class,
    by_release,
    by_variant,
    entropy_text,
    quality,
    thresholds,
    unusual,
)
from scones_monitor.report.text import findings, headline, key_figures, verdict
from scones_monitor.statistics import (
    confusion,
    percentiles,
    reliability,
)
from scones_monitor.timeline import Timeline, counts_of, timeline

MAX_PAGE_BYTES = 2_000_000
METRIC_STEP = timedelta(minutes=1)
MAX_MATRIX = 30
"""Of more classes the matrix is a list of the most frequent confusions."""


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


class Card(NamedTuple):
    """An image of a gallery; `source` is a data URI, empty where the image is gone.

    `parts` is one of the same image with what decided marked, empty where that is not known.
    """

    source: str
    parts: str
    label: str
    confidence: str
    truth: str
    wrong: bool
    name: str
    reason: str


class _Page:
    """The page while it is made; `main` are the charts that become files of their own.

    `unexplained` says why the parts that decided are not shown.
    """

    def __init__(self, data: ReportData) -> None:
        self.data = data
        self.main: dict[str, Drawing] = {}
        self.unexplained = ""
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
            "thresholds": thresholds(summary),
            "entropy": entropy_text(summary),
            "by_class": by_class(data),
            "by_release": by_release(data),
            "by_variant": by_variant(data.variants) if data.variants else [],
            "verdict": verdict(data.variants) if data.variants else "",
            "input_charts": self._inputs(),
            "quality": quality(data),
            "reliability": self._reliability(),
            **self._matrix(),
            "wrong": self._cards(summary.wrong, explained=True),
            "unexplained": self.unexplained,  # the cards before it say why
            "wrong_count": wrong,
            "least": self._cards(summary.least_confident),
            "unusual": self._cards(unusual(summary)),
            "assignments": assignments(data),
            "excluded": summary.excluded,
            "releases": [m.text for m in self._markers() if data.since <= m.time <= data.until],
        }

    def _over_time(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        first, last = _plotted(data)
        line = timeline(summary.time, summary.confidence, summary.accepted, first, last)
        time = OverTime(TimeAxis(line.start, line.end), self._markers())
        steps = data.history.thresholds(summary.threshold)
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
            charts["confidence"] = time.points(points, steps, self.classes)
        else:
            charts["confidence"] = time.bands(line, steps, self.classes)
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

    def _markers(self) -> list[Marker]:
        return [Marker(time, name) for name, time in self.data.history.activations]

    def _distributions(self) -> dict[str, Any]:
        data, summary = self.data, self.data.summary
        if data.accuracy.total:
            wrong = data.known & ~data.right
            masks = {"wrong": wrong, "right": data.right}
        else:
            masks = {"review": ~summary.accepted, "accepted": summary.accepted}
        stacks = [Stack(name, summary.confidence[mask]) for name, mask in masks.items()]
        drawing = confidence_histogram(
            stacks, summary.threshold, self.classes, summary.decided_by()
        )
        self.main["histogram"] = drawing
        counts = [(name, int(mask.sum())) for name, mask in masks.items()]
        return {"histogram": drawing.markup(), "stacks": counts[::-1]}

    def _inputs(self) -> list[dict[str, Any]]:
        found = []
        before = input_values(self.data.reference) if self.data.reference else {}
        for name, values in input_values(self.data.summary).items():
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
        names = summary.truth_names
        counts = confusion(summary.truth[data.known], summary.label[data.known], len(names))
        if len(names) <= MAX_MATRIX:
            drawing = confusion_matrix(counts.tolist(), names)
            self.main["confusion"] = drawing
            return {"matrix": drawing.markup(), "confusions": []}
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        largest_first = np.argsort(wrong, axis=None, kind="stable")[::-1][:MAX_ROWS]
        rows = [
            (
                names[i],
                names[j],
                count(int(wrong[i, j])),
                count(int(counts[i].sum())),
            )
            for i, j in zip(*np.unravel_index(largest_first, wrong.shape), strict=True)
            if wrong[i, j]
        ]
        return {"matrix": "", "confusions": rows}

    def _cards(self, places: Sequence[Place], *, explained: bool = False) -> list[Card]:
        keys = self.data.run.keys if self.data.run else {}
        found = []
        for place in places:
            body = self.data.image(place)
            image = decode_image(body) if body else None
            parts = self._explained(place, body) if image and body and explained else None
            found.append(
                Card(
                    source=image.data_uri() if image else "",
                    parts=InputImage(parts).data_uri() if parts else "",
                    label=place.label,
                    confidence=formats.confidence(place.confidence),
                    truth=place.truth,
                    wrong=bool(place.truth) and place.truth != place.label,
                    name=keys.get(place.inference_id, formats.timestamp(place.time)),
                    reason=place.reason,
                )
            )
        return found

    def _explained(self, place: Place, body: bytes) -> Image.Image | None:
        if self.unexplained:
            return None
        try:
            return self.data.explain(place, body)
        except SconesError as error:
            self.unexplained = f"Which parts decided is not shown: {error}"
            return None


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
            text += f"\ntruth: {summary.truth_names[summary.truth[i]]}"
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
