"""Results of the workflow joined to captured records and to the truth."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scones_core.errors import MonitorError
from scones_core.events import DECISIONS, Decision, Failure, Result
from scones_monitor.captured_records import CapturedRecord

Truth = Mapping[tuple[str, str], str] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Joined:
    """One input: how it ended, its captured record and its true label, where known.

    `confidence` is the probability of `label`, 0 to 1; both are None where the image failed.
    """

    bucket: str
    key: str
    decision: Decision
    label: str | None
    confidence: float | None
    error: Failure | None
    record: CapturedRecord | None
    truth: str | None

    @property
    def correct(self) -> bool | None:
        """Whether the label is the true one; None where either is unknown."""
        return None if self.label is None or self.truth is None else self.label == self.truth


@dataclass(frozen=True, slots=True)
class Join:
    """All inputs in the order of the results, and what found no partner.

    `without_record` counts results that were classified but have no captured record,
    `without_result` the captured records that belong to none of the results.
    """

    rows: tuple[Joined, ...]
    without_record: int
    without_result: int

    def __iter__(self) -> Iterator[Joined]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, decision: Decision) -> tuple[Joined, ...]:
        """Return the inputs that ended so."""
        return tuple(row for row in self.rows if row.decision == decision)


def join(
    results: Sequence[Result], records: Sequence[CapturedRecord], truth: Truth | None = None
) -> Join:
    """Return every result with the record of its inference id and the truth of its image.

    `truth` maps `(bucket, key)` or the key alone to a label. Raises MonitorError for a result
    whose decision is none of accepted, review, failed, or that lacks its inference.
    """
    by_id = {record.inference_id: record for record in records}
    unnamed = sum(record.inference_id is None for record in records)
    rows = tuple(_joined(result, by_id, truth or {}) for result in results)
    used = {row.record.inference_id for row in rows if row.record is not None}
    return Join(
        rows=rows,
        without_record=sum(row.label is not None and row.record is None for row in rows),
        without_result=unnamed + len(by_id.keys() - used - {None}),
    )


def cause_text(cause: str) -> str:
    """Return the message within a Lambda error, whose cause is JSON; any other text as it is."""
    try:
        body = json.loads(cause)
    except (ValueError, RecursionError):
        return cause
    return str(body["errorMessage"]) if isinstance(body, dict) and "errorMessage" in body else cause


def _joined(
    result: Result, by_id: Mapping[str | None, CapturedRecord], truth: Mapping[Any, str]
) -> Joined:
    decision, inference = result["decision"], result.get("inference")
    if decision not in DECISIONS:
        raise MonitorError(
            f"A result of {result['image'].get('key')!r} has the decision {decision!r}; "
            f"the report knows {', '.join(DECISIONS)}."
        )
    if decision == "failed":
        inference = None
    elif inference is None:
        raise MonitorError(
            f"The result of {result['image'].get('key')!r} is {decision} without an inference; "
            "the results must be those of the classify state machine."
        )
    # An input that names no image fails with whatever it was in place of the reference.
    bucket, key = str(result["image"].get("bucket", "")), str(result["image"].get("key", ""))
    return Joined(
        bucket=bucket,
        key=key,
        decision=decision,
        label=inference["label"] if inference else None,
        confidence=inference["confidence"] if inference else None,
        error=result.get("error"),
        record=by_id.get(inference["inference_id"]) if inference else None,
        truth=truth.get((bucket, key), truth.get(key)),
    )
