"""A uniform random sample of the images that were accepted in a period, for people to label.

The review queue has the least confident images only: what is realised on them says nothing of the
others. A sample lies in `samples/<since>-<until>.json`, written once, so that reviewers on
several hosts label the same images. Periods of samples do not overlap: an image is drawn once.
"""

import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MonitorError
from scones_core.events import ImageRef, Result, image_version
from scones_core.json_text import parse_json
from scones_core.probabilities import is_probability
from scones_core.reviews import Answer, consensus, current_answers
from scones_monitor.review.sources import Candidate, of_results
from scones_monitor.statistics import Share

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SAMPLES = "samples/"
MAX_IMAGES = 10_000

_SCHEMA_VERSION = "1"
_MAX_BYTES = 16 << 20
_TIME = "%Y%m%dT%H%M%SZ"
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True, slots=True)
class Sample:
    """`images` of the `population` that was accepted from `since` to `until`, in random order.

    Each beginning of that order is a random sample, too.
    """

    since: datetime
    until: datetime
    seed: int
    population: int
    images: tuple[Candidate, ...]

    @property
    def key(self) -> str:
        """Its object in the data bucket."""
        first, last = (each.astimezone(UTC).strftime(_TIME) for each in (self.since, self.until))
        return f"{SAMPLES}{first}-{last}.json"


@dataclass(frozen=True, slots=True)
class SampleFigure:
    """How many of a sample's answered images were right; `drawn` of `population` are in it."""

    since: datetime
    until: datetime
    drawn: int
    population: int
    right: Share

    def as_json(self) -> dict[str, Any]:
        """Return the figure, ready for JSON."""
        bounds = self.right.interval
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "drawn": self.drawn,
            "population": self.population,
            "n": self.right.total,
            "precision": self.right.value,
            "precision_interval": list(bounds) if bounds else None,
        }


def draw(
    results: Iterable[Result], count: int, since: datetime, until: datetime, seed: int
) -> Sample:
    """Return a uniform random sample of the accepted images among these results.

    Each version of an image is in the population once. The order is that of a hash of it and the
    seed, so that it does not depend on the results' order. Raises MonitorError where none was
    accepted.
    """
    if not 1 <= count <= MAX_IMAGES:
        raise MonitorError(f"A sample has 1 to {MAX_IMAGES:,} images, not {count}.")
    accepted: dict[str, Candidate] = {}
    for result in results:
        for candidate in of_results([result], "accepted"):
            accepted.setdefault(_place(candidate.image), candidate)
    if not accepted:
        raise MonitorError(
            f"No image was accepted from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC; "
            "give an earlier --since."
        )
    chosen = heapq.nsmallest(count, accepted, key=lambda place: _rank(seed, place))
    return Sample(since, until, seed, len(accepted), tuple(accepted[place] for place in chosen))


def require_new_period(samples: Sequence[Sample], since: datetime, until: datetime) -> None:
    """Raise MonitorError where a period has images that a sample may have already."""
    for each in samples:
        if since < each.until and each.since < until:
            raise MonitorError(
                f"A sample of {each.since:%Y-%m-%d %H:%M} to {each.until:%Y-%m-%d %H:%M} UTC is "
                "there, and an image is drawn once: inv review --of sample shows it; a new one "
                f"begins at its end: --since {each.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
            )


def store_sample(s3: "S3Client", bucket: str, sample: Sample) -> Sample:
    """Write a sample and return it, or the one of its period that is there already."""
    body = {
        "schema_version": _SCHEMA_VERSION,
        "since": sample.since.isoformat(),
        "until": sample.until.isoformat(),
        "seed": sample.seed,
        "population": sample.population,
        "images": [
            {
                "image": dict(each.image),
                "guess": each.guess,
                "confidence": each.confidence,
                "inference_id": each.inference_id,
            }
            for each in sample.images
        ],
    }
    try:
        s3.put_object(
            Bucket=bucket,
            Key=sample.key,
            Body=json.dumps(body).encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _TAKEN:
            raise
    return _parse(s3.get_object(Bucket=bucket, Key=sample.key)["Body"].read(_MAX_BYTES))


def read_samples(s3: "S3Client", bucket: str) -> tuple[list[Sample], list[str]]:
    """Return all samples, the earliest first, and sentences about objects that are not one.

    ClientError passes through.
    """
    samples, left_out = [], []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=SAMPLES)
    for found in (each for page in pages for each in page.get("Contents", [])):
        body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read(_MAX_BYTES)
        try:
            samples.append(_parse(body))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            left_out.append(f"s3://{bucket}/{found['Key']} is not a sample")
    return sorted(samples, key=lambda each: each.since), left_out


def figures_of(
    s3: "S3Client",
    bucket: str,
    period: tuple[datetime, datetime],
    answers: Sequence[Answer],
    left_out: list[str],
) -> tuple[SampleFigure, ...]:
    """Return the figures of the samples that overlap a period; `left_out` says what is missing."""
    try:
        samples, faults = read_samples(s3, bucket)
    except (ClientError, BotoCoreError) as error:
        left_out.append(f"Random samples are not known: {error}")
        return ()
    left_out.extend(faults)
    first, last = period
    return tuple(
        judged(each, answers) for each in samples if each.since < last and first < each.until
    )


def judged(sample: Sample, answers: Iterable[Answer]) -> SampleFigure:
    """Return how many of a sample's images the model answered as people did.

    An image is found by its request or its place: it may have been answered before it was drawn.
    One that reviewers dispute has no label.
    """
    held = current_answers(answers)
    labels = consensus(held.votes()).labels
    known: dict[str, str] = {}
    for each in held.answers.values():
        if label := labels.get(each.sha256):
            for name in (each.inference_id, _place(each.image)):
                if name:
                    known[name] = label
    found = [
        (each.guess, known.get(each.inference_id) or known.get(_place(each.image)))
        for each in sample.images
    ]
    answered = [guess == label for guess, label in found if label]
    return SampleFigure(
        sample.since,
        sample.until,
        len(sample.images),
        sample.population,
        Share(sum(answered), len(answered)),
    )


def _place(image: Mapping[str, str]) -> str:
    """Return what names the version of an image, empty where its place is not known."""
    if not image.get("bucket") or not image.get("key"):
        return ""
    ref: ImageRef = {"bucket": image["bucket"], "key": image["key"]}
    if image.get("version"):
        ref["version"] = image["version"]
    if image.get("etag"):
        ref["etag"] = image["etag"]
    return image_version(ref)


def _rank(seed: int, place: str) -> bytes:
    return hashlib.sha256(f"{seed}#{place}".encode(errors="surrogatepass")).digest()


def _parse(body: bytes) -> Sample:
    """Return the sample of a body; raises what `read_samples` catches."""
    content = parse_json(body)
    if content["schema_version"] != _SCHEMA_VERSION:
        raise ValueError("another version")
    since, until = (datetime.fromisoformat(content[name]) for name in ("since", "until"))
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError("a time without a zone")
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    images = tuple(_candidate(each) for each in content["images"])
    return Sample(since, until, int(content["seed"]), int(content["population"]), images)


def _candidate(content: Mapping[str, Any]) -> Candidate:
    image = {str(name): str(value) for name, value in content["image"].items()}
    confidence = content["confidence"]
    return Candidate(
        image=image,
        guess=str(content["guess"]),
        confidence=float(confidence) if is_probability(confidence) else None,
        inference_id=str(content["inference_id"]),
    )
