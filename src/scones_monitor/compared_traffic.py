"""Traffic of one endpoint in a period, and what it is compared with.

What `inv report`, `inv watch` and the daily report have in common: they differ in where records,
labels and releases are known from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from scones_core.reviews import Answer, consensus, current_answers
from scones_core.terraform_outputs import Deployment
from scones_images.statistics import STATISTICS
from scones_monitor.capture_files import CaptureSource
from scones_monitor.captured_records import Unreadable, parse_record
from scones_monitor.cloudwatch_metrics import EndpointMetrics, read_metrics
from scones_monitor.drift.onset import Onset, find_onset
from scones_monitor.drift.samples import Sample
from scones_monitor.drift.two_sample_tests import DriftFigure, compare
from scones_monitor.period_summary import Place, Query, Rows, Summary, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.release_history import NO_HISTORY, History, read_history
from scones_monitor.timeline import period_bins

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sagemaker.client import SageMakerClient

REFERENCE_DAYS = 7
"""Traffic of so long before a period is what it is compared with."""

DRIFT_IMAGES = 5_000
"""More images of either sample make a test slower, and its verdict no other."""

_RELEASE_TIME = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Subject:
    """What a report is about: an endpoint's records, and the model that answers there.

    `deployment` is None of a folder of records. `history` says which release answered when.
    `left_out` collects sentences for the page.
    """

    source: CaptureSource
    archive: Archive
    labels: tuple[str, ...]
    threshold: float
    endpoint: str
    variant: str
    deployment: Deployment | None
    history: History = NO_HISTORY
    left_out: list[str] = field(default_factory=list)

    def alone_since(self, release: str) -> datetime | None:
        """Return from when on a release answered alone: as recorded, else the time in its id.

        It answers no earlier than that. None where neither is known.
        """
        return self.history.alone_since(release) or _release_time(release)

    def query(
        self,
        since: datetime | None,
        until: datetime | None,
        *,
        truth: Mapping[str, str] | None = None,
        inference_ids: Sequence[str] | None = None,
    ) -> Query:
        """Return the query for a period's records of this model."""
        return Query(
            labels=self.labels,
            threshold=self.threshold,
            since=since,
            until=until,
            variant=self.variant,
            truth=truth or {},
            inference_ids=inference_ids,
            history=self.history,
        )

    def image(self, place: Place) -> bytes | None:
        """Return the image of a record, None where its file is gone or holds another line."""
        try:
            line = b"".join(self.source.read(place.key, place.start, place.length))
            return parse_record(line, "").image
        except (OSError, Unreadable, ClientError, BotoCoreError):
            return None

    def labels_of(self, answers: Iterable[Answer]) -> dict[str, str]:
        """Return the labels that reviewers gave, by inference id.

        Of an image that they answered differently the label that most gave counts; one that is
        disputed has none, and is counted in `left_out`; so is one that a reviewer gave two labels.
        """
        held = current_answers(answers)
        agreed = consensus(held.votes())
        if held.revised:
            said = "Images that a reviewer gave two labels, of which the later counts"
            self.left_out.append(f"{said}: {held.revised}")
        if agreed.disputed:
            n = len(agreed.disputed)
            self.left_out.append(f"Images whose reviewers disagree, which have no label: {n}")
        return {
            answer.inference_id: agreed.labels[answer.sha256]
            for answer in held.answers.values()
            if answer.inference_id and answer.sha256 in agreed.labels
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Drift of a period: the traffic before it, the figures, and what was compared in words.

    Without a reference there are no figures, and `note` says why. `onset` is where the online
    detector alarmed first, `until` when the reference ends.
    """

    reference: Summary | None
    figures: tuple[DriftFigure, ...]
    note: str
    onset: Onset | None = None
    until: datetime | None = None


def _release_time(release: str) -> datetime | None:
    try:
        return datetime.strptime(release[:15], _RELEASE_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def release_history(s3: "S3Client", bucket: str, left_out: list[str]) -> History:
    """Return which release answered when; where S3 does not say, an empty one, and why."""
    try:
        return read_history(s3, bucket)
    except (ClientError, BotoCoreError) as error:
        left_out.append(f"Which release answered when is not known: {error}")
        return NO_HISTORY


def compare_with_before(
    subject: Subject,
    now: Summary,
    since: datetime,
    released: datetime | None,
    until: datetime | None = None,
) -> Comparison:
    """Return the drift of a period that begins at `since`.

    The reference is the traffic of the REFERENCE_DAYS before it, since the active release's time
    where that is known: another model answers with other confidences. While a drift lasts, `until`
    is when the traffic before it ends (`scones_monitor.reference_period`).
    """
    if not len(now):
        return Comparison(None, (), "There are no records in this period.")
    if released and released >= since:
        return Comparison(
            None,
            (),
            "The release is younger than this period: earlier traffic is another model's.",
        )
    first, last, before = _reference(subject, min(until or since, since), released)
    if not len(before) and last < since:
        # It is no longer kept.
        first, last, before = _reference(subject, since, released)
    left_out = "".join(
        f" Left out of it: {each.reason} ({each.count})." for each in before.excluded
    )
    if not len(before):
        missing = f"There is no traffic of this release in the {REFERENCE_DAYS} days before."
        return Comparison(None, (), missing + left_out)
    span = f"{first:%d %B %Y, %H:%M} to {last:%d %B %Y, %H:%M} UTC"
    note = f"Compared with the traffic from {span}.{left_out}"
    if last < since:
        note += " The daily reports have found a drift since."
    drawn = _drawn(now)
    reference, current = _sample(before.labels, _drawn(before)), _sample(now.labels, drawn)
    onset = find_onset(reference, current, [place.time for place in drawn.places])
    if onset is not None:
        note += f" Image by image, the first change is that of {onset}."
    return Comparison(before, compare(reference, current), note, onset, last)


def _reference(
    subject: Subject, last: datetime, released: datetime | None
) -> tuple[datetime, datetime, Summary]:
    """Return the traffic of the REFERENCE_DAYS that end at `last`, and its span."""
    first = last - timedelta(days=REFERENCE_DAYS)
    first = max(first, released) if released else first
    listing = subject.source.list(first, last)
    subject.archive.update(subject.source, listing.files)
    return first, last, summarise(subject.archive, listing.files, subject.query(first, last))


def _drawn(summary: Summary) -> Rows:
    # The sample is in the order of its events' hashes, so that its beginning is one, too.
    return summary.sample.of(np.arange(min(len(summary.sample), DRIFT_IMAGES)))


def _sample(labels: Sequence[str], rows: Rows) -> Sample:
    return Sample(
        answers=tuple(labels[int(i)] for i in rows.label),
        confidences=rows.confidence.astype(np.float64),
        probabilities={
            label: rows.probabilities[:, i].astype(np.float64) for i, label in enumerate(labels)
        },
        inputs={name: rows.inputs[name].astype(np.float64) for name in STATISTICS},
    )


def endpoint_metrics(
    subject: Subject,
    cloudwatch: "CloudWatchClient",
    sagemaker: "SageMakerClient",
    since: datetime,
    until: datetime,
) -> tuple[EndpointMetrics | None, int | None]:
    """Return an endpoint's metrics, and the percentage of its requests that it captures.

    Both are None where AWS does not say, and `left_out` says why.
    """
    try:
        metrics = read_metrics(
            cloudwatch,
            subject.endpoint,
            subject.variant,
            since=since,
            until=until,
            step=period_bins(since, until)[1],
        )
        name = sagemaker.describe_endpoint(EndpointName=subject.endpoint)["EndpointConfigName"]
        config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
        captured = config.get("DataCaptureConfig", {}).get("InitialSamplingPercentage")
    except (ClientError, BotoCoreError) as error:
        subject.left_out.append(f"Invocations and latency are not known: {error}")
        return None, None
    return metrics, captured
