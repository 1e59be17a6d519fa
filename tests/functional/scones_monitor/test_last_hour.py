import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from scones_core.errors import MonitorError
from scones_core.golden_samples import INFERENCE_ID_PREFIX
from scones_deploy import cost
from scones_monitor.capture_files import FolderCaptures
from scones_monitor.cloudwatch_metrics import EndpointMetrics
from scones_monitor.drift.onset import Onset
from scones_monitor.drift.two_sample_tests import CLASS_MIX, DriftFigure, Verdict
from scones_monitor.last_hour import (
    DAY,
    MAX_CLASSES,
    NAMESPACE,
    LiveFigures,
    line,
    live_figures,
    metric_data,
    publish,
    span_text,
)
from scones_monitor.period_summary import Query, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.report import Provenance, ReportData
from scones_monitor.statistics import Interval

SINCE = datetime(2026, 11, 20, 14, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)
MODULES = Path(__file__).parents[3] / "terraform" / "modules"
Build = Callable[..., LiveFigures]


def figure(verdict: Verdict, p_value: float | None) -> DriftFigure:
    return DriftFigure(
        name="brightness", method="Kolmogorov-Smirnov, exact", statistic=0.31, p_value=p_value,
        n_reference=500, n_current=40, interval=Interval(0.2, 0.4), verdict=verdict,
    )  # fmt: skip


@pytest.fixture
def build(tmp_path: Path, line: Callable[..., str]) -> Build:
    """Return the figures of an hour with these confidences of `bicycle`."""

    def make(*shares: float, golden: int = 0, **other: Any) -> LiveFigures:
        folder = tmp_path / "captures"
        path = folder / "scones/AllTraffic/2026/11/20/14/32-05-000-x.jsonl"
        path.parent.mkdir(parents=True)
        lines = [line(f"e{i}", probabilities=(p, 1 - p)) for i, p in enumerate(shares)]
        lines += [line(f"g{i}", inference_id=f"{INFERENCE_ID_PREFIX}{i}") for i in range(golden)]
        path.write_text("".join(f"{each}\n" for each in lines))
        source, archive = FolderCaptures(folder), Archive(tmp_path / "archive", "scones")
        files = source.list().files
        archive.update(source, files)
        query = Query(labels=("bicycle", "motorcycle"), threshold=0.9)
        provenance = Provenance(
            environment="local", endpoint="scones", source="", release="", model_url="",
            dataset_version="", dataset_kind="", dataset_name="", threshold_origin="",
        )  # fmt: skip
        data = ReportData(
            summary=summarise(archive, files, query),
            generated=UNTIL,
            since=SINCE,
            until=UNTIL,
            provenance=provenance,
            **other,
        )
        return live_figures(data)

    return make


def values(figures: LiveFigures) -> dict[str, float]:
    """Return the metrics by name, and by name and label."""
    found = {}
    for entry in metric_data(figures):
        labels = [d["Value"] for d in entry["Dimensions"] if d["Name"] == "Label"]
        found[" ".join([entry["MetricName"], *labels])] = entry["Value"]
    return found


def test_the_figures_are_those_of_the_records(build: Build) -> None:
    metrics = EndpointMetrics(invocations=[(SINCE, 8)], errors=[(SINCE, 2)], overall={"p90": 12.5})
    found = build(0.99, 0.95, 0.6, 0.01, metrics=metrics, sampling=100)
    assert found.images == 4
    assert found.review == (1, 4)
    assert list(found.classes) == ["bicycle", "motorcycle"]
    assert found.classes["bicycle"].share == (3, 4)
    assert found.classes["bicycle"].median == pytest.approx(0.95)
    assert found.captured == (4, 6)
    assert (found.invocations, found.errors, found.latency_ms) == (8, 2, 12.5)


def test_a_golden_sample_is_captured_though_the_figures_leave_it_out(build: Build) -> None:
    metrics = EndpointMetrics(invocations=[(SINCE, 5)])
    found = build(0.99, 0.95, 0.6, golden=2, metrics=metrics, sampling=100)
    assert (found.images, found.captured) == (3, (5, 5))


def test_metrics_are_few_and_by_class(build: Build) -> None:
    metrics = EndpointMetrics(invocations=[(SINCE, 8)])
    found = values(
        build(0.99, 0.95, 0.6, 0.01, metrics=metrics, sampling=100, drift=[figure("drift", 0.001)])
    )
    assert found == pytest.approx(
        {
            "Images": 4,
            "ReviewPercent": 25,
            "Drift": 1,
            "DriftEffect": 0.31,
            "CaptureGapPercent": 50,
            "ClassPercent bicycle": 75,
            "ConfidenceMedian bicycle": 0.95,
            "ClassPercent motorcycle": 25,
            "ConfidenceMedian motorcycle": 0.99,
        }
    )


def test_terraform_names_the_metrics_as_they_are_published(build: Build) -> None:
    mix = replace(figure("drift", 0.001), name=CLASS_MIX)
    metrics = EndpointMetrics(invocations=[(SINCE, 8)])
    day = build(0.99, metrics=metrics, sampling=100, drift=[mix])
    entries = metric_data(replace(day, since=UNTIL - DAY))
    published = {entry["MetricName"] for entry in entries}
    by_day = {d["Name"]: d["Value"] for d in entries[0]["Dimensions"]}
    labelled = {d["Name"] for entry in entries for d in entry["Dimensions"]}

    source = (MODULES / "monitoring" / "daily_figures.tf").read_text()
    named = set(re.findall(r'metric(?:_name)?\s*= "(\w+)"', source))
    named |= set(re.findall(r'daily_namespace, "(\w+)"', source))
    for listed in re.findall(r"for metric in \[([^\]]+)\]", source):
        named |= set(re.findall(r'"(\w+)"', listed))
    assert named == published
    assert f'daily_namespace  = "{NAMESPACE}"' in source
    assert f'{{ Endpoint = var.endpoint.name, Period = "{by_day["Period"]}" }}' in source
    assert labelled == {"Endpoint", "Period", "Label"}
    assert 'concat(local.daily, ["Label", label])' in source
    assert f"min({MAX_CLASSES}, " in source


def test_the_cost_estimate_counts_the_metrics_that_are_published(build: Build) -> None:
    metrics = EndpointMetrics(invocations=[(SINCE, 8)])
    mix = replace(figure("drift", 0.001), name=CLASS_MIX)
    entries = metric_data(build(0.99, 0.1, metrics=metrics, sampling=100, drift=[mix]))
    of_classes = [e for e in entries if any(d["Name"] == "Label" for d in e["Dimensions"])]
    assert len(entries) - len(of_classes) == cost.REPORT_METRICS
    assert len(of_classes) == cost.CLASS_METRICS * 2
    assert cost.MAX_CLASSES == MAX_CLASSES


def test_figures_of_an_hour_are_not_those_of_a_day(build: Build) -> None:
    periods = {
        d["Value"] for entry in metric_data(build(0.99)) for d in entry["Dimensions"]
        if d["Name"] == "Period"
    }  # fmt: skip
    assert periods == {span_text(UNTIL - SINCE)}
    assert (span_text(DAY), span_text(DAY / 48)) == ("1d", "30m")


def test_what_is_not_known_has_no_metric(build: Build) -> None:
    found = values(build(drift=[figure("too_few", None)]))
    assert found == {"Images": 0}


def test_no_drift_is_zero_and_not_missing(build: Build) -> None:
    assert values(build(0.99, drift=[figure("none", 1.0)]))["Drift"] == 0


def test_the_line_names_what_drifts_with_its_n(build: Build) -> None:
    text = line(build(0.99, 0.6, drift=[figure("drift", 0.001)]))
    assert text.startswith("15:00:00  images 2  review 50")
    assert "DRIFT of brightness, n = 40" in text


def test_the_line_says_since_when(build: Build) -> None:
    onset = Onset(SINCE, image=12, images=40, name="brightness", rises=False)
    text = line(build(0.99, 0.6, drift=[figure("drift", 0.001)], onset=onset))
    assert text.endswith(f"first change {onset}")


def test_the_line_of_no_records_says_why_drift_is_not_known(build: Build) -> None:
    text = line(build(drift_note="There are no records in this period."))
    assert "images 0  review of none" in text
    assert "drift not known: There are no records in this period." in text


def test_more_records_than_invocations_are_no_gap(build: Build) -> None:
    metrics = EndpointMetrics(invocations=[(SINCE, 1)])
    assert values(build(0.99, 0.98, metrics=metrics, sampling=100))["CaptureGapPercent"] == 0


@pytest.fixture
def cloudwatch(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield session.client("cloudwatch")


def test_published_figures_are_in_cloudwatch(build: Build, cloudwatch: Any) -> None:
    assert publish(cloudwatch, build(0.99, 0.6)) == 4
    found = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {each["MetricName"] for each in found} == {
        "Images",
        "ReviewPercent",
        "ClassPercent",
        "ConfidenceMedian",
    }


def test_a_refusal_of_cloudwatch_is_one_sentence(build: Build, session: boto3.Session) -> None:
    client = session.client("cloudwatch")
    with Stubber(client) as stub:
        stub.add_client_error("put_metric_data", "AccessDenied", "not allowed")
        with pytest.raises(MonitorError, match="scones cannot be written to CloudWatch"):
            publish(client, build(0.99))
