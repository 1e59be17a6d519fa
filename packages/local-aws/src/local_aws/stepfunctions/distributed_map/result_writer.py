"""ResultWriter: what a Distributed Map writes of its children. Nothing here is moto's.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ChildRecord:
    """How one child execution ended. `status` is PENDING for one that was never started.

    `input` and `output` are values, not texts. A time is None where there was none.
    """

    arn: str
    name: str
    machine_arn: str
    status: str
    input: Any
    output: Any = None
    error: str | None = None
    cause: str | None = None
    started: datetime.datetime | None = None
    stopped: datetime.datetime | None = None
    item_count: int = 1
    redrive_count: int = 0


def transformed(children: Iterable[ChildRecord], transformation: str) -> list[Any]:
    """Return the results of children in their order: NONE, COMPACT or FLATTEN.

    One that did not succeed is described as with NONE, whatever is asked for.
    """
    results: list[Any] = []
    for child in children:
        if transformation == "NONE" or child.status != "SUCCEEDED":
            results.append(described(child))
        elif transformation == "FLATTEN" and isinstance(child.output, list):
            results.extend(child.output)
        else:
            results.append(child.output)
    return results


def described(child: ChildRecord) -> dict[str, Any]:
    """Return a child's record as ResultWriter exports it; absent where AWS has none."""
    ended = child.status == "SUCCEEDED"
    values = {
        "Cause": child.cause,
        "Error": child.error,
        "ExecutionArn": child.arn,
        "Input": _json(child.input),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "Output": _json(child.output) if ended else None,
        "OutputDetails": {"Included": True} if ended else None,
        "RedriveCount": child.redrive_count,
        "RedriveStatus": "NOT_REDRIVABLE" if ended else "REDRIVABLE_BY_MAP_RUN",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven" if ended else None,
        "StartDate": _time(child.started),
        "StateMachineArn": child.machine_arn,
        "Status": child.status,
        "StopDate": _time(child.stopped),
    }
    return {name: value for name, value in values.items() if value is not None}


def result_files(
    children: Sequence[ChildRecord], transformation: str, output_type: str
) -> dict[str, bytes]:
    """Return the files' contents by kind (SUCCEEDED, FAILED, PENDING); none for no child."""
    groups: dict[str, list[ChildRecord]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for child in children:
        groups[child.status if child.status in groups else "FAILED"].append(child)
    return {
        kind: _written(transformed(group, transformation), output_type)
        for kind, group in groups.items()
        if group
    }


def manifest(bucket: str, map_run_arn: str, sizes: dict[str, tuple[str, int]]) -> bytes:
    """Return the text of `manifest.json`; `sizes` has a key and a length for each kind."""
    files = {
        kind: [{"Key": sizes[kind][0], "Size": sizes[kind][1]}] if kind in sizes else []
        for kind in ("FAILED", "PENDING", "SUCCEEDED")
    }
    content = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": files}
    return _json(content).encode()


def _written(results: list[Any], output_type: str) -> bytes:
    if output_type == "JSONL":
        return "".join(f"{_json(result)}\n" for result in results).encode()
    return _json(results).encode()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _time(when: datetime.datetime | None) -> str | None:
    if when is None:
        return None
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
