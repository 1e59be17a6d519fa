"""Results of the workflow joined to captured records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from scones_core.events import Result
from scones_monitor.captured_records import CapturedRecord


@dataclass(frozen=True, slots=True)
class Joined:
    """A classified image and its captured record; `confidence` is that of `label`, 0 to 1."""

    key: str
    label: str
    confidence: float
    record: CapturedRecord


def join(results: Sequence[Result], records: Sequence[CapturedRecord]) -> tuple[Joined, ...]:
    """Return the classified results that have a record of their inference id, in their order."""
    by_id = {record.inference_id: record for record in records}
    return tuple(
        Joined(
            result["image"]["key"],
            result["inference"]["label"],
            result["inference"]["confidence"],
            by_id[result["inference"]["inference_id"]],
        )
        for result in results
        if "inference" in result and result["inference"]["inference_id"] in by_id
    )


def cause_text(cause: str) -> str:
    """Return the message within a Lambda error or a failed job's description, which are JSON.

    Any other text is returned as it is.
    """
    try:
        body = json.loads(cause)
    except (ValueError, RecursionError):
        return cause
    said = body if isinstance(body, dict) else {}
    return str(said.get("errorMessage", said.get("FailureReason", cause)))
