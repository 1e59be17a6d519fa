"""The report of one environment: a summary for machines, and a page for people."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scones_core.errors import MonitorError
from scones_core.files import write_atomically
from scones_monitor.capture import Captures
from scones_monitor.drift import Drift
from scones_monitor.join import Join
from scones_monitor.statistics import accuracy, coverage, precision

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

    `generated` is aware. `drifts` may be empty: then there was no reference to compare with.
    """

    joined: Join
    captures: Captures
    labels: tuple[str, ...]
    threshold: float
    provenance: Provenance
    generated: datetime
    target_precision: float | None = None
    drifts: tuple[Drift, ...] = ()

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
    from scones_monitor.page import render

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
