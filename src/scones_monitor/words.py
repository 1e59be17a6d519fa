"""The report's sentences and tiles, made of its figures."""

from collections.abc import Sequence
from typing import NamedTuple

from scones_monitor.formats import count, interval, percent, plural, threshold
from scones_monitor.join import Joined
from scones_monitor.report import ReportData
from scones_monitor.statistics import accuracy, coverage, precision


class Tile(NamedTuple):
    """A figure with its name and one line about it; `tone` colours the mark beside it."""

    name: str
    value: str
    detail: str
    tone: str = ""


class Status(NamedTuple):
    """The report's state in a few words; `tone` is good, look or plain."""

    text: str
    tone: str


def verdict(data: ReportData) -> str:
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
        return Status("Synthetic images", "look")
    failed, sure = len(data.joined.of("failed")), precision(data.joined)
    if failed:
        return Status(f"{plural(failed, 'image')} failed", "look")
    if sure.value is None:
        return Status("No truth to compare with", "plain")
    if data.target_precision is None:
        return Status("No target to compare with", "plain")
    target = threshold(data.target_precision)
    if sure.value < data.target_precision:
        return Status(f"Precision below its target of {target}", "look")
    return Status(f"Precision on its target of {target}", "good")


def tiles(data: ReportData) -> list[Tile]:
    """Return the eight figures of the page's head."""
    rows, total = data.joined, len(data.joined)
    right, sure, decided = accuracy(rows), precision(rows), coverage(rows)

    executions = len(data.provenance.executions)
    source = f"of {plural(executions, 'execution')}" if executions else "as the endpoint saw them"

    def ended(name: str, rows: Sequence[Joined]) -> Tile:
        return Tile(
            name.capitalize(), count(len(rows)), f"{percent(len(rows) / total)} of inputs", name
        )

    return [
        Tile("Inputs", count(total), source),
        ended("accepted", rows.of("accepted")),
        ended("review", rows.of("review")),
        ended("failed", rows.of("failed")),
        Tile(
            "Accuracy", percent(right.value), _bounds(right.interval and interval(right.interval))
        ),
        Tile(
            "Precision",
            percent(sure.value),
            f"{count(sure.hits)} of {count(sure.total)} accepted are right"
            if sure.total
            else "truth not known",
        ),
        Tile("Coverage", percent(decided.value), f"accepted at \u2265 {threshold(data.threshold)}"),
        Tile(
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
