import datetime
import json
from typing import Any

from local_aws.stepfunctions.distributed_map.result_writer import (
    ChildRecord,
    manifest,
    result_files,
    transformed,
)

WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=datetime.UTC)


def child(status: str, output: Any = None, **more: Any) -> ChildRecord:
    return ChildRecord(
        "arn:x", "x", "arn:m", status, {"n": 1}, output, started=WHEN, stopped=WHEN, **more
    )


def test_each_status_has_its_file_and_what_was_aborted_counts_as_failed() -> None:
    children = [child("SUCCEEDED", 1), child("ABORTED"), child("TIMED_OUT"), child("PENDING")]
    files = result_files(children, "NONE", "JSON")
    rows = {kind: json.loads(body) for kind, body in files.items()}
    assert {kind: len(found) for kind, found in rows.items()} == {
        "SUCCEEDED": 1,
        "FAILED": 2,
        "PENDING": 1,
    }
    (row,) = rows["SUCCEEDED"]
    assert (row["Input"], row["Output"], row["StartDate"]) == (
        '{"n":1}',
        "1",
        "2026-01-02T03:04:05.678Z",
    )


def test_compact_and_flat_results_report_failures_in_full() -> None:
    failed = child("FAILED", error="E", cause="c")
    children = [child("SUCCEEDED", [1, 2]), failed, child("SUCCEEDED", 3)]
    compact = transformed(children, "COMPACT")
    assert (compact[0], compact[2]) == ([1, 2], 3)
    assert (compact[1]["Error"], compact[1]["Status"]) == ("E", "FAILED")
    flat = transformed(children, "FLATTEN")
    assert [flat[0], flat[1], flat[3]] == [1, 2, 3]


def test_lines_have_one_result_each() -> None:
    files = result_files([child("SUCCEEDED", {"a": 1})] * 2, "COMPACT", "JSONL")
    assert files == {"SUCCEEDED": b'{"a":1}\n{"a":1}\n'}


def test_the_manifest_names_every_kind() -> None:
    found = json.loads(manifest("b", "arn:run", {"FAILED": ("p/FAILED_0.json", 7)}))
    assert found["ResultFiles"] == {
        "FAILED": [{"Key": "p/FAILED_0.json", "Size": 7}],
        "PENDING": [],
        "SUCCEEDED": [],
    }
