import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_core.outputs import Deployment
from scones_core.settings import Settings
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring import captures_of, report

NAMES = {field.name: field.name for field in fields(Deployment)}
DEPLOYMENT = Deployment.of(
    {
        **NAMES,
        "labels": ["bicycle", "motorcycle"],
        "capture_uri": "s3://captures/capture",
        "endpoint_name": "scones-dev",
        "variant": "AllTraffic",
    }
)
RESULT: Result = {
    "image": {"bucket": "data", "key": "a.png"},
    "decision": "accepted",
    "threshold": 0.9,
    "inference": {
        "label": "bicycle",
        "confidence": 0.99,
        "probabilities": {"bicycle": 0.99, "motorcycle": 0.01},
        "inference_id": "one",
        "variant": "AllTraffic",
    },
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket="captures")
        yield client


def capture(s3: Any, variant: str, answer: list[float]) -> None:
    output = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
    record = {
        "captureData": {"endpointOutput": {**output, "data": json.dumps(answer)}},
        "eventMetadata": {
            "eventId": variant,
            "inferenceId": "one",
            "inferenceTime": "2026-11-20T14:32:05Z",
        },
        "eventVersion": "0",
    }
    key = f"capture/scones-dev/{variant}/2026/11/20/14/32-05-000-x.jsonl"
    s3.put_object(Bucket="captures", Key=key, Body=json.dumps(record).encode())


def test_a_report_reads_what_decided_and_not_a_shadows_answers(s3: Any) -> None:
    capture(s3, "AllTraffic", [0.99, 0.01])
    capture(s3, "Shadow", [0.3, 0.7])
    found = captures_of(DEPLOYMENT, s3, [RESULT], datetime(2026, 11, 20, 14, tzinfo=UTC), 0)
    assert [record.variant for record in found.records] == ["AllTraffic"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    settings = Settings.load(tmp_path / "scones.toml", {"SCONES_WORKFLOW_THRESHOLD": "0.9"})
    return Project(tmp_path, settings=settings)


def captured(folder: Path, endpoint: str, hour: int, *answers: list[float]) -> None:
    name = f"{endpoint}/AllTraffic/2026/11/20/{hour:02}/00-00-000-x.jsonl"
    lines = []
    for i, answer in enumerate(answers):
        output = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
        record = {
            "captureData": {"endpointOutput": {**output, "data": json.dumps(answer)}},
            "eventMetadata": {
                "eventId": f"{endpoint}-{hour}-{i}",
                "inferenceId": f"id-{hour}-{i}",
                "inferenceTime": f"2026-11-20T{hour:02}:00:{i:02}Z",
            },
            "eventVersion": "0",
        }
        lines.append(json.dumps(record))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def test_a_folder_of_records_is_reported_without_an_endpoint(project: Project) -> None:
    folder = project.root / "copied"
    captured(folder, "scones-dev", 14, [0.99, 0.01], [0.4, 0.6])
    review = project.review_folder
    review.mkdir(parents=True)
    (review / "labels.csv").write_text(
        "file,guess,confidence,label\nid-14-1.png,motorcycle,0.6,bicycle\n"
    )

    found = report(project, source=folder)

    assert (found["captured_records"], found["accepted"], found["review"]) == (2, 1, 1)
    assert (found["accuracy"], found["n_test"]) == (0, 1)
    assert (project.build / "local" / "report.html").is_file()


def test_the_traffic_before_a_period_is_what_it_is_compared_with(project: Project) -> None:
    folder = project.root / "copied"
    captured(folder, "scones-dev", 10, *([[0.99, 0.01]] * 30))
    captured(folder, "scones-dev", 14, *([[0.6, 0.4]] * 30))

    found = report(project, source=folder, start="2026-11-20T12:00Z", end="2026-11-20T13:00-02:00")

    figures = {each["name"]: each for each in found["drift"]}
    assert (found["captured_records"], found["review"]) == (30, 30)
    assert figures["confidence"]["verdict"] == "drift"
    assert (figures["confidence"]["n_reference"], figures["confidence"]["n_current"]) == (30, 30)


def test_two_endpoints_in_one_folder_are_both_read_and_said(project: Project) -> None:
    folder = project.root / "copied"
    captured(folder, "one", 14, [0.99, 0.01])
    captured(folder, "two", 14, [0.99, 0.01])

    found = report(project, source=folder)

    assert found["left_out"] == ["The records are of 2 endpoints together: one, two"]


def test_a_period_beside_the_last_run_is_refused(project: Project) -> None:
    with pytest.raises(MonitorError, match="--run last is a period of its own"):
        report(project, run="last", since="7d")


def test_without_a_threshold_a_folder_is_not_reported(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"set \[workflow\] threshold"):
        report(Project(tmp_path), source=tmp_path)
