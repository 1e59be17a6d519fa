import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_core.manifest import Manifest, ManifestRow
from scones_core.reviews import Answer, answer_line, part_key
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_deploy.terraform.state import AppliedResource
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring.report import (
    CAPTURE_SECONDS,
    captures_of,
    report,
    require_classified,
)

NAMES = {field.name: field.name for field in fields(Deployment)}
DEPLOYMENT = Deployment.of(
    {
        **NAMES,
        "labels": ["bicycle", "motorcycle"],
        "capture_uri": "s3://captures/capture",
        "endpoint_name": "scones-dev",
        "variant": "AllTraffic",
        "challenger": None,
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


def test_a_mistyped_time_is_said_before_what_is_not_deployed(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="'yesterday' is not a time"):
        report(Project(tmp_path, "dev"), since="yesterday")


def test_a_run_whose_only_image_failed_says_so_and_what_there_is_to_see() -> None:
    failed: Result = {
        "image": {"bucket": "data", "key": "a.png"},
        "decision": "failed",
        "threshold": 0.9,
        "error": {"Error": "ImageNotFound", "Cause": "there is no a.png."},
    }
    words = r"The only image .* its failure: ImageNotFound: there is no a\.png\. `inv results`"
    with pytest.raises(MonitorError, match=words):
        require_classified([failed])
    with pytest.raises(MonitorError, match=r"All 2 images of the run failed.*the first: Im"):
        require_classified([failed, failed])
    require_classified([failed, RESULT])


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
    page = (project.build / "local" / "report.html").read_text(encoding="utf-8")
    assert "set by [workflow] threshold" in page
    assert "chosen in training" not in page


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


@pytest.mark.parametrize("since", [None, "2026-11-20"])
def test_a_folder_without_records_is_not_reported(project: Project, since: str | None) -> None:
    folder = project.root / "copied"
    folder.mkdir()
    with pytest.raises(MonitorError, match=r"copied has no captured records"):
        report(project, source=folder, start=since)
    assert not (project.build / "local" / "report.html").exists()


def test_a_period_beside_the_last_run_is_refused(project: Project) -> None:
    with pytest.raises(
        MonitorError, match="--run takes the period and the records of that run: leave out --since"
    ):
        report(project, run="last", since="7d")


def test_without_a_threshold_a_folder_is_not_reported(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"set \[workflow\] threshold"):
        report(Project(tmp_path), source=tmp_path)


@pytest.fixture
def deployed(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose deployment is in moto, and whose Terraform has no state."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(CAPTURE_SECONDS, "dev", 0.0)
    s3.create_bucket(Bucket="data_bucket")
    project = Project(tmp_path, "dev")
    vars(project)["deployment"] = replace(DEPLOYMENT, data_bucket="data_bucket", threshold=0.9)
    vars(project)["terraform"] = NoState()
    return project


class NoState:
    def applied(self) -> tuple[AppliedResource, ...]:
        return ()


MANIFEST = Manifest(
    version="v1",
    classes=("bicycle", "motorcycle"),
    source={"kind": "cifar100", "name": "cifar-100-python.tar.gz"},
    settings={},
    rows=(ManifestRow("a.png", "test", "bicycle", "0" * 64, 0, "a"),),
)


def ran(project: Project, *results: dict[str, Any]) -> None:
    content = {"executions": ["arn:x"], "started_at": "2026-11-20T14:32:00+00:00"}
    project.records.write("execution", {**content, "results": results})


def test_a_run_is_reported_with_what_was_not_captured(deployed: Project, s3: Any) -> None:
    capture(s3, "AllTraffic", [0.99, 0.01])
    capture(s3, "Shadow", [0.3, 0.7])
    lost = {**RESULT, "image": {"bucket": "data", "key": "b.png"}, "decision": "review"}
    lost["inference"] = {**RESULT["inference"], "inference_id": "two", "confidence": 0.6}
    failed = {"image": {}, "decision": "failed", "error": {"Error": "E", "Cause": "c"}}
    assignment = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3}
    ran(deployed, {**RESULT, "assignment": assignment}, lost, failed)

    found = report(deployed, manifest=MANIFEST)

    decided = [found[name] for name in ("inputs", "accepted", "review", "failed")]
    assert decided == [3, 1, 1, 1]
    assert (found["accuracy"], found["n_test"]) == (1, 1)
    assert (found["captured_records"], found["results_without_record"]) == (2, 1)
    assert found["assignments"] == [
        {"vehicle": "bicycle", "bay": "A", "orders": "near, up to 3 km", "n": 1}
    ]


def test_a_run_that_there_is_none_of_is_named(deployed: Project) -> None:
    with pytest.raises(MonitorError, match="There is no execution 'lost' in dev"):
        report(deployed, run="lost", manifest=MANIFEST)


def test_a_run_without_a_record_in_time_is_an_error(deployed: Project) -> None:
    ran(deployed, dict(RESULT))

    with pytest.raises(MonitorError, match="takes minutes"):
        report(deployed, manifest=MANIFEST)


def test_a_run_of_which_every_image_failed_names_the_first(deployed: Project) -> None:
    ran(deployed, {"image": {}, "decision": "failed", "error": {"Error": "E", "Cause": "why"}})

    with pytest.raises(MonitorError, match=r"The only image.*its failure: E: why"):
        report(deployed, manifest=MANIFEST)


def test_a_periods_assignments_are_those_of_its_stored_results(deployed: Project, s3: Any) -> None:
    capture(s3, "AllTraffic", [0.99, 0.01])
    assignment = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3}
    line = json.dumps({**RESULT, "assignment": assignment})
    s3.put_object(Bucket="data_bucket", Key="runs/big/results/0.jsonl", Body=f"{line}\n{line}\n")

    found = report(deployed, start="2026-11-20T14:00Z")
    earlier = report(deployed, start="2026-11-20T14:00Z", end="2026-11-20T15:00Z")

    assert [each["n"] for each in found["assignments"]] == [2]
    assert (earlier["captured_records"], earlier["assignments"]) == (1, [])


def test_labels_of_reviewers_in_the_bucket_are_the_truth(deployed: Project, s3: Any) -> None:
    capture(s3, "AllTraffic", [0.99, 0.01])
    answer = Answer(
        session="s",
        sequence=1,
        reviewer="ana",
        action="label",
        sha256="0" * 64,
        file=f"{'0' * 64}.png",
        at="2026-11-21T00:00:00+00:00",
        label="motorcycle",
        inference_id="one",
    )
    key = part_key("labels/", "ana", "s", 1, 1)
    s3.put_object(Bucket="data_bucket", Key=key, Body=answer_line(answer))

    found = report(deployed, start="2026-11-20T14:00Z")

    assert (found["accuracy"], found["n_test"]) == (0, 1)
