"""A random sample of what was accepted: drawn once, the same for every reviewer."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import MonitorError
from scones_core.reviews import Answer
from scones_monitor.review.sample import (
    SAMPLES,
    Sample,
    draw,
    judged,
    read_samples,
    require_new_period,
    store_sample,
)

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=7)


def result(number: int, *, decision: str = "accepted", key: str = "") -> Any:
    return {
        "image": {"bucket": "data", "key": key or f"{number}.png", "etag": f"e{number}"},
        "decision": decision,
        "inference": {"label": "bicycle", "confidence": 0.99, "inference_id": f"i{number}"},
    }


def sampled(count: int, of: int, seed: int = 0) -> Sample:
    return draw(map(result, range(of)), count, SINCE, UNTIL, seed)


def numbers(sample: Sample) -> list[int]:
    return [int(each.inference_id[1:]) for each in sample.images]


def answer(number: int, label: str, *, inference_id: str = "", key: str = "") -> Answer:
    digest = f"{number:064x}"
    return Answer(
        session="s",
        sequence=number + 1,
        reviewer="ana",
        action="label",
        sha256=digest,
        file=f"{digest}.png",
        at="2026-11-28T10:00:00+00:00",
        label=label,
        image={"bucket": "data", "key": key or f"{number}.png", "etag": f"e{number}"},
        inference_id=inference_id,
    )


def test_the_same_seed_draws_the_same_images_and_another_one_others() -> None:
    assert numbers(sampled(10, 1000)) == numbers(sampled(10, 1000))
    assert numbers(sampled(10, 1000)) != numbers(sampled(10, 1000, seed=1))


def test_every_image_is_as_likely_as_any_other() -> None:
    drawn = Counter(n for seed in range(400) for n in numbers(sampled(10, 50, seed)))
    # 80 times each, give or take five standard deviations of a binomial.
    assert len(drawn) == 50
    assert all(abs(times - 80) < 40 for times in drawn.values())


def test_only_accepted_images_are_drawn_each_once_and_all_are_counted() -> None:
    results = [result(n, key=f"{n % 20}.png") for n in range(40)]
    for each in results:
        each["image"]["etag"] = "e"
    results += [result(99, decision="review"), {"image": {}, "decision": "failed"}]
    sample = draw(results, 100, SINCE, UNTIL, 0)
    assert len(sample.images) == sample.population == 20
    assert len({each.image["key"] for each in sample.images}) == 20


def test_a_part_of_a_sample_is_one_too() -> None:
    """A reviewer may stop before its end."""
    assert numbers(sampled(100, 1000))[:10] == numbers(sampled(10, 1000))


def test_a_period_without_accepted_images_has_no_sample() -> None:
    with pytest.raises(MonitorError, match="No image was accepted"):
        draw([result(1, decision="review")], 5, SINCE, UNTIL, 0)


def test_a_period_that_overlaps_another_samples_would_draw_images_again() -> None:
    earlier = [sampled(5, 10)]
    require_new_period(earlier, UNTIL, UNTIL + timedelta(days=1))
    with pytest.raises(MonitorError, match="--of sample"):
        require_new_period(earlier, UNTIL - timedelta(hours=1), UNTIL + timedelta(days=1))


def test_the_figure_counts_what_was_answered_and_says_of_how_many() -> None:
    sample = sampled(4, 100)
    first, second, third, _ = numbers(sample)
    answers = [
        answer(first, "bicycle", inference_id=f"i{first}"),
        answer(second, "motorcycle", inference_id=f"i{second}"),
        # The same image, answered before it was drawn, by another request.
        answer(third, "bicycle", inference_id="another"),
        # Of the review queue, not of the sample.
        answer(1000, "motorcycle", inference_id="i1000"),
    ]
    found = judged(sample, answers)
    assert (found.right.hits, found.right.total) == (2, 3)
    assert (found.drawn, found.population) == (4, 100)


def test_an_image_that_reviewers_dispute_is_not_counted() -> None:
    sample = sampled(1, 10)
    (number,) = numbers(sample)
    one = answer(number, "bicycle", inference_id=f"i{number}")
    other = Answer(
        **{**{n: getattr(one, n) for n in one.__slots__}, "reviewer": "ben", "label": "x"}
    )
    assert judged(sample, [one, other]).right.total == 0


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket="data")
        yield client


def test_every_host_reads_the_same_sample_and_nobody_replaces_it(s3: Any) -> None:
    sample = sampled(5, 100)
    assert store_sample(s3, "data", sample) == sample
    # Two reviewers drew at the same time: the first one's holds.
    assert store_sample(s3, "data", sampled(5, 100, seed=3)) == sample
    assert read_samples(s3, "data") == ([sample], [])


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"images": 5}', b"\xff", b"{}",
     b'{"schema_version": "1", "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", '
     b'"images": [], "seed": 1e999, "population": 1}',
     b'{"schema_version": "1", "since": "0001-01-01T00:00:00+23:59", '
     b'"until": "2026-01-02T00:00:00Z", "images": [], "seed": 1, "population": 1}'],
)  # fmt: skip
def test_what_is_no_sample_is_said_and_left_out(s3: Any, body: bytes) -> None:
    store_sample(s3, "data", sampled(1, 2))
    s3.put_object(Bucket="data", Key=f"{SAMPLES}x.json", Body=body)
    samples, left_out = read_samples(s3, "data")
    assert len(samples) == 1
    assert left_out == [f"s3://data/{SAMPLES}x.json is not a sample"]


def test_what_is_stored_is_json_with_a_version(s3: Any) -> None:
    store_sample(s3, "data", sampled(1, 2))
    (found,) = s3.list_objects_v2(Bucket="data", Prefix=SAMPLES)["Contents"]
    assert found["Key"] == "samples/20261120T000000Z-20261127T000000Z.json"
    body = json.loads(s3.get_object(Bucket="data", Key=found["Key"])["Body"].read())
    assert body["schema_version"] == "1"
    assert (body["population"], body["seed"], len(body["images"])) == (2, 0, 1)
