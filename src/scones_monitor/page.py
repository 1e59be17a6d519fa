"""The report page: rows turned into what the template shows. Jinja escapes every text."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from scones_monitor import formats, words
from scones_monitor.charts import KINDS, NARROW, WIDE, glyph, kind, scatter
from scones_monitor.histogram import histogram
from scones_monitor.images import InputImage, decode_image
from scones_monitor.join import Joined
from scones_monitor.matrix import confusion_matrix
from scones_monitor.report import ReportData
from scones_monitor.statistics import (
    confidences,
    entropy,
    percentiles,
    percentiles_by_class,
    share_below,
)

# More make the page heavy without telling more; the page says how many it leaves out.
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
        "verdict": words.verdict(data),
        "status": words.status(data),
        "tiles": words.tiles(data),
        "notes": words.notes(data),
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
        "cause": _cause(error["Cause"]),
    }


def _cause(text: str) -> str:
    """Return the message within a Lambda error, which comes as JSON; another text as it is."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(body["errorMessage"]) if isinstance(body, dict) and "errorMessage" in body else text


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
