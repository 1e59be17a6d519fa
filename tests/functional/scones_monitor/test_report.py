import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_core.uris import S3Uri
from scones_monitor.captured_records import Captures, read_captures
from scones_monitor.join import Join, join
from scones_monitor.report import Provenance, ReportData, summarise, write_report
from tests.support.html_page import Page

LABELS = ("bicycle", "motorcycle")
BAD_KEY = "uploads/<script>alert(1)</script>/\"quoted\" & 'so'.png"
# (answered label, confidence, true label); the last two of these are wrong.
ANSWERS = [
    ("bicycle", 0.99, "bicycle"),
    ("motorcycle", 0.998, "motorcycle"),
    ("bicycle", 0.97, "bicycle"),
    ("motorcycle", 0.9699, "motorcycle"),
    ("bicycle", 0.99, "motorcycle"),
    ("motorcycle", 0.55, "bicycle"),
]


@pytest.fixture
def data(s3: Any, put: Callable[..., None], line: Callable[..., str]) -> ReportData:
    lines, results, truth = [], [], {}
    for i, (label, confidence, true) in enumerate(ANSWERS):
        other = 1 - confidence
        probabilities = (confidence, other) if label == "bicycle" else (other, confidence)
        time = f"2026-11-20T14:32:05.{i * 100:03d}Z"
        lines.append(line(f"e{i}", inference_id=f"id{i}", probabilities=probabilities, time=time))
        key = f"dataset/v1/test/{true}/{i}.png"
        truth[key] = true
        results.append(_classified(key, label, confidence, f"id{i}"))
    results.append(_failed(BAD_KEY, "ImageNotFound", json.dumps({"errorMessage": "<b>gone</b>"})))
    put("capture/scones/AllTraffic/2026/11/20/14/32-05-000-x.jsonl", *lines, "broken")
    captures = read_captures(s3, S3Uri.parse("s3://captures/capture"), "scones")
    return ReportData(
        joined=join(results, captures.records, truth),
        captures=captures,
        labels=LABELS,
        threshold=0.97,
        target_precision=0.99,
        generated=datetime(2026, 11, 20, 15, tzinfo=UTC),
        provenance=Provenance(
            environment="local",
            endpoint="scones",
            release="20261120-1432-ab12",
            model_url="s3://artifacts/model/job/output/model.tar.gz",
            executions=("arn:aws:states:us-east-1:123456789012:execution:classify:1",),
            dataset_version="v1",
            dataset_kind="cifar100",
            dataset_name="cifar-100-python.tar.gz",
            threshold_origin="chosen by the model",
            capture_uri="s3://captures/capture",
        ),
    )


def _without_truth(captures: Captures) -> Join:
    """Return the results that belong to these records, whose images' classes nobody knows."""
    results = []
    for number, record in enumerate(captures.records):
        confidence = max(record.probabilities)
        label = LABELS[record.probabilities.index(confidence)]
        results.append(_classified(f"{number}.png", label, confidence, record.inference_id or ""))
    return join(results, captures.records)


def _classified(key: str, label: str, confidence: float, inference_id: str) -> Result:
    return {
        "image": {"bucket": "data", "key": key},
        "decision": "accepted" if confidence >= 0.97 else "review",
        "threshold": 0.97,
        "inference": {
            "label": label,
            "confidence": confidence,
            "probabilities": {label: confidence},
            "inference_id": inference_id,
            "variant": "AllTraffic",
        },
    }


def _failed(key: str, error: str, cause: str) -> Result:
    return {
        "image": {"bucket": "data", "key": key},
        "decision": "failed",
        "error": {"Error": error, "Cause": cause},
    }


@pytest.fixture
def written(tmp_path: Path) -> Callable[[ReportData], tuple[str, Page]]:
    def write(data: ReportData) -> tuple[str, Page]:
        path = tmp_path / "new" / "report.html"
        write_report(path, data)
        assert [p.name for p in path.parent.iterdir()] == ["report.html"]
        html = path.read_text(encoding="utf-8")
        return html, Page(html)

    return write


Written = Callable[[ReportData], tuple[str, Page]]


def test_the_summary_adds_up_and_is_json(data: ReportData) -> None:
    found = summarise(data.joined, data.captures, data.threshold)

    assert json.loads(json.dumps(found)) == found
    assert (found["inputs"], found["accepted"], found["review"], found["failed"]) == (7, 4, 2, 1)
    assert (found["accuracy"], found["n_test"]) == (pytest.approx(4 / 6), 6)
    assert found["precision_at_threshold"] == pytest.approx(3 / 4)
    assert found["coverage_at_threshold"] == pytest.approx(4 / 6)
    assert found["threshold"] == 0.97
    assert (found["captured_records"], found["malformed_records"]) == (6, 1)


def test_the_page_draws_every_joined_record_by_how_it_ended(
    data: ReportData, written: Written
) -> None:
    _, page = written(data)

    kinds = ("accepted-right", "accepted-wrong", "review-right", "review-wrong")
    assert {kind: page.marks(kind) for kind in kinds} == {
        "accepted-right": 3,
        "accepted-wrong": 1,
        "review-right": 1,
        "review-wrong": 1,
    }
    assert page.count("li", "card") == 1 + 2
    assert "66.7 % of 6 images got the right class" in page.text
    assert "3 of 4 accepted are right" in page.text
    assert "1 captured line could not be read: the line is not JSON" in page.text
    assert "✕ truth: motorcycle" in page.text


def test_failed_keys_and_causes_are_text_and_nothing_else(
    data: ReportData, written: Written
) -> None:
    html, page = written(data)

    assert f"s3://data/{BAD_KEY}" in page.text
    assert "ImageNotFound" in page.text
    assert "<b>gone</b>" in page.text
    assert "<script" not in html
    assert page.count("script") == 0


def test_a_label_or_key_that_is_markup_stays_text_in_the_drawings(
    s3: Any, put: Callable[..., None], line: Callable[..., str], data: ReportData, written: Written
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    put("capture/scones/AllTraffic/2026/11/20/15/00-00-000-x.jsonl", line("evil", inference_id="e"))
    captures = read_captures(s3, S3Uri.parse("s3://captures/capture"), "scones")
    results = [_classified(f"a/{evil}.png", evil, 0.6, "e")]
    joined = join(results, captures.records, {f"a/{evil}.png": evil})

    html, page = written(replace(data, joined=joined, labels=(evil, "motorcycle")))

    assert "<img src=x" not in html
    assert evil in page.text
    assert all("onerror" not in attributes for _, attributes in page.elements)


def test_the_page_loads_nothing(data: ReportData, written: Written) -> None:
    html, page = written(data)

    loading = [
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "xlink:href", "data", "action", "poster")
    ]
    assert loading
    assert all(value.startswith("data:") for _, _, value in loading)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


def test_ids_are_unique_and_each_chart_has_its_title(data: ReportData, written: Written) -> None:
    _, page = written(data)

    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    named = [a["aria-labelledby"] for tag, a in page.elements if tag == "svg"]
    assert max(ids.values()) == 1
    assert len(named) == page.count("svg") > 3
    assert all(name in ids for names in named for name in names.split())


def test_the_footer_says_where_the_figures_are_from(data: ReportData, written: Written) -> None:
    _, page = written(data)

    for text in (
        "20261120-1432-ab12",
        "s3://artifacts/model/job/output/model.tar.gz",
        "arn:aws:states:us-east-1:123456789012:execution:classify:1",
        "v1, cifar100 (cifar-100-python.tar.gz)",
        "97 %, chosen by the model",
        "6 records from 1 file",
        "20 November 2026, 15:00:00 UTC",
    ):
        assert text in page.text


def test_synthetic_images_are_announced_and_real_ones_are_not(
    data: ReportData, written: Written
) -> None:
    synthetic = replace(data, provenance=replace(data.provenance, dataset_kind="synthetic"))

    assert "they say nothing about" in written(synthetic)[1].text
    assert "they say nothing about" not in written(data)[1].text


def test_without_truth_the_page_shows_only_decisions(data: ReportData, written: Written) -> None:
    joined = _without_truth(data.captures)

    _, page = written(replace(data, joined=joined))

    assert (page.marks("accepted"), page.marks("review")) == (4, 2)
    assert "Of 6 images, 66.7 % were decided without a person." in page.text
    assert "truth not known" in page.text
    assert "Confusion matrix" not in page.text


def test_images_that_are_none_are_named_and_not_embedded(
    s3: Any, put: Callable[..., None], line: Callable[..., str], data: ReportData, written: Written
) -> None:
    put(
        "capture/svg/AllTraffic/2026/11/20/14/32-05-000-x.jsonl",
        line(
            "a", inference_id="i", probabilities=(0.6, 0.4), image=b"<svg onload='alert(1)'></svg>"
        ),
    )
    captures = read_captures(s3, S3Uri.parse("s3://captures/capture"), "svg")
    joined = _without_truth(captures)

    _, page = written(replace(data, joined=joined, captures=captures))

    assert page.count("img") == 0
    assert "no readable image captured" in page.text
    assert "Not a sound PNG or JPEG 1 image" in page.text


def test_failures_alone_still_make_a_page(data: ReportData, written: Written) -> None:
    joined = join([_failed(f"{i}.png", "ImageNotFound", "gone") for i in range(3)], [], {})

    _, page = written(replace(data, joined=joined))

    assert "None of the 3 images could be classified." in page.text
    assert page.count("svg") == 0


def test_a_report_of_nothing_is_an_error_and_leaves_the_older_page(
    data: ReportData, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")
    stranger = join([_classified("a.png", "bicycle", 0.99, "unknown")], data.captures.records)

    for nothing, message in (
        (replace(data, captures=replace(data.captures, records=())), "no captured record"),
        (replace(data, joined=join([], [])), "no result"),
        (replace(data, joined=stranger), "belongs to"),
    ):
        with pytest.raises(MonitorError, match=message):
            write_report(path, nothing)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
