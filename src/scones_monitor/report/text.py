"""The report in words: its headline, key figures, and what a reader must know first."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scones_monitor import formats
from scones_monitor.formats import count, interval, percent, plural, threshold
from scones_monitor.report.figures import ReportData
from scones_monitor.report.tables import thresholds
from scones_monitor.statistics import (
    Estimate,
    Share,
    share,
)
from scones_monitor.timeline import days_without, longest_gap
from scones_monitor.variant_comparison import VariantComparison

MAX_NAMES = 5
"""Further names of a list are only counted."""


class KeyFigure(NamedTuple):
    """A figure with its name and a line of detail; `css` is the class of its mark."""

    name: str
    value: str
    detail: str
    css: str = ""


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
            f"{thresholds(summary)} or above", "accepted",
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
    if data.samples:
        condition = "accepted, drawn at random and labelled"
        found.append(_realised("Precision by sample", data.samples[-1].right, condition))
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


def _realised(name: str, found: Share, condition: str) -> KeyFigure:
    if not found.total:
        return KeyFigure(name, formats.DASH, f"no image is {condition}")
    detail = f"{interval(found.interval)}, n = {count(found.total)} {condition}"
    return KeyFigure(name, percent(found.value), detail)


def verdict(found: VariantComparison) -> str:
    """Return in a sentence or two which of two releases is the better, as far as labels say."""
    decided, active, challenger = found.verdict, found.active.release, found.challenger.release
    if decided.outcome == "challenger":
        return f"The challenger {challenger} is the better one: the labels show it more accurate."
    if decided.outcome == "active":
        return f"The active release {active} is the better one: the labels show it more accurate."
    if decided.outcome == "equal":
        return f"Decided: {decided.reason} Keep the one that costs or needs less."
    more = f" About {plural(decided.missing, 'label')} more decide it." if decided.missing else ""
    return f"Not decided. {decided.reason}{more}"


def findings(data: ReportData) -> list[str]:
    """Return what a reader must know before trusting the figures, each a sentence."""
    summary, found = data.summary, _challenged(data)
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
        found.append(f"Drift from the reference: {names} (see the table below).")
    if data.run and data.run.decisions.get("failed"):
        found.append(f"{plural(data.run.decisions['failed'], 'image')} failed.")
    if data.target_precision is not None and data.precision.interval:
        target = threshold(data.target_precision)
        if data.precision.interval.high < data.target_precision:
            found.append(f"Precision is below its target of {target}.")
    if summary.other_classes:
        unknown = int((summary.truth >= len(summary.labels)).sum())
        found.append(
            "Labelled images of classes that the model does not know "
            f"({_some(summary.other_classes)}): {count(unknown)}. Each counts as a wrong answer. "
            "A model learns a class that is in dataset.classes by inv retrain."
        )
    estimate, right = data.estimate, data.accuracy
    if estimate and right.interval and right.total >= 30:
        low, high = right.interval
        if estimate.interval.low > high or estimate.interval.high < low:
            found.append(
                "Estimated and realised accuracy disagree: the labelled images are not like the "
                "rest, or the confidences are no longer calibrated."
            )
    found += [*_labelled(data), *_gaps(data), *_capture(data)]
    if summary.other_clock:
        found.append(
            f"The clocks disagree: of {plural(summary.other_clock, 'record')} inferenceTime "
            "contradicts the time of the file; the file's time was used."
        )
    excluded = sum(each.count for each in summary.excluded if each.kind != "label")
    if excluded:
        found.append(f"{count(excluded)} lines or records are not in the figures (see the end).")
    if data.run and data.run.without_record:
        found.append(
            f"{plural(data.run.without_record, 'classified image')} of the run "
            "have no captured record; their answers are counted, their images are not shown."
        )
    return found


def _labelled(data: ReportData) -> Iterator[str]:
    """Yield that the labelled images are no random ones, as those of the review queue are not."""
    accepted, known = data.summary.accepted, data.known
    sure, unsure = share(known[accepted]), share(known[~accepted])
    if sure.value is None or unsure.value is None or unsure.value <= 2 * sure.value:
        return
    yield (
        f"Labelled are {percent(unsure.value)} of the images sent to review, and "
        f"{percent(sure.value)} of the accepted: the realised accuracy is that of the labelled "
        "images, not of all. "
        + (
            "The precision by random sample is that of all accepted ones."
            if data.samples
            else "inv review --sample 100 draws accepted images at random."
        )
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{', '.join(names[:MAX_NAMES])}{more}"


def _challenged(data: ReportData) -> list[str]:
    if data.variants is None:
        return []
    its = plural(len(data.variants.challenger.summary), "image")
    both = "Images, Failed, the cost" if data.run else "The cost"
    return [
        f"The challenger {data.variants.challenger.release} answered {its} of this period. {both} "
        "and the assignments are of both releases; all other figures but those under Active "
        "release and challenger are of the active release."
    ]


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
        named = _some([f"{day.day} {day:%B}" for day in empty])
        return [f"No record on {plural(len(empty), 'day')}: {named}."]
    gap = longest_gap(data.summary.time)
    whole = data.until - data.since
    if gap and len(data.summary) > 100 and (gap[1] - gap[0]) > whole / 10:
        return [
            f"No record for {formats.duration(gap[1] - gap[0])}, from {formats.timestamp(gap[0])}."
        ]
    return []
