"""The report on what an endpoint answered, of a run or of a period."""

import hashlib
import os
import webbrowser
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import MonitorError, SconesError
from scones_core.events import DECISIONS, Result, challenger_of
from scones_core.manifest import Manifest
from scones_core.terraform_outputs import Deployment
from scones_core.uris import S3Uri
from scones_deploy.cost import HOURS, MILLION, Prices, estimate
from scones_monitor.capture_files import FolderCaptures, S3Captures
from scones_monitor.captured_records import Captures, wait_for_captures
from scones_monitor.compared_traffic import (
    Subject,
    compare_with_before,
    endpoint_metrics,
    release_history,
)
from scones_monitor.joined_results import cause_text
from scones_monitor.period import parse_period
from scones_monitor.period_summary import Query, Summary, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.reference_period import drift_bounds
from scones_monitor.report import (
    Cost,
    Explain,
    Provenance,
    ReportData,
    Run,
    unexplained,
    write_report,
)
from scones_monitor.review.sample import SampleFigure, figures_of
from scones_monitor.variant_comparison import (
    VariantComparison,
    VariantFigures,
    challenger_subject,
    compare_variants,
    without_labels_of,
)
from scones_toolkit.console import plural
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.monitoring.labels import (
    answers_at_hand,
    labelled,
    labels_at_hand,
    reviewed,
)
from scones_toolkit.tasks.monitoring.period_results import assignments_of, results_of_period
from scones_toolkit.tasks.workflow.results import (
    LAST,
    execution_end,
    results_of,
)

# AWS delivers captured records within minutes, the embedded AWS within seconds.
CAPTURE_SECONDS = {"local": 30.0}
CAPTURE_SECONDS_ON_AWS = 600.0


def report(
    project: Project,
    *,
    out: Path | None = None,
    manifest: Manifest | None = None,
    in_browser: bool = False,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    run: str | None = None,
    source: Path | None = None,
    explain: Explain = unexplained,
) -> dict[str, Any]:
    """Write the report page with its JSON and PNG files, and return its figures.

    Of the period that `since`, `start` and `end` name, or of a run: `last`, or an execution's
    name. The default is the last run where there is one, else the last day. `source` is a folder
    of captured records instead of the endpoint's own. `in_browser` opens the page. `explain`
    marks in an image what decided. Raises
    MonitorError where no captured record of the run has arrived in time, and where there can be
    none, as every image failed.
    """
    if run and (since or start or end or source):
        raise MonitorError(
            "--run takes the period and the records of that run: leave out --since, --from, --to "
            "and --source."
        )
    period = bool(since or start or end)
    if not run and not period and not source and _ran(project):
        run = LAST
    now = project.now()
    # What was mistyped is said first, not after what is to be deployed for it.
    asked = parse_period(since, start, end, now) if period or not (source or run) else None
    if out is not None:
        project.require_writable(out)
    subject = subject_of(project, source)
    if run:
        data_of = _of_run(project, subject, run, manifest, now)
    else:
        data_of = _of_period(project, subject, asked)
    path = out or project.build / project.environment / "report.html"
    figures = write_report(path, replace(data_of, explain=explain))
    n, variants = figures["captured_records"], data_of.variants
    more = f", and {len(variants.challenger.summary)} of the challenger" if variants else ""
    project.console.say(f"  {plural(n, 'captured record')}{more} read; the report is {path}")
    if in_browser:
        webbrowser.open(path.absolute().as_uri())
    return figures


def _ran(project: Project) -> bool:
    return project.records.path("execution").exists()


def subject_of(project: Project, folder: Path | None = None) -> Subject:
    """Return what a report is about: the deployed endpoint, or a folder of captured records.

    Raises MonitorError where no endpoint is deployed, and where nobody says a threshold.
    """
    archives = project.build / project.environment / "captures"
    if folder is None:
        deployed = project.deployment
        if not deployed.endpoint_name:
            flag = project.env_flag
            raise MonitorError(
                "No endpoint is deployed, so nothing is captured: "
                f"inv release{flag}, then inv apply{flag}"
            )
        place = S3Captures(
            project.client("s3"),
            S3Uri.parse(deployed.capture_uri),
            deployed.endpoint_name,
            deployed.variant,
        )
        archive, left_out = Archive(archives, deployed.endpoint_name), list[str]()
        history = release_history(project.client("s3"), deployed.data_bucket, left_out)
        return Subject(
            place, archive, deployed.labels, deployed.threshold, deployed.endpoint_name,
            deployed.variant, deployed, history, left_out,
        )  # fmt: skip
    release = project.active_release
    labels = release.labels if release else project.settings.dataset.classes
    threshold = release.threshold if release else project.settings.workflow.threshold
    if threshold is None:
        raise MonitorError(
            f"No release says which threshold goes with {folder}; set [workflow] threshold."
        )
    # Files are known by their path within the folder: each folder has an archive of its own.
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    archive = Archive(archives / "folders" / name, "")
    return Subject(FolderCaptures(folder), archive, labels, threshold, "", "", None)


def _of_run(
    project: Project, subject: Subject, run: str, manifest: Manifest | None, now: datetime
) -> ReportData:
    executions, began = _started(project, run)
    results = results_of(project, run)
    require_classified(results)
    manifest = manifest or etl.current(project)
    truth = dict(labelled(results, manifest)) | reviewed(project, subject)
    own, theirs = by_challenger(results)
    ids = [result["inference"]["inference_id"] for result in own]
    seconds = CAPTURE_SECONDS.get(project.environment, CAPTURE_SECONDS_ON_AWS)
    with project.console.working("waiting for the captured records"):
        listing = subject.archive.wait_for(subject.source, ids, began, seconds)
    its = {result["inference"]["inference_id"] for result in theirs}
    known = {name: label for name, label in truth.items() if name not in its}
    query = subject.query(began, now, truth=known, inference_ids=ids)
    found = summarise(subject.archive, listing.files, query)
    missing = [result for result in own if not found.has(result["inference"]["inference_id"])]
    _wait_for_challenger(project, subject, sorted(its), began)
    asked = replace(
        query, inference_ids=sorted(its), truth={n: truth[n] for n in its & truth.keys()}
    )
    variants = comparison(project, subject, found, asked)
    found = found.with_answers(
        [(began, r["inference"]["label"], r["inference"]["confidence"],
          truth.get(r["inference"]["inference_id"], "")) for r in missing]
    )  # fmt: skip
    decisions = Counter(result["decision"] for result in results)
    ended = Run(
        executions=executions,
        decisions={decision: decisions[decision] for decision in DECISIONS},
        failures=tuple(_failures(results)),
        without_record=len(missing)
        + (sum(not variants.challenger.summary.has(name) for name in its) if variants else 0),
        keys={r["inference"]["inference_id"]: r["image"]["key"] for r in results
              if "inference" in r},
    )  # fmt: skip
    subject.left_out.extend(listing.left_out)
    return _report_data(
        project,
        subject,
        found,
        (began, now),
        results=results,
        ended=ended,
        manifest=manifest,
        variants=variants,
    )


def by_challenger(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """Return the classified results of the active release, and those of a challenger."""
    own: list[Result] = []
    theirs: list[Result] = []
    for result in results:
        if "inference" in result:
            (theirs if challenger_of(result["inference"]["variant"]) else own).append(result)
    return own, theirs


def _wait_for_challenger(
    project: Project, subject: Subject, ids: Sequence[str], began: datetime
) -> None:
    """Archive a challenger's records of these requests; raises MonitorError without any in time."""
    challenge = subject.deployment.challenger if subject.deployment else None
    if challenge is not None:
        other = challenger_subject(subject, challenge)
        seconds = CAPTURE_SECONDS.get(project.environment, CAPTURE_SECONDS_ON_AWS)
        other.archive.wait_for(other.source, ids, began, seconds)


def comparison(
    project: Project, subject: Subject, own: Summary, query: Query
) -> VariantComparison | None:
    """Return the comparison of the deployed challenger with the active release; None without one.

    `own` are the active release's records of the query's period.
    """
    deployed = subject.deployment
    if deployed is None or deployed.challenger is None:
        return None
    active = VariantFigures(release=deployed.active_release, variant=subject.variant, summary=own)
    clients = project.client("cloudwatch"), project.client("sagemaker")
    return compare_variants(active, subject, deployed.challenger, query, clients)


def period_data(project: Project, period: tuple[datetime, datetime]) -> ReportData:
    """Return the data of a report on the deployed endpoint's traffic from one time to another.

    Without assignments: each small run costs a request, and this is read every minute. Raises
    MonitorError where no endpoint is deployed.
    """
    return _of_period(project, subject_of(project), period, assignments=False)


def _of_period(
    project: Project,
    subject: Subject,
    asked: tuple[datetime, datetime] | None,
    *,
    assignments: bool = True,
) -> ReportData:
    first, last = asked or (None, None)
    listing = subject.source.list(first, last)
    if not listing.files and subject.deployment is None and not subject.source.list().files:
        raise MonitorError(
            f"{subject.source} has no captured records: it needs *.jsonl files, as SageMaker wrote "
            "them to S3."
        )
    subject.archive.update(subject.source, listing.files)
    endpoints = sorted({file.endpoint for file in listing.files})
    if len(endpoints) > 1:
        named = ", ".join(endpoints)
        subject.left_out.append(f"The records are of {len(endpoints)} endpoints together: {named}")
    truth, manifest = labels_at_hand(project, subject)
    query = subject.query(first, last, truth=truth)
    summary = summarise(subject.archive, listing.files, query)
    span = summary.span or (project.now() - timedelta(days=1), project.now())
    period = asked or (span[0], span[1] + timedelta(seconds=1))
    whole = subject.query(*period, truth=truth)
    variants = comparison(project, subject, summary, whole)
    if variants is not None:
        summary = without_labels_of(summary, variants.challenger.summary)
    subject.left_out.extend(listing.left_out)
    return _report_data(
        project,
        subject,
        summary,
        period,
        results=results_of_period(project, period, subject.left_out)
        if assignments and subject.deployment
        else (),
        samples=assignments,
        manifest=manifest,
        variants=variants,
    )


def _started(project: Project, run: str) -> tuple[tuple[str, ...], datetime]:
    """Return the executions of a run, and when the first of them began."""
    if run == LAST:
        record = project.records.read("execution")
        return tuple(record["executions"]), datetime.fromisoformat(record["started_at"])
    end = execution_end(project, run)
    return (end.arn,), end.started.astimezone(UTC)


def _failures(results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    for result in results:
        if result["decision"] == "failed":
            # An input that names no image fails with whatever it was in place of the reference.
            image: Mapping[str, Any] = result["image"]
            named = "bucket" in image and "key" in image
            where = f"s3://{image['bucket']}/{image['key']}" if named else "no image named"
            error = result.get("error", {"Error": "unknown", "Cause": ""})
            yield where, error["Error"], cause_text(error["Cause"])


def _report_data(
    project: Project,
    subject: Subject,
    found: Summary,
    period: tuple[datetime, datetime],
    *,
    results: Iterable[Result],
    ended: Run | None = None,
    manifest: Manifest | None = None,
    variants: VariantComparison | None = None,
    samples: bool = True,
) -> ReportData:
    release, chosen = project.active_release, project.settings.workflow.threshold
    own = release is not None and release.threshold == subject.threshold != chosen
    since, until = period
    compared = compare_with_before(subject, found, since, *_drift_bounds(project, subject, since))
    metrics, sampling = None, None
    if subject.deployment is not None:
        clients = project.client("cloudwatch"), project.client("sagemaker")
        metrics, sampling = endpoint_metrics(subject, *clients, since, until)
    return ReportData(
        summary=found,
        generated=project.now(),
        since=since,
        until=until,
        image=subject.image,
        run=ended,
        metrics=metrics,
        sampling=sampling,
        history=subject.history,
        reference=compared.reference,
        drift=compared.figures,
        drift_note=compared.note,
        onset=compared.onset,
        reference_until=compared.until,
        cost=_cost(project, subject, period, ended.inputs if ended else len(found)),
        samples=_samples(project, subject, period) if samples else (),
        assignments=assignments_of(results),
        left_out=tuple(subject.left_out),
        variants=variants,
        target_precision=project.settings.training.target_precision if own else None,
        provenance=Provenance(
            environment=project.environment,
            endpoint=subject.endpoint,
            source=str(subject.source),
            release=release.id if release else "",
            model_url=release.model_data_url if release else "",
            dataset_version=manifest.version if manifest else "",
            dataset_kind=manifest.source["kind"] if manifest else "",
            dataset_name=manifest.source["name"] if manifest else "",
            threshold_origin="chosen in training" if own else "set by [workflow] threshold",
        ),
    )


def _samples(
    project: Project, subject: Subject, period: tuple[datetime, datetime]
) -> tuple[SampleFigure, ...]:
    if subject.deployment is None:
        return ()
    bucket, answers = subject.deployment.data_bucket, answers_at_hand(project, subject)
    return figures_of(project.client("s3"), bucket, period, answers, subject.left_out)


def _drift_bounds(
    project: Project, subject: Subject, since: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return from when on, and until when, traffic is what the period is compared with."""
    release, deployed = project.active_release, subject.deployment
    released = subject.alone_since(release.id) if release else None
    if release is None or deployed is None:
        return released, None
    try:
        return drift_bounds(
            project.client("s3"),
            deployed.data_bucket,
            since,
            release.id,
            released=released,
            reference_since=deployed.drift_reference_since,
        )
    except ClientError as error:
        subject.left_out.append(f"What the daily reports compared with is not known: {error}")
        return released, None


def _cost(
    project: Project, subject: Subject, period: tuple[datetime, datetime], images: int
) -> Cost | None:
    """Return what the period costs by the price table, for as long and for so many images."""
    if subject.deployment is None:
        return None
    active, hours = project.active_release, (period[1] - period[0]) / timedelta(hours=1)
    try:
        prices = Prices.load()
        lines = estimate(
            project.terraform.applied(), active.id if active else "", prices, project.settings.cost
        )
    except SconesError as error:
        subject.left_out.append(f"The cost is not known: {error}")
        return None
    by_service: dict[str, float] = defaultdict(float)
    for line in lines:
        by_service[line.service] += line.month * hours / HOURS + line.million * images / MILLION
    place = "on AWS it would be" if project.embedded else "by the price table"
    basis = f"{place}, {hours:,.1f} hours and {images:,} images, prices of {prices.checked}"
    return Cost(prices.currency, tuple(sorted(by_service.items())), basis)


def require_classified(results: Sequence[Result]) -> None:
    """Raise MonitorError, naming the first failure, where nothing was captured."""
    if results and all(result["decision"] == "failed" for result in results):
        error = results[0].get("error", {"Error": "unknown", "Cause": ""})
        one, cause = len(results) == 1, cause_text(error["Cause"]).rstrip(".")
        failed = "The only image" if one else f"All {len(results):,} images"
        named = f"{'its failure' if one else 'the first'}: {error['Error']}: {cause}"
        raise MonitorError(
            f"{failed} of the run failed, so nothing was captured and there is nothing to report; "
            f"{named}. `inv results` lists each failure; `inv report --since 1d` reports what was "
            "answered before."
        )


def captures(project: Project, results: Sequence[Result], since: datetime) -> Captures:
    """Return the captured records of these results, waiting for as long as they take to come.

    Raises MonitorError where none has arrived in time.
    """
    seconds = CAPTURE_SECONDS.get(project.environment, CAPTURE_SECONDS_ON_AWS)
    return captures_of(project.deployment, project.client("s3"), results, since, seconds)


def captures_of(
    deployment: Deployment,
    s3: Any,
    results: Sequence[Result],
    since: datetime,
    timeout_seconds: float,
) -> Captures:
    """Return the records that the variants which answered left of these results.

    A shadow's have the same inference ids, and decided nothing. Raises MonitorError where none
    of a variant's has arrived in time.
    """
    asked: dict[str, list[str]] = {}
    for result in results:
        if "inference" in result:
            variant = result["inference"]["variant"]
            name = variant if challenger_of(variant) else deployment.variant
            asked.setdefault(name, []).append(result["inference"]["inference_id"])
    found = [
        wait_for_captures(
            s3,
            S3Uri.parse(deployment.capture_uri),
            deployment.endpoint_name,
            expected=len(ids),
            inference_ids=ids,
            variant=name,
            since=since,
            timeout_seconds=timeout_seconds,
        )
        for name, ids in (asked or {deployment.variant: []}).items()
    ]
    return Captures(
        records=tuple(record for each in found for record in each.records),
        files=sum(each.files for each in found),
        malformed=sum(each.malformed for each in found),
        reasons=tuple(reason for each in found for reason in each.reasons),
        duplicates=sum(each.duplicates for each in found),
    )
