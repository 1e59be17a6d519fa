"""The daily report as its job runs it, on records in moto's S3 and metrics in its CloudWatch."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from scones_core.errors import MonitorError
from scones_core.reviews import Answer, answer_line, part_key
from scones_monitor.daily_report import MAX_METRIC_AGE, DailySettings, parse_day, report_day
from scones_monitor.drift.online import MIN_REFERENCE
from scones_monitor.last_hour import NAMESPACE
from scones_monitor.review.sample import Sample, store_sample
from scones_monitor.review.sources import Candidate

DAY = "2026-11-20"
NOW = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
SETTINGS = DailySettings(
    environment="dev",
    endpoint="scones",
    variant="AllTraffic",
    capture_uri="s3://captures/capture",
    data_bucket="captures",
    labels=("bicycle", "motorcycle"),
    threshold=0.9,
    chosen_threshold=False,
    release="20261101-120000-0123abcd",
    model_url="s3://artifacts/model/model.tar.gz",
    dataset_version="v1",
)
Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(s3: Any, session: boto3.Session, tmp_path: Path) -> Report:
    """Return a function that reports a day, and returns the summary that it leaves."""
    del s3  # moto is up

    def run(day: str = DAY, now: datetime = NOW, **changed: Any) -> dict[str, Any]:
        settings = tmp_path / "input" / "settings" / "settings.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({**asdict(SETTINGS), **changed}))
        report_day(tmp_path, day, cast(Callable[[str], Any], session.client), now)
        found: dict[str, Any] = json.loads((tmp_path / "output" / "summary.json").read_text())
        return found

    return run


@pytest.fixture
def traffic(put: Callable[..., None], line: Callable[..., str]) -> Callable[..., None]:
    """Return a writer of a day's records, one a confidence of `bicycle`."""

    def write(day: str, *shares: float, variant: str = "AllTraffic") -> None:
        lines = [
            line(
                f"{day}-{i}{variant.removeprefix('AllTraffic')}",
                time=f"{day}T14:32:05Z",
                probabilities=(share, 1 - share),
                inference_id=f"{day}-{i}{variant.removeprefix('AllTraffic')}",
            )
            for i, share in enumerate(shares)
        ]
        key = day.replace("-", "/")
        put(f"capture/scones/{variant}/{key}/14/32-05-000-x.jsonl", *lines)

    return write


def metrics(session: boto3.Session, day: str = DAY) -> dict[str, float]:
    """Return a day's metrics by name, those by label left out."""
    cloudwatch = session.client("cloudwatch")
    until = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)
    found = {}
    for each in cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]:
        named = {d["Name"]: d["Value"] for d in each["Dimensions"]}
        assert (named["Endpoint"], named["Period"]) == ("scones", "1d")
        if "Label" in named:
            continue
        (point,) = cloudwatch.get_metric_statistics(
            **each,
            StartTime=until - timedelta(minutes=1),
            EndTime=until + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        found[each["MetricName"]] = point["Maximum"]
    return found


def test_a_day_like_those_before_has_a_page_and_no_drift(
    report: Report, traffic: Callable[..., None], session: boto3.Session, tmp_path: Path
) -> None:
    steady = [0.95 + i / 1000 for i in range(40)]
    traffic("2026-11-18", *steady)
    traffic(DAY, *steady)
    found = report()
    assert (found["images"], found["to_review"], found["drift"]) == (40, 0, "none")
    published = metrics(session)
    assert (published["Images"], published["Drift"], published["ClassMixDrift"]) == (40, 0, 0)
    assert found["metrics"] > len(published), "each class has its own, too"
    page = (tmp_path / "output" / "report.html").read_text()
    assert "Of 40 images" in page
    assert json.loads((tmp_path / "output" / "report.json").read_text())["captured_records"] == 40
    assert list((tmp_path / "output").glob("report-*.png"))


def test_a_day_with_a_challenger_compares_both_releases(
    report: Report, traffic: Callable[..., None], tmp_path: Path
) -> None:
    traffic(DAY, *[0.95] * 5)
    traffic(DAY, *[0.85] * 3, variant="Challenger-two")
    found = report(
        challenger={
            "release": "two", "share": 0.2, "variant": "Challenger-two", "threshold": 0.8
        }
    )  # fmt: skip
    assert found["images"] == 5
    figures = json.loads((tmp_path / "output" / "report.json").read_text())["variants"]
    assert (figures["active"]["n"], figures["challenger"]["n"]) == (5, 3)
    assert figures["challenger"]["accepted"]["value"] == 1
    assert "Challenger: two" in (tmp_path / "output" / "report.html").read_text()


def test_other_images_than_before_are_drift(
    report: Report, traffic: Callable[..., None], session: boto3.Session, tmp_path: Path
) -> None:
    traffic("2026-11-18", *[0.95 + i / 4000 for i in range(MIN_REFERENCE)])
    traffic(DAY, *[0.3 + i / 1000 for i in range(40)])
    found = report()
    assert (found["drift"], "class mix" in found["drifted"]) == ("drift", True)
    assert found["drift_since"] == f"{DAY}T14:32:05+00:00"
    page = (tmp_path / "output" / "report.html").read_text()
    assert "lower since about 20 Nov 14:32 UTC" in page
    published = metrics(session)
    assert (published["Drift"], published["ClassMixDrift"]) == (1, 1)
    assert published["ReviewPercent"] == 100


def test_a_day_without_records_is_reported_as_such(
    report: Report, traffic: Callable[..., None], session: boto3.Session, tmp_path: Path
) -> None:
    traffic("2026-11-18", 0.99)
    found = report()
    assert (found["images"], found["drift"], found["drifted"]) == (0, "too_few", [])
    assert found["drift_since"] is None
    assert metrics(session) == {"Images": 0}, "what is not known has no value"
    assert (tmp_path / "output" / "report.html").stat().st_size


def test_traffic_of_an_earlier_release_is_no_reference(
    report: Report, traffic: Callable[..., None]
) -> None:
    traffic("2026-11-18", *[0.95] * 40)
    traffic(DAY, *[0.3] * 40)
    young = "20261119-000000-0123abcd"
    assert report(release=young)["drift"] == "too_few"


def test_answers_of_another_model_are_no_reference_and_counted(
    report: Report,
    traffic: Callable[..., None],
    put: Callable[..., None],
    line: Callable[..., str],
    tmp_path: Path,
) -> None:
    other = (line(f"o{i}", time="2026-11-18T14:32:05Z", probabilities=(0.3, 0.3, 0.4))
             for i in range(40))  # fmt: skip
    put("capture/scones/AllTraffic/2026/11/18/14/32-05-000-x.jsonl", *other)
    traffic(DAY, *[0.95] * 40)
    assert report()["drift"] == "too_few"
    note = json.loads((tmp_path / "output" / "report.json").read_text())["drift_note"]
    assert note.endswith("Left out of it: answers of another model: 3 classes (40).")


def test_the_page_has_the_accepted_records_by_bay_and_radius(
    report: Report, traffic: Callable[..., None], tmp_path: Path
) -> None:
    traffic(DAY, *[0.95] * 3, *[0.5] * 2, *[0.01] * 4)
    bays = {
        "bicycle": {"bay": "A", "orders": "near", "max_km": 3},
        "motorcycle": {"bay": "B", "orders": "far", "max_km": 12},
    }
    report(assignments=bays)
    found = json.loads((tmp_path / "output" / "report.json").read_text())["assignments"]
    assert [(each["bay"], each["orders"], each["n"]) for each in found] == [
        ("A", "near, up to 3 km", 3),
        ("B", "far, up to 12 km", 4),
    ]


def days(report: Report, put: Callable[[str, bytes], None], first: int, last: int) -> list[Any]:
    """Report days of November in their order, as the state machine does; return the summaries."""
    found = []
    for number in range(first, last + 1):
        day = f"2026-11-{number:02}"
        found.append(report(day=day, now=NOW + timedelta(days=20)))
        put(day, json.dumps(found[-1]).encode())
    return found


@pytest.fixture
def left(s3: Any) -> Callable[[str, bytes], None]:
    """Return a writer of a day's summary, where the processing job's output goes."""

    def write(day: str, body: bytes) -> None:
        s3.put_object(Bucket="captures", Key=f"monitoring/{day}/summary.json", Body=body)

    return write


def test_a_drift_that_lasts_does_not_become_its_own_reference(
    report: Report, traffic: Callable[..., None], left: Callable[[str, bytes], None]
) -> None:
    usual, changed = [0.95 + i / 1000 for i in range(40)], [0.3 + i / 1000 for i in range(40)]
    for number in range(2, 5):
        traffic(f"2026-11-{number:02}", *usual)
    for number in range(5, 20):
        traffic(f"2026-11-{number:02}", *changed)
    traffic("2026-11-20", *usual)

    found = days(report, left, 4, 20)

    verdicts = [each["drift"] for each in found]
    assert verdicts == ["none", *["drift"] * 15, "none"]
    assert {each["reference_until"][:10] for each in found[1:-1]} == {"2026-11-05"}
    accepted = report(day="2026-11-19", now=NOW, reference_since="2026-11-06")
    assert (accepted["drift"], accepted["reference_until"][:10]) == ("none", "2026-11-19")


def test_a_drift_whose_reference_is_no_longer_kept_is_compared_with_the_week_before(
    report: Report, traffic: Callable[..., None], left: Callable[[str, bytes], None]
) -> None:
    traffic("2026-11-18", *[0.95] * 40)
    traffic(DAY, *[0.95] * 40)
    kept = {"drift": "drift", "release": SETTINGS.release}
    left("2026-11-19", json.dumps({**kept, "reference_until": "2026-11-05T00:00:00Z"}).encode())
    found = report()
    assert (found["drift"], found["reference_until"][:10]) == ("none", DAY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 60_000,
        b"[]",
        b'{"drift": "drift"}',
        b'{"drift": "drift", "release": "RELEASE", "reference_until": null}',
        b'{"drift": "drift", "release": "RELEASE", "reference_until": "2026-11-05"}',
        b'{"drift": "drift", "release": "another", "reference_until": "2026-11-05T00:00:00Z"}',
    ],
)
def test_a_summary_that_says_nothing_leaves_the_week_before(
    report: Report, traffic: Callable[..., None], left: Callable[[str, bytes], None], body: bytes
) -> None:
    traffic("2026-11-04", *[0.2] * 40)
    traffic("2026-11-18", *[0.95] * 40)
    traffic(DAY, *[0.95] * 40)
    left("2026-11-19", body.replace(b"RELEASE", SETTINGS.release.encode()))
    assert report()["drift"] == "none"


def test_what_reviewers_answered_is_the_truth(
    report: Report, traffic: Callable[..., None], s3: Any, tmp_path: Path
) -> None:
    traffic(DAY, 0.99)
    answer = Answer(
        session="s", sequence=1, reviewer="ana", action="label", sha256="0" * 64,
        file=f"{'0' * 64}.png", at="2026-11-21T00:00:00+00:00", label="motorcycle",
        inference_id=f"{DAY}-0",
    )  # fmt: skip
    key = part_key("labels/", "ana", "s", 1, 1)
    s3.put_object(Bucket="captures", Key=key, Body=answer_line(answer))
    report()
    figures = json.loads((tmp_path / "output" / "report.json").read_text())
    assert (figures["accuracy"], figures["n_test"]) == (0, 1)


def test_of_two_answers_of_one_reviewer_the_later_counts_and_that_is_said(
    report: Report, traffic: Callable[..., None], s3: Any, tmp_path: Path
) -> None:
    traffic(DAY, 0.99)
    answers = [
        Answer(
            session="s", sequence=n, reviewer="ana", action="label", sha256="0" * 64,
            file=f"{'0' * 64}.png", at=f"2026-11-21T00:00:0{n}+00:00", label=label,
            inference_id=f"{DAY}-0",
        )
        for n, label in ((1, "motorcycle"), (2, "bicycle"))
    ]  # fmt: skip
    body = b"".join(map(answer_line, answers))
    s3.put_object(Bucket="captures", Key=part_key("labels/", "ana", "s", 1, 2), Body=body)
    report()
    figures = json.loads((tmp_path / "output" / "report.json").read_text())
    assert (figures["accuracy"], figures["n_test"]) == (1, 1)
    said = "Images that a reviewer gave two labels, of which the later counts: 1"
    assert said in figures["left_out"]


def test_a_day_shows_the_random_sample_that_it_is_part_of(
    report: Report, traffic: Callable[..., None], s3: Any, tmp_path: Path
) -> None:
    traffic(DAY, 0.99)
    since = datetime(2026, 11, 14, tzinfo=UTC)
    image = {"bucket": "captures", "key": "a.png", "etag": "e"}
    drawn = Candidate(image=image, guess="bicycle", inference_id=f"{DAY}-0")
    for weeks in (0, 5):
        span = since - timedelta(weeks=weeks), since - timedelta(weeks=weeks - 1)
        store_sample(s3, "captures", Sample(*span, seed=0, population=7, images=(drawn,)))
    report()
    (found,) = json.loads((tmp_path / "output" / "report.json").read_text())["random_samples"]
    assert (found["since"], found["drawn"], found["population"]) == (since.isoformat(), 1, 7)
    assert (found["n"], found["precision"]) == (0, None)


def test_a_day_that_cloudwatch_takes_no_more_has_its_page_only(
    report: Report, traffic: Callable[..., None], session: boto3.Session
) -> None:
    traffic(DAY, 0.99)
    found = report(now=NOW + MAX_METRIC_AGE)
    assert (found["images"], found["metrics"]) == (1, 0)
    assert not session.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]


@pytest.mark.parametrize("day", ["2026-11-21", "2027-01-01"])
def test_a_day_that_is_not_over_is_refused(day: str) -> None:
    with pytest.raises(MonitorError, match="is not over"):
        parse_day(day, NOW)


@pytest.mark.parametrize("day", ["", "yesterday", "2026-11-31", "2026-11-20T00:00Z"])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(MonitorError, match="write it as 2026-11-28"):
        parse_day(day, NOW)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"labels": 1}', '{"assignments": 1}'])
def test_settings_that_are_not_terraforms_are_one_sentence(text: str) -> None:
    with pytest.raises(MonitorError, match="inv apply writes it again"):
        DailySettings.loads(text)


def test_a_bucket_that_is_gone_is_one_sentence(report: Report) -> None:
    with pytest.raises(MonitorError, match="traffic of scones cannot be read"):
        report(capture_uri="s3://no-such-bucket/capture")
