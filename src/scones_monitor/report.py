"""The report of one environment: a summary for programs, and a page for people."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from scones_core.errors import MonitorError
from scones_core.files import write_atomically
from scones_monitor import formats
from scones_monitor.captured_records import Captures
from scones_monitor.charts import (
    KINDS,
    NARROW,
    WIDE,
    confusion_matrix,
    glyph,
    histogram,
    kind,
    scatter,
)
from scones_monitor.formats import count, interval, percent, plural, threshold
from scones_monitor.images import InputImage, decode_image
from scones_monitor.join import Join, Joined, cause_text
from scones_monitor.statistics import (
    accuracy,
    confidences,
    coverage,
    entropy,
    percentiles,
    percentiles_by_class,
    precision,
    share_below,
)

SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the report's figures are from; empty texts are shown as unknown.

    `dataset_kind` and `dataset_name` are the manifest source's `kind` and `name`;
    `threshold_origin` says in words who chose the threshold.
    """

    environment: str
    endpoint: str
    release: str
    model_url: str
    executions: tuple[str, ...]
    dataset_version: str
    dataset_kind: str
    dataset_name: str
    threshold_origin: str
    capture_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """What a report is made of. `threshold` and `target_precision` are from 0 to 1.

    `generated` is aware.
    """

    joined: Join
    captures: Captures
    labels: tuple[str, ...]
    threshold: float
    provenance: Provenance
    generated: datetime
    target_precision: float | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the images were made up, so that no figure is about the real task."""
        return self.provenance.dataset_kind == SYNTHETIC


def summarise(
    joined: Join, captures: Captures, threshold: float
) -> dict[str, float | int | list[float] | None]:
    """Return the report's figures, ready for JSON.

    `accuracy` is over the `n_test` classified images of known truth, with its 95 % Wilson
    interval; precision over the accepted ones of these; coverage is accepted / (accepted +
    review). A proportion of nothing is None. accepted + review + failed = inputs.
    """
    right = accuracy(joined)
    return {
        "inputs": len(joined),
        "accepted": len(joined.of("accepted")),
        "review": len(joined.of("review")),
        "failed": len(joined.of("failed")),
        "accuracy": right.value,
        "accuracy_interval": list(right.interval) if right.interval else None,
        "n_test": right.total,
        "threshold": threshold,
        "precision_at_threshold": precision(joined).value,
        "coverage_at_threshold": coverage(joined).value,
        "captured_records": len(captures.records),
        "capture_files": captures.files,
        "malformed_records": captures.malformed,
        "duplicate_records": captures.duplicates,
        "results_without_record": joined.without_record,
        "records_without_result": joined.without_result,
    }


def write_report(path: Path, data: ReportData) -> None:
    """Write the page: one HTML file that loads nothing; an older one stays until it is whole.

    Raises MonitorError where there are no inputs, no captured records, or none of these
    belongs to the inputs: a page of nothing looks like a page of good news.
    """
    _check(data)
    # A key may hold a lone surrogate, which UTF-8 cannot.
    write_atomically(path, render(data).encode("utf-8", errors="replace"))


def _check(data: ReportData) -> None:
    endpoint, classified = data.provenance.endpoint, [r for r in data.joined if r.label is not None]
    if not data.captures.records:
        raise MonitorError(
            f"There is no captured record of {endpoint} to report; wait for the delivery."
        )
    if not len(data.joined):
        raise MonitorError(f"There is no result of {endpoint} to report; classify images first.")
    if classified and not any(row.record for row in classified):
        raise MonitorError(
            f"None of the {len(data.captures.records)} captured records of {endpoint} belongs to "
            f"the {len(classified)} classified images; wait for the delivery of theirs."
        )


class KeyFigure(NamedTuple):
    """A figure with its name and a line of detail; `css` is the class of its mark."""

    name: str
    value: str
    detail: str
    css: str = ""


class Status(NamedTuple):
    """The report's state in a few words; `css` is good, warning or neutral."""

    text: str
    css: str


def summary_text(data: ReportData) -> str:
    """Return the outcome in one sentence."""
    right, decided = accuracy(data.joined), coverage(data.joined)
    total, failed = len(data.joined), len(data.joined.of("failed"))
    if not decided.total:
        return f"None of the {plural(total, 'image')} could be classified."
    sure = precision(data.joined)
    share = f"{percent(decided.value)} {'were' if total > 1 else 'was'} decided without a person"
    at = f" at {percent(sure.value)} precision" if sure.total else ""
    end = f", and {count(failed)} failed." if failed else "."
    if right.total:
        known = plural(right.total, "image")
        return f"{percent(right.value)} of {known} got the right class; {share}{at}{end}"
    return f"Of {plural(decided.total, 'image')}, {share}{end}"


def status(data: ReportData) -> Status:
    """Return what the report asks of its reader; failures come before precision."""
    if data.synthetic:
        return Status("Synthetic images", "warning")
    failed, sure = len(data.joined.of("failed")), precision(data.joined)
    if failed:
        return Status(f"{plural(failed, 'image')} failed", "warning")
    if sure.value is None:
        return Status("No truth to compare with", "neutral")
    if data.target_precision is None:
        return Status("No target to compare with", "neutral")
    target = threshold(data.target_precision)
    if sure.value < data.target_precision:
        return Status(f"Precision below its target of {target}", "warning")
    return Status(f"Precision on its target of {target}", "good")


def key_figures(data: ReportData) -> list[KeyFigure]:
    """Return the eight figures of the page's head."""
    rows, total = data.joined, len(data.joined)
    right, sure, decided = accuracy(rows), precision(rows), coverage(rows)

    executions = len(data.provenance.executions)
    source = f"of {plural(executions, 'execution')}" if executions else "as the endpoint saw them"

    def ended(name: str, rows: Sequence[Joined]) -> KeyFigure:
        return KeyFigure(
            name.capitalize(), count(len(rows)), f"{percent(len(rows) / total)} of inputs", name
        )

    return [
        KeyFigure("Inputs", count(total), source),
        ended("accepted", rows.of("accepted")),
        ended("review", rows.of("review")),
        ended("failed", rows.of("failed")),
        KeyFigure(
            "Accuracy", percent(right.value), _bounds(right.interval and interval(right.interval))
        ),
        KeyFigure(
            "Precision",
            percent(sure.value),
            f"{count(sure.hits)} of {count(sure.total)} accepted are right"
            if sure.total
            else "truth not known",
        ),
        KeyFigure(
            "Coverage", percent(decided.value), f"accepted at \u2265 {threshold(data.threshold)}"
        ),
        KeyFigure(
            "Captured records",
            count(len(data.captures.records)),
            f"from {plural(data.captures.files, 'file')}",
        ),
    ]


def notes(data: ReportData) -> list[str]:
    """Return what a reader must know of the data: what is missing, repeated or unreadable."""
    captures, joined = data.captures, data.joined
    found = [
        (joined.without_record, "classified image", "no captured record, so no mark in the chart"),
        (joined.without_result, "captured record", "no result here: other requests"),
        (captures.duplicates, "captured record", "a repeated id and counted once"),
    ]
    lines = [
        f"{plural(n, noun)} {'has' if n == 1 else 'have'} {what}." for n, noun, what in found if n
    ]
    return lines + [
        f"{plural(fault.count, 'captured line')} could not be read: {fault.reason} "
        f"(first at {fault.first})."
        for fault in captures.reasons
    ]


def _bounds(text: str | None) -> str:
    return f"95\u202f% interval {text}" if text else "truth not known"


# More make the page heavy without showing more; the page says how many it leaves out.
MAX_THUMBNAILS = 96

Decode = Callable[[bytes], InputImage | None]


class Thumbnail(NamedTuple):
    """An image to look at: `source` is a data URI, empty where the bytes are no sound image."""

    source: str
    label: str
    confidence: str
    truth: str
    wrong: bool
    key: str
    name: str


class Gallery(NamedTuple):
    """Thumbnails that share a folder, and how many more there are."""

    folder: str
    shown: list[Thumbnail]
    hidden: int


def render(data: ReportData) -> str:
    """Return the page's HTML; it refers to nothing outside of itself."""
    environment = Environment(
        loader=PackageLoader("scones_monitor"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(formats=formats)
    return environment.get_template("report.html.j2").render(_context(data))


def _context(data: ReportData) -> dict[str, Any]:
    rows, decode = list(data.joined), cache(decode_image)
    wrong = [r for r in rows if r.decision == "accepted" and r.correct is False]
    images = [decode(row.record.image) for row in rows if row.record and row.record.image]
    return {
        "data": data,
        "summary": summary_text(data),
        "status": status(data),
        "key_figures": key_figures(data),
        "notes": notes(data),
        "period": _period(rows),
        "wrong": _gallery(sorted(wrong, key=_surest), decode),
        "review": _gallery(sorted(data.joined.of("review"), key=_least_sure), decode),
        "failures": [_failure(row) for row in data.joined.of("failed")],
        "by_class": _by_class(rows, data),
        "inputs": _inputs(rows, [image for image in images if image], len(images)),
        **_charts(rows, data),
    }


def _charts(rows: Sequence[Joined], data: ReportData) -> dict[str, Any]:
    drawn = Counter(kind(row) for row in rows if row.record and row.label is not None)
    classes, known = len(data.labels), any(row.correct is not None for row in rows)
    if not drawn:
        return {"legend": [], "scatters": [], "histogram": "", "matrix": "", "known": known}
    return {
        "legend": [(glyph(name), KINDS[name], drawn[name]) for name in KINDS if drawn[name]],
        "scatters": [scatter(rows, data.threshold, classes, f) for f in (WIDE, NARROW)],
        "histogram": histogram(rows, data.threshold, classes),
        "matrix": confusion_matrix(rows, data.labels) if known else "",
        "known": known,
    }


def _surest(row: Joined) -> float:
    return -(row.confidence or 0.0)


def _least_sure(row: Joined) -> float:
    return row.confidence or 0.0


def _period(rows: Sequence[Joined]) -> str:
    times = [row.record.time for row in rows if row.record]
    return formats.period(min(times), max(times)) if times else ""


def _gallery(rows: Sequence[Joined], decode: Decode) -> Gallery:
    shown = rows[:MAX_THUMBNAILS]
    folder = formats.common_folder([row.key for row in shown])
    cards = [_thumbnail(row, row.key.removeprefix(folder), decode) for row in shown]
    return Gallery(folder, cards, len(rows) - len(shown))


def _thumbnail(row: Joined, name: str, decode: Decode) -> Thumbnail:
    image = decode(row.record.image) if row.record else None
    return Thumbnail(
        source=image.data_uri() if image else "",
        label=row.label or "",
        confidence=formats.confidence(row.confidence),
        truth=row.truth or "",
        wrong=row.correct is False,
        key=f"s3://{row.bucket}/{row.key}" if row.key else "",
        name=name,
    )


def _failure(row: Joined) -> dict[str, str]:
    error = row.error or {"Error": "Unknown", "Cause": ""}
    return {
        "image": f"s3://{row.bucket}/{row.key}" if row.key else "no image named",
        "error": error["Error"],
        "cause": cause_text(error["Cause"]),
    }


def _by_class(rows: Sequence[Joined], data: ReportData) -> list[dict[str, str]]:
    spread = percentiles_by_class(rows, data.labels)
    total = len(confidences(rows))
    found = []
    for label in data.labels:
        values = confidences(rows, label)
        row = {"name": label, "count": formats.count(len(values))}
        row["share"] = formats.percent(len(values) / total if total else None)
        row["below"] = formats.percent(share_below(values, data.threshold).value)
        row |= {f"p{p}": formats.confidence(spread[label].get(p)) for p in (5, 50, 95)}
        found.append(row)
    return found


def _inputs(rows: Sequence[Joined], images: Sequence[InputImage], captured: int) -> list[Any]:
    light = percentiles([image.brightness for image in images])
    doubt = percentiles([entropy(row.record.probabilities) for row in rows if row.record])
    sizes = Counter(f"{image.width} \u00d7 {image.height}" for image in images)
    lines = [(f"Size {size}", f"{formats.plural(n, 'image')}") for size, n in sizes.most_common(4)]
    if captured > len(images):
        lines.append(("Not a sound PNG or JPEG", formats.plural(captured - len(images), "image")))
    for name, spread, unit in (
        ("Brightness, 0 to 255", light, ".0f"),
        ("Entropy of the answer, bits", doubt, ".3f"),
    ):
        if spread:
            middle = f"middle 90\u202f% {spread[5]:{unit}} to {spread[95]:{unit}}"
            lines.append((name, f"median {spread[50]:{unit}}, {middle}"))
    return lines
