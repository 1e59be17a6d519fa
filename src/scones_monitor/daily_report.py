"""The daily report: `python -m scones_monitor.daily_report`, as a processing job.

Computes the figures of `inv report` and `inv watch` of one day (UTC) of an endpoint's traffic,
and writes the metrics that alarms look at. Below `/opt/ml/processing`:

    input/settings/   settings.json, as Terraform writes it: which endpoint, model, buckets
    output/           report.html, report.json, the charts as PNG, and summary.json

DAY is the day, as 2026-11-28, and NOW when the execution started. Captured records, labels and
the endpoint's metrics are read from AWS with the job's role.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from scones_core.assignments import Assignment, parse_assignments, radius_text
from scones_core.container_folders import run_processing
from scones_core.errors import MonitorError, SettingsError
from scones_core.files import write_json
from scones_core.json_text import parse_json
from scones_core.reviews import read_answers
from scones_core.reviews.shared import LABELS
from scones_core.terraform_outputs import Challenge
from scones_core.uris import S3Uri
from scones_monitor.capture_files import S3Captures
from scones_monitor.compared_traffic import (
    Subject,
    compare_with_before,
    endpoint_metrics,
    release_history,
)
from scones_monitor.last_hour import DAY, LiveFigures, live_figures, publish
from scones_monitor.period import parse_time
from scones_monitor.period_summary import Summary, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.reference_period import SUMMARY, drift_bounds
from scones_monitor.report import Provenance, ReportData, write_report
from scones_monitor.review.sample import figures_of
from scones_monitor.variant_comparison import VariantFigures, compare_variants, without_labels_of

PAGE = "report.html"

MAX_METRIC_AGE = timedelta(days=14)
"""CloudWatch takes no older values.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySettings:
    """What Terraform writes for the job: an endpoint, its active release, where its data are.

    `labels` are in the model's order.
    `chosen_threshold` says whether an operator set the threshold, not the release; `challenger`
    is the release that answers a share of the requests in the active one's place.
    `reference_since` is the time from which on traffic is usual, as an operator says, or empty.
    `assignments` are by class name.
    """

    environment: str
    endpoint: str
    variant: str
    capture_uri: str
    data_bucket: str
    labels: tuple[str, ...]
    threshold: float
    chosen_threshold: bool
    release: str
    model_url: str
    dataset_version: str
    reference_since: str = ""
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    challenger: Challenge | None = None

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Return the settings of such a file; raises MonitorError otherwise."""
        try:
            body: dict[str, Any] = parse_json(text)
            labels, threshold = tuple(body["labels"]), float(body["threshold"])
            challenger = Challenge(**body["challenger"]) if body.get("challenger") else None
            assigned = parse_assignments(body.get("assignments", {}))
            given = {**body, "challenger": challenger, "assignments": assigned}
            return cls(**{**given, "labels": labels, "threshold": threshold})
        except (ValueError, TypeError, KeyError, SettingsError) as error:
            raise MonitorError(
                f"settings.json of the daily report cannot be read ({error}); it is Terraform's: "
                "inv apply writes it again."
            ) from error


def main() -> int:
    """Report the day in the container that the environment describes; return 0 or 1."""
    return run_processing(_run)


def _run(folder: Path) -> str:
    # The execution's time, not this host's: one clock decides which days are over.
    now = parse_time(os.environ.get("NOW", ""), datetime.now(UTC))
    return report_day(folder, os.environ.get("DAY", ""), _client, now)


def _client(service: str) -> Any:
    # SageMaker names the region in AWS_REGION only, which boto3 does not read.
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return boto3.client(service, region_name=region)  # type: ignore[call-overload]


def report_day(folder: Path, day: str, client: Callable[[str], Any], now: datetime) -> str:
    """Write the page of a day and its metrics, and return the figures as a sentence.

    A day without records has a page, and metrics that say so. `client` returns a client of a
    service. Raises MonitorError for a day that is none or not over, and where AWS refuses.
    """
    since = parse_day(day, now)
    text = (folder / "input" / "settings" / "settings.json").read_bytes()
    settings = DailySettings.loads(text)
    with tempfile.TemporaryDirectory() as name:
        try:
            data = _data(settings, since, client, Path(name), now)
        except (ClientError, BotoCoreError) as error:
            raise MonitorError(
                f"The traffic of {settings.endpoint} cannot be read: {error}"
            ) from error
        output = folder / "output"
        output.mkdir(parents=True, exist_ok=True)
        write_report(output / PAGE, data)
    figures = live_figures(data)
    published = 0
    if now - figures.until < MAX_METRIC_AGE:
        published = publish(client("cloudwatch"), figures)
    write_json(output / SUMMARY, _summary(day, settings.release, data, figures, published))
    return (
        f"{day}: {figures.images:,} captured records of {settings.endpoint}, drift: "
        f"{figures.verdict}, {published} metrics"
    )


def parse_day(text: str, now: datetime) -> datetime:
    """Return the beginning of a day, in UTC; raises MonitorError for one that is not over."""
    try:
        since = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise MonitorError(f"{text!r:.40} is not a day: write it as 2026-11-28.") from error
    if since + DAY > now:
        raise MonitorError(f"{text} (UTC) is not over; report it after midnight.")
    return since


def _data(
    settings: DailySettings,
    since: datetime,
    client: Callable[[str], Any],
    archive: Path,
    now: datetime,
) -> ReportData:
    until, s3 = since + DAY, client("s3")
    subject = _subject(settings, s3, archive)
    listing = subject.source.list(since, until)
    subject.archive.update(subject.source, listing.files)
    subject.left_out.extend(listing.left_out)
    answers = read_answers(s3, settings.data_bucket, f"{LABELS}/").answers
    truth, period = subject.labels_of(answers), (since, until)
    query = subject.query(since, until, truth=truth)
    summary, variants = summarise(subject.archive, listing.files, query), None
    if settings.challenger is not None:
        active = VariantFigures(release=settings.release, variant=settings.variant, summary=summary)
        clients = client("cloudwatch"), client("sagemaker")
        variants = compare_variants(active, subject, settings.challenger, query, clients)
        summary = without_labels_of(summary, variants.challenger.summary)
    bounds = drift_bounds(
        s3,
        settings.data_bucket,
        since,
        settings.release,
        released=subject.alone_since(settings.release),
        reference_since=settings.reference_since,
    )
    compared = compare_with_before(subject, summary, since, *bounds)
    metrics, sampling = endpoint_metrics(
        subject, client("cloudwatch"), client("sagemaker"), since, until
    )
    return ReportData(
        summary=summary,
        generated=now,
        since=since,
        until=until,
        image=subject.image,
        metrics=metrics,
        sampling=sampling,
        history=subject.history,
        samples=figures_of(s3, settings.data_bucket, period, answers, subject.left_out),
        reference=compared.reference,
        drift=compared.figures,
        drift_note=compared.note,
        onset=compared.onset,
        variants=variants,
        reference_until=compared.until,
        assignments=_assigned(summary, settings.assignments),
        left_out=tuple(subject.left_out),
        provenance=_provenance(settings, str(subject.source)),
    )


def _provenance(settings: DailySettings, source: str) -> Provenance:
    return Provenance(
        environment=settings.environment,
        endpoint=settings.endpoint,
        source=source,
        release=settings.release,
        model_url=settings.model_url,
        dataset_version=settings.dataset_version,
        threshold_origin="set in env.tfvars" if settings.chosen_threshold else "chosen in training",
    )


def _subject(settings: DailySettings, s3: Any, archive: Path) -> Subject:
    left_out: list[str] = []
    return Subject(
        S3Captures(s3, S3Uri.parse(settings.capture_uri), settings.endpoint, settings.variant),
        Archive(archive, settings.endpoint),
        settings.labels,
        settings.threshold,
        settings.endpoint,
        settings.variant,
        None,
        release_history(s3, settings.data_bucket, left_out),
        left_out,
    )


def _assigned(
    summary: Summary, assignments: Mapping[str, Assignment]
) -> dict[tuple[str, str, str], int]:
    """Return the accepted records by (vehicle, bay, orders): what the workflow made of them."""
    counts = np.bincount(summary.label[summary.accepted], minlength=len(summary.labels))
    return {
        (label, each.bay, radius_text(each.orders, each.max_km)): int(n)
        for label, n in zip(summary.labels, counts, strict=True)
        if n and (each := assignments.get(label))
    }


def _summary(
    day: str, release: str, data: ReportData, figures: LiveFigures, published: int
) -> dict[str, Any]:
    """Return what the execution of the state machine answers, and the next days' reports read."""
    until = data.reference_until
    return {
        "day": day,
        "release": release,
        "reference_until": until.isoformat() if until else None,
        "images": figures.images,
        "to_review": figures.review.hits,
        "drift": figures.verdict,
        "drift_since": figures.onset.since.isoformat() if figures.onset else None,
        "drifted": [each.name for each in figures.drift if each.verdict == "drift"],
        "metrics": published,
    }


if __name__ == "__main__":
    sys.exit(main())
