"""The assignments of a period: of large runs by their files, of small ones by their executions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scones_toolkit.tasks.monitoring import period_results
from tests.functional.scones_toolkit.tasks.conftest import LocalProject

NOW = datetime.now(UTC)
PERIOD = (NOW - timedelta(hours=1), NOW + timedelta(hours=1))


def result(bay: str) -> dict[str, Any]:
    assignment = {"vehicle": "bicycle", "bay": bay, "orders": "near", "max_km": 3}
    image = {"bucket": "data", "key": "a.png"}
    inference = {"label": "bicycle", "confidence": 1.0, "inference_id": bay}
    return {
        "image": image,
        "decision": "accepted",
        "inference": inference,
        "assignment": assignment,
    }


def bays(project: LocalProject) -> tuple[list[str], list[str]]:
    """Return the bays of the period's results, and what was left out."""
    left_out: list[str] = []
    found = list(period_results.results_of_period(project, PERIOD, left_out))
    return sorted(each["assignment"]["bay"] for each in found), left_out


def test_an_inbox_run_of_another_host_is_counted_by_its_execution(project: LocalProject) -> None:
    states = project.client("stepfunctions")
    states.add("inbox-1", {}, {"results": [result("A"), result("B")]})
    states.add("failed", {}, None)
    long_ago = NOW - timedelta(hours=2)
    states.add("before", {}, {"results": [result("X")]}, startDate=long_ago, stopDate=long_ago)

    assert bays(project) == (["A", "B"], [])


def test_a_run_with_files_counts_once(project: LocalProject) -> None:
    line = json.dumps(result("C")).encode()
    project.client("s3").put_object(Bucket="data", Key="runs/big/results/0.jsonl", Body=line)
    project.client("stepfunctions").add("big", {}, {"counts": {"accepted": 1}})

    assert bays(project) == (["C"], [])


def test_of_many_small_runs_the_others_are_said(
    project: LocalProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(period_results, "MAX_SMALL_RUNS", 2)
    for number in range(3):
        project.client("stepfunctions").add(f"run-{number}", {}, {"results": [result("A")]})

    assert bays(project) == (
        ["A", "A"],
        ["Small runs whose results and assignments are not counted: 1"],
    )
