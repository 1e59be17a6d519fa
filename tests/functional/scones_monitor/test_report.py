import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DeployError, MonitorError
from scones_monitor.capture_files import FolderCaptures
from scones_monitor.captured_records import parse_record
from scones_monitor.cloudwatch_metrics import EndpointMetrics
from scones_monitor.drift.two_sample_tests import DriftFigure
from scones_monitor.formats import DASH
from scones_monitor.last_hour import live_figures, rows
from scones_monitor.period_summary import Place, Query, Summary, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.release_history import NO_HISTORY, History, Stretch
from scones_monitor.report import Cost, Provenance, ReportData, Run, figures, write_report
from scones_monitor.report.tables import by_variant
from scones_monitor.review.sample import SampleFigure
from scones_monitor.statistics import Interval, Share
from scones_monitor.variant_comparison import VariantComparison, VariantFigures
from tests.support.html_page import Page

LABELS = ("bicycle", "motorcycle")
SINCE = datetime(2026, 11, 20, 14, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)
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
RUN = Run(
    executions=("arn:aws:states:us-east-1:123456789012:execution:classify:1",),
    decisions={"accepted": 4, "review": 2, "failed": 1},
    failures=((f"s3://data/{BAD_KEY}", "ImageNotFound", "<b>gone</b>"),),
    keys={"id5": BAD_KEY},
)
DRIFT = DriftFigure(
    name="brightness",
    method="Kolmogorov-Smirnov, exact",
    statistic=0.31,
    p_value=0.0001,
    n_reference=3_000,
    n_current=6,
    interval=Interval(0.2, 0.4),
    verdict="drift",
)
Line = Callable[..., str]
Build = Callable[..., ReportData]
Written = Callable[[ReportData], tuple[str, Page]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a builder of the data of a page on these lines."""

    def make(
        *lines: str,
        labels: tuple[str, ...] = LABELS,
        truth: dict[str, str] | None = None,
        **other: Any,
    ) -> ReportData:
        folder = tmp_path / "captures"
        path = folder / "scones/AllTraffic/2026/11/20/14/32-05-000-x.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        source, archive = FolderCaptures(folder), Archive(tmp_path / "archive", "scones")
        files = source.list().files
        archive.update(source, files)

        def image(place: Place) -> bytes | None:
            read = b"".join(source.read(place.key, place.start, place.length))
            return parse_record(read, "").image

        history = other.get("history", NO_HISTORY)
        query = Query(labels=labels, threshold=0.97, truth=truth or {}, history=history)
        return ReportData(
            summary=summarise(archive, files, query),
            generated=datetime(2026, 11, 20, 15, tzinfo=UTC),
            since=SINCE,
            until=UNTIL,
            image=image,
            provenance=Provenance(
                environment="local",
                endpoint="scones",
                source="s3://captures/capture/scones/AllTraffic/",
                release="20261120-1432-ab12",
                model_url="s3://artifacts/model/job/output/model.tar.gz",
                dataset_version="v1",
                dataset_kind="cifar100",
                dataset_name="cifar-100-python.tar.gz",
                threshold_origin="chosen by the model",
            ),
            **other,
        )

    return make


def judged_by(summary: Summary, threshold: float) -> Summary:
    every = np.full(len(summary), threshold, np.float32)
    return replace(summary, threshold=threshold, thresholds=every)


@pytest.fixture
def answered(build: Build, line: Line) -> Build:
    """Return a builder of the data of a page on ANSWERS."""

    def make(*more: str, known: bool = True, **other: Any) -> ReportData:
        lines = []
        for i, (label, confidence, _) in enumerate(ANSWERS):
            pair = (confidence, 1 - confidence)
            probabilities = pair if label == "bicycle" else pair[::-1]
            lines.append(line(f"e{i}", inference_id=f"id{i}", probabilities=probabilities))
        truth = {f"id{i}": true for i, (_, _, true) in enumerate(ANSWERS)} if known else {}
        return build(*lines, *more, truth=truth, **other)

    return make


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(data: ReportData) -> tuple[str, Page]:
        path = tmp_path / "new" / "report.html"
        write_report(path, data)
        html = path.read_text(encoding="utf-8")
        return html, Page(html)

    return write


def test_the_figures_add_up_and_are_json(answered: Build) -> None:
    found = figures(answered("broken", run=RUN))

    assert json.loads(json.dumps(found)) == found
    assert (found["inputs"], found["accepted"], found["review"], found["failed"]) == (7, 4, 2, 1)
    assert (found["accuracy"], found["n_test"]) == (pytest.approx(4 / 6), 6)
    assert found["precision_at_threshold"] == pytest.approx(3 / 4)
    assert found["coverage_at_threshold"] == pytest.approx(4 / 6)
    assert found["estimated_accuracy"] == pytest.approx(sum(c for _, c, _ in ANSWERS) / 6)
    assert (found["captured_records"], found["excluded"]) == (6, {"the line is not JSON": 1})


def test_the_page_draws_every_record_by_how_it_ended(answered: Build, written: Written) -> None:
    _, page = written(answered("broken", run=RUN))

    kinds = ("accepted-right", "accepted-wrong", "review-right", "review-wrong")
    assert {kind: page.marks(kind) for kind in kinds} == {
        "accepted-right": 3,
        "accepted-wrong": 1,
        "review-right": 1,
        "review-wrong": 1,
    }
    assert "66.7 % of 6 labelled images got the right class" in page.text
    assert "the line is not JSON: 1" in page.text
    assert "✕ truth: motorcycle" in page.text


def test_an_image_of_a_class_that_the_model_does_not_know_is_a_wrong_answer(
    build: Build, line: Line, written: Written
) -> None:
    lines = [line(name, inference_id=name, probabilities=(0.99, 0.01)) for name in "ab"]
    data = build(*lines, truth={"a": "bicycle", "b": "<tram>"})

    _, page = written(data)

    assert (figures(data)["accuracy"], figures(data)["n_test"]) == (0.5, 2)
    assert "does not know (<tram>): 1. Each counts as a wrong answer" in page.text
    assert "✕ truth: <tram>" in page.text
    assert "<tram> answered as bicycle: 1 of 1" in page.text


def test_two_releases_stand_next_to_each_other_with_what_the_labels_say(
    answered: Build, written: Written
) -> None:
    data = answered()
    metrics = EndpointMetrics([(SINCE, 8.0)], [(SINCE, 2.0)], {}, {"p50": 12.3})
    own = VariantFigures(release="old", variant="AllTraffic", summary=data.summary, metrics=metrics)
    theirs = VariantFigures(
        release="<new>",
        variant="Challenger-<new>",
        summary=judged_by(data.summary, 0.5),
    )
    variants = VariantComparison(
        active=own, challenger=theirs, share=0.25, since=SINCE, until=UNTIL
    )

    html, page = written(replace(data, variants=variants))

    assert "<new>" not in html
    assert "The challenger <new> answered 6 images of this period" in page.text
    assert "Not decided. Each of the two needs 30 labelled answers; one has 6" in page.text
    rows = {row[0]: row[1:] for row in by_variant(variants)}
    assert rows["Threshold"] == ("97\u202f%", "50\u202f%", "")
    assert rows["Invocations"] == ("8", DASH, "")
    assert rows["Errors"][0].startswith("25.0\u202f%")
    assert rows["Errors"][1:] == (DASH, DASH)
    assert rows["Model latency, p50"] == ("12\u202fms", DASH, "")
    assert rows["Labelled"][0] == "4 of 4 accepted, 2 of 2 sent to review"
    assert rows["Accepted"][2].startswith("+33.3 (")
    # The answers are the same, but their decisions have other shares of the labels.
    assert rows["Realised accuracy"][2].startswith("+0.0 (-")


def test_the_accepted_share_of_a_run_is_the_active_releases_where_a_challenger_answers_too(
    answered: Build, written: Written
) -> None:
    data = answered()
    own = VariantFigures(release="old", variant="AllTraffic", summary=data.summary)
    theirs = VariantFigures(
        release="new", variant="Challenger-new", summary=judged_by(data.summary, 0.5)
    )
    variants = VariantComparison(active=own, challenger=theirs, share=0.5, since=SINCE, until=UNTIL)
    # All of the challenger's six answers are accepted, and four of the active release's.
    run = Run(executions=("run",), decisions={"accepted": 10, "review": 2, "failed": 1})

    _, page = written(replace(data, variants=variants, run=run))

    assert (data.coverage.hits, data.coverage.total) == (4, 6)
    found = figures(replace(data, variants=variants, run=run))
    assert found["coverage_at_threshold"] == pytest.approx(4 / 6)
    assert (found["inputs"], found["accepted"]) == (13, 10)
    assert "n = 4, at the threshold of" in page.text
    assert "Images, Failed, the cost and the assignments are of both releases" in page.text


def test_png_and_json_lie_beside_the_page(
    answered: Build, written: Written, tmp_path: Path
) -> None:
    written(answered())

    found = {path.name: path.read_bytes()[:8] for path in (tmp_path / "new").iterdir()}
    charts = {"confidence", "traffic", "review", "histogram", "reliability", "confusion"}
    assert set(found) == {"report.html", "report.json", *(f"report-{c}.png" for c in charts)}
    assert all(found[f"report-{c}.png"] == b"\x89PNG\r\n\x1a\n" for c in charts)


def test_failed_keys_and_causes_are_text_and_nothing_else(
    answered: Build, written: Written
) -> None:
    html, page = written(answered(run=RUN))

    assert page.text.count(BAD_KEY) == 2
    assert "<b>gone</b>" in page.text
    assert "<script" not in html
    assert page.count("script") == 0


def test_a_label_that_is_markup_stays_text_in_the_drawings(
    build: Build, line: Line, written: Written
) -> None:
    evil = "<img src=x onerror=alert(1)>"

    html, page = written(
        build(line("a", inference_id="a"), labels=(evil, "van"), truth={"a": evil})
    )

    assert "<img src=x" not in html
    assert evil in page.text
    assert all("onerror" not in attributes for _, attributes in page.elements)


def test_the_page_loads_nothing(answered: Build, written: Written) -> None:
    html, page = written(answered())

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


def test_ids_are_unique_and_each_chart_has_its_title(answered: Build, written: Written) -> None:
    _, page = written(answered())

    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    named = [a["aria-labelledby"] for tag, a in page.elements if tag == "svg"]
    assert max(ids.values()) == 1
    assert len(named) == page.count("svg") > 3
    assert all(name in ids for names in named for name in names.split())


def test_a_wide_table_scrolls_within_itself(answered: Build, written: Written) -> None:
    _, page = written(answered(run=RUN, drift=(DRIFT,)))
    assert page.count("table") > 3
    assert page.cut_tables() == []


def test_the_footer_says_where_the_figures_are_from(answered: Build, written: Written) -> None:
    _, page = written(answered(run=RUN))

    for text in (
        "20261120-1432-ab12",
        "s3://artifacts/model/job/output/model.tar.gz",
        RUN.executions[0],
        "v1, cifar100 (cifar-100-python.tar.gz)",
        "97 %, chosen by the model",
        "6 records from 1 file",
        "20 November 2026, 15:00:00 UTC",
    ):
        assert text in page.text


def test_synthetic_images_are_announced_and_real_ones_are_not(
    answered: Build, written: Written
) -> None:
    data = answered()
    synthetic = replace(data, provenance=replace(data.provenance, dataset_kind="synthetic"))

    assert "they say nothing about" in written(synthetic)[1].text
    assert "they say nothing about" not in written(data)[1].text


def test_without_labels_the_estimate_stands_alone(answered: Build, written: Written) -> None:
    _, page = written(answered(known=False))

    assert (page.marks("accepted"), page.marks("review")) == (4, 2)
    assert "Of 6 images, 66.7 % were decided without a person." in page.text
    assert "no image is labelled" in page.text
    assert re.search(r"Estimated accuracy 91\.1 % [\d.]+ to [\d.]+ %, n = 6", page.text)
    assert "No image of this period has a label yet" in page.text
    assert page.count("svg", "spark") == 2
    assert re.search(r"Entropy of the answers, .* n = 6\.", page.text)
    assert "Confusion matrix" not in page.text


def test_an_image_that_is_none_is_said_and_not_embedded(
    build: Build, line: Line, written: Written
) -> None:
    svg = b"<svg onload='alert(1)'></svg>"

    _, page = written(build(line("a", probabilities=(0.6, 0.4), image=svg)))

    assert page.count("img") == 0
    assert "none could be decoded; there is nothing to measure" in page.text


def test_images_that_are_gone_leave_their_place(answered: Build, written: Written) -> None:
    _, page = written(replace(answered(), image=lambda _: None))

    assert page.count("img") == 0
    assert "image no longer there" in page.text


def test_what_decided_stands_beside_the_accepted_wrong_image_alone(
    answered: Build, written: Written
) -> None:
    asked: list[str] = []

    def explain(place: Place, body: bytes) -> Image.Image:
        asked.append(place.inference_id)
        return Image.open(io.BytesIO(body)).convert("RGB")

    html, page = written(answered(explain=explain))

    assert asked == ["id4"]
    assert html.count('alt="which part decided"') == 1
    assert "orange parts speak for the active model's answer" in page.text


def test_why_nothing_is_explained_is_said_once(answered: Build, written: Written) -> None:
    calls: list[Place] = []

    def explain(place: Place, _: bytes) -> None:
        calls.append(place)
        raise DeployError("The artifact is gone.")

    data = answered(explain=explain)
    more = replace(judged_by(data.summary, 0.5), wrong=data.summary.wrong * 3)
    html, page = written(replace(data, summary=more))

    assert len(calls) == 1
    assert page.text.count("Which parts decided is not shown: The artifact is gone.") == 1
    assert "which part decided" not in html


def test_no_record_is_a_sentence_and_no_chart(build: Build, written: Written) -> None:
    _, page = written(build())

    assert "No record was captured in this period." in page.text
    assert "No image was classified in this period." in page.text
    assert page.count("svg") == 0


def test_one_record_is_a_page_that_says_so(build: Build, line: Line, written: Written) -> None:
    _, page = written(build(line("a")))

    assert "Only 1 record: the intervals are wide" in page.text
    assert page.marks("accepted") == 1


@pytest.mark.parametrize(
    "case",
    [
        ((1.0, 0.0), SINCE, True),
        ((0.5, 0.5), SINCE, False),
        ((1 - 1e-12, 1e-12), SINCE.replace(year=1986), True),
    ],
    ids=["certain", "undecided", "forty years apart"],
)
def test_records_at_an_edge_are_a_page_of_numbers(
    build: Build,
    line: Line,
    tmp_path: Path,
    case: tuple[tuple[float, float], datetime, bool],
) -> None:
    probabilities, first, accepted = case
    times = [first.isoformat(), *[SINCE.isoformat()] * 5]
    lines = [line(f"e{n}", time=t, probabilities=probabilities) for n, t in enumerate(times)]
    data = replace(build(*lines), since=first)

    write_report(tmp_path / "report.html", data)

    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    json.dumps(figures(data), allow_nan=False)
    assert data.summary.accepted.tolist() == [accepted] * len(times)
    assert not re.search(r"\b(nan|inf|infinity)\b", page.text, re.IGNORECASE)


def test_a_run_that_failed_as_a_whole_is_a_page(build: Build, written: Written) -> None:
    failed = replace(RUN, decisions={"accepted": 0, "review": 0, "failed": 1})

    _, page = written(build(run=failed))

    assert "None of the 1 image could be classified." in page.text


def test_a_day_without_traffic_is_named(answered: Build, written: Written) -> None:
    _, page = written(replace(answered(), since=SINCE - timedelta(days=2)))

    assert "No record on 1 day: 19 November." in page.text


def test_clocks_that_disagree_are_said(build: Build, line: Line, written: Written) -> None:
    _, page = written(build(line("a", time="2026-11-25T09:00:00Z")))

    assert "The clocks disagree: of 1 record inferenceTime contradicts" in page.text


def test_drift_is_shown_with_method_n_and_interval(answered: Build, written: Written) -> None:
    data = answered()

    _, page = written(replace(data, drift=[DRIFT], reference=data.summary, drift_note="Compared."))

    assert "Drift from the reference: brightness" in page.text
    assert (
        "brightness ▲ drift 0.310 (0.200 to 0.400) < 0.001 6 3 000 Kolmogorov-Smirnov, exact"
        in page.text
    )


def test_without_a_reference_the_reason_is_said(answered: Build, written: Written) -> None:
    note = "The release is younger than this period."

    assert f"Not tested. {note}" in written(replace(answered(), drift_note=note))[1].text


def test_traffic_latency_releases_cost_and_assignments_have_their_n(
    answered: Build, written: Written
) -> None:
    times = [SINCE + timedelta(minutes=m) for m in (10, 32)]
    latency = {p: [(time, 20.0) for time in times] for p in ("p50", "p90", "p99")}
    metrics = EndpointMetrics(
        [(times[1], 8.0)], [(times[1], 1.0)], latency, {"p50": 20.0, "p99": 31.0}
    )

    _, page = written(
        replace(
            answered(),
            since=SINCE + timedelta(minutes=30),
            until=SINCE + timedelta(minutes=34),
            metrics=metrics,
            sampling=100,
            history=History((Stretch(SINCE + timedelta(minutes=32), "20261120-1432-ab12"),)),
            cost=Cost("USD", (("SageMaker", 0.25),), "one hour"),
            assignments={("bicycle", "A", "near, up to 3 km"): 4},
        )
    )

    for text in (
        "Errors 1 of 8 invocations",
        "Captured 75.0 % 6 of 8 invocations",
        "Model latency 20 ms median; 99 % within 31 ms, n = 8",
        "when a release began to answer alone: 20261120-1432-ab12",
        "Cost of the period 0.25 USD",
        "bicycle A near, up to 3 km 4",
    ):
        assert text in page.text


def test_each_record_is_of_the_release_that_answered_also_after_a_rollback(
    build: Build, line: Line, written: Written
) -> None:
    lines = [line(f"e{i}", time=f"2026-11-20T14:{32 + i}:30Z") for i in range(6)]
    # The older release is active again from minute 36 on; it may be deleted from the file since.
    stretches = [(33, "20261101-a"), (34, "20261119-b"), (35, ""), (36, "20261101-a")]
    history = History(tuple(Stretch(SINCE + timedelta(minutes=m), name) for m, name in stretches))
    data = build(*lines, history=history)

    _, page = written(data)

    assert "20261101-a 3 97 % 0 %" in page.text
    assert "20261119-b 1 97 % 0 %" in page.text
    assert "During a roll-out, when either release may have answered 1 97 % 0 %" in page.text
    assert "Before releases were recorded 1 97 % 0 %" in page.text
    assert sum(figures(data)["releases"].values()) == 6, "none is lost"


def test_each_record_is_judged_by_the_threshold_of_the_release_that_answered(
    build: Build, line: Line, written: Written
) -> None:
    lines = [line(f"e{i}", time=f"2026-11-20T14:{32 + i}:30Z") for i in range(6)]
    changed = Stretch(SINCE + timedelta(minutes=34), "r2", 0.97)
    data = build(*lines, history=History((Stretch(SINCE, "r1", 0.995), changed)))

    html, page = written(data)

    found, live = figures(data), dict(rows(live_figures(data)))
    assert (found["accepted"], found["review"]) == (4, 2)
    assert (found["threshold"], found["thresholds"]) == (0.97, [0.97, 0.995])
    assert "r1 2 99.5 % 100 %" in page.text
    assert "r2 4 97 % 0 %" in page.text
    assert "at the threshold of 97 % and 99.5 % or above" in page.text
    assert "4 of them at or above the threshold of 99.5\u202f%, then 97\u202f%" in html
    assert live["review"] == "33.3\u202f% of 6"
    assert (live["review, r1"], live["review, r2"]) == ("100\u202f% of 2", "0\u202f% of 4")


def test_a_random_sample_stands_apart_from_what_the_review_queue_says(
    answered: Build, written: Written
) -> None:
    sample = SampleFigure(SINCE, UNTIL, drawn=100, population=912, right=Share(59, 60))
    data = answered(samples=(sample,))

    _, page = written(data)

    assert "Precision by random sample, 20 Nov to 20 Nov" in page.text
    assert "60 labelled of 100 drawn of 912 accepted" in page.text
    assert "98.3 % (91.1 to 99.7 %)" in page.text
    assert "Precision by sample 98.3 %" in page.text
    assert "Accuracy of those sent to review" in page.text
    (found,) = figures(data)["random_samples"]
    assert (found["n"], found["precision"]) == (60, 59 / 60)


def test_a_sample_that_nobody_has_labelled_yet_has_no_figure(
    answered: Build, written: Written
) -> None:
    sample = SampleFigure(SINCE, UNTIL, drawn=100, population=912, right=Share(0, 0))
    data = answered(samples=(sample,))
    assert "0 labelled of 100 drawn of 912 accepted" in written(data)[1].text
    assert figures(data)["random_samples"][0]["precision_interval"] is None


def test_labels_of_the_review_queue_alone_are_said_to_be_no_random_ones(
    build: Build, line: Line, written: Written
) -> None:
    lines = [line(f"s{i}", inference_id=f"s{i}", probabilities=(0.99, 0.01)) for i in range(40)]
    lines += [line(f"u{i}", inference_id=f"u{i}", probabilities=(0.6, 0.4)) for i in range(10)]
    queue = {f"u{i}": "motorcycle" for i in range(10)}

    said = "the realised accuracy is that of the labelled images, not of all"
    assert said in written(build(*lines, truth=queue))[1].text
    everything = queue | {f"s{i}": "bicycle" for i in range(40)}
    assert said not in written(build(*lines, truth=everything))[1].text


def test_one_release_alone_needs_no_table(build: Build, line: Line, written: Written) -> None:
    history = History((Stretch(SINCE, "r1"),))
    data = build(line("e", time="2026-11-20T14:32:30Z"), history=history)
    assert "By release" not in written(data)[1].text
    assert figures(data)["releases"] == {"r1": 1}


def test_metrics_by_the_minute_are_not_drawn_over_seconds(
    answered: Build, written: Written
) -> None:
    latency = {"p50": [(SINCE + timedelta(minutes=32), 20.0)]}
    metrics = EndpointMetrics([(SINCE + timedelta(minutes=32), 6.0)], [], latency, {"p50": 20.0})

    html, page = written(replace(answered(), metrics=metrics))

    assert 'class="line second"' not in html
    assert "CloudWatch counts 6 invocations, by the minute, which is too coarse" in page.text
    assert "p50 20 ms; n = 6 invocations. The period is too short" in page.text


def test_incomplete_and_sampled_capture_are_told_apart(answered: Build, written: Written) -> None:
    metrics = EndpointMetrics([(SINCE, 1000.0)])

    whole = written(replace(answered(), metrics=metrics, sampling=100))[1].text
    sampled = written(replace(answered(), metrics=metrics, sampling=1))[1].text

    assert "Capture is incomplete: 0.6 % of the invocations were captured" in whole
    assert "Capture is incomplete" not in sampled
    assert "Captured is a sample of 1 % of the requests." in sampled


def test_thousands_of_records_are_drawn_as_bands(
    build: Build, line: Line, written: Written
) -> None:
    lines = [
        line(f"e{i}", time=f"2026-11-20T14:{32 + i // 150}:{i % 60:02}Z", image=b"")
        for i in range(600)
    ]

    html, page = written(build(*lines))

    assert page.marks("accepted") == 0
    assert 'class="band"' in html
    assert "Line: the median of each" in page.text


def test_a_thousand_classes_fit_on_a_page(build: Build, line: Line, written: Written) -> None:
    labels = tuple(f"class {i:03}" for i in range(1_000))
    lines = []
    for i in range(40):
        answer = tuple(0.5 if j == i * 20 else 0.5 / 999 for j in range(1_000))
        lines.append(line(f"e{i}", inference_id=f"id{i}", probabilities=answer, image=b""))

    html, page = written(
        build(*lines, labels=labels, truth={"id0": "class 000", "id1": "class 020"})
    )

    assert len(html) < 400_000
    assert "20 rarer classes not shown" in page.text
    assert "Every labelled image was answered right." in page.text

    _, page = written(build(*lines, labels=labels, truth={"id0": "class 500"}))
    assert "The most frequent confusions" in page.text
    assert page.cut_tables() == []


def test_thousands_of_failures_are_counted_and_the_first_ones_shown(
    build: Build, line: Line, written: Written
) -> None:
    failures = tuple((f"s3://data/{i}.png", "ImageNotFound", "x" * 500) for i in range(5_000))
    run = replace(RUN, decisions={"accepted": 1, "failed": 5_000}, failures=failures)

    html, page = written(build(line("a"), run=run))

    assert len(html) < 500_000
    assert "4 900 further failures not shown." in page.text


def test_a_page_over_2_mb_is_refused_and_the_older_one_stays(
    answered: Build, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")
    with pytest.raises(MonitorError, match="over 2,000,000"):
        write_report(path, answered(drift_note="x" * 2_000_000))
    assert path.read_text() == "older"
