"""The tasks around the running workflow: executions over images, and the report on them."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones_core.errors import ExecutionFailed, SettingsError
from scones_core.events import ImageRef, Result
from scones_core.manifest import Manifest
from scones_core.outputs import Deployment
from scones_core.uris import S3Uri
from scones_monitor.capture import Captures, wait_for_captures
from scones_monitor.join import Join, join
from scones_monitor.report import Provenance, ReportData, summarise, write_report
from scones_toolkit import datasets, executions
from scones_toolkit.executions import Run
from scones_toolkit.project import Project

# AWS delivers captured records within minutes, the embedded AWS within seconds.
CAPTURE_SECONDS = {"local": 30.0}
CAPTURE_SECONDS_ON_AWS = 600.0
LISTED = 20


def choose_images(
    project: Project, *, uris: Sequence[str] = (), count: int = 0, seed: int = 0
) -> list[ImageRef]:
    """Return the images of these locations, else `count` random test images, 0 meaning all."""
    if count < 0:
        raise SettingsError(f"--count must be 0 or more, not {count}.")
    if uris:
        found = [S3Uri.parse(uri) for uri in uris]
        return [{"bucket": uri.bucket, "key": uri.key} for uri in found]
    rows = datasets.current(project).split("test")
    if count:
        # A sample for a person to look at; nothing depends on its being unpredictable.
        rows = tuple(random.Random(seed).sample(rows, min(count, len(rows))))  # noqa: S311
    bucket = project.deployment.data_bucket
    return [{"bucket": bucket, "key": row.key} for row in rows]


def classify(project: Project, images: Sequence[ImageRef]) -> Run:
    """Run the workflow over these images, record the results and return them."""
    states, settings = project.client("stepfunctions"), project.settings.workflow
    started_at = datetime.now(UTC)
    started = executions.start(
        states,
        project.deployment.state_machine_arn,
        images,
        per_execution=settings.images_per_execution,
    )
    with project.console.progress("classifying") as advance:
        run = executions.wait(
            states, started, timeout=settings.execution_timeout_seconds, advance=advance
        )
    record = {
        "executions": run.executions,
        "started_at": started_at.isoformat(),
        "results": run.results,
    }
    project.records.write("execution", record)
    return run


def run(project: Project, *, images: Sequence[str] = (), count: int = 0, seed: int = 0) -> Run:
    """Classify images and print how each ended; raises ExecutionFailed where any failed."""
    chosen = choose_images(project, uris=images, count=count, seed=seed)
    done = classify(project, chosen)
    rows = [_row(result) for result in done.results]
    title = f"First {LISTED} of {len(rows)}" if len(rows) > LISTED else ""
    project.console.grid(title, ("image", "decision", "answer", "confidence"), rows[:LISTED])
    project.console.say(", ".join(f"{n} {name}" for name, n in done.counts().items()))
    require_none_failed(done)
    return done


def require_none_failed(done: Run) -> None:
    """Raise ExecutionFailed, naming the first one, where an image failed."""
    failed = [result for result in done.results if result["decision"] == "failed"]
    if failed:
        error = failed[0].get("error", {"Error": "unknown", "Cause": ""})
        raise ExecutionFailed(
            f"{len(failed)} of {len(done.results)} images failed; the first is "
            f"{failed[0]['image']}: {error['Error']}: {error['Cause']}"
        )


def report(
    project: Project, *, out: Path | None = None, manifest: Manifest | None = None
) -> dict[str, Any]:
    """Write the report page of the last run, and return its figures.

    Raises MonitorError where no captured record has arrived in time.
    """
    record = project.records.read("execution")
    manifest = manifest or datasets.current(project)
    deployment = project.deployment
    results: list[Result] = record["results"]
    found = captures(project, results, datetime.fromisoformat(record["started_at"]))
    truth = {row.key: row.label for row in manifest.rows}
    joined = join(results, found.records, truth)
    path = out or project.build / project.environment / "report.html"
    write_report(path, _report_data(project, record, manifest, joined, found))
    project.console.say(f"  {len(found.records)} captured records read; the report is {path}")
    return summarise(joined, found, deployment.threshold)


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
    """Return the records that the serving variant left of these results.

    A shadow's have the same inference ids, and decided nothing. Raises MonitorError where none
    has arrived in time.
    """
    ids = [result["inference"]["inference_id"] for result in results if "inference" in result]
    return wait_for_captures(
        s3,
        S3Uri.parse(deployment.capture_uri),
        deployment.endpoint_name,
        expected=len(ids),
        inference_ids=ids,
        variant=deployment.variant,
        since=since,
        timeout_seconds=timeout_seconds,
    )


def _report_data(
    project: Project,
    record: dict[str, Any],
    manifest: Manifest,
    joined: Join,
    captures: Captures,
) -> ReportData:
    deployment, release = project.deployment, project.active_release
    own = release is not None and release.threshold == deployment.threshold
    return ReportData(
        joined=joined,
        captures=captures,
        labels=deployment.labels,
        threshold=deployment.threshold,
        target_precision=project.settings.training.target_precision if own else None,
        generated=datetime.now(UTC),
        provenance=Provenance(
            environment=project.environment,
            endpoint=deployment.endpoint_name,
            release=deployment.active_release,
            model_url=release.model_data_url if release else "",
            executions=tuple(record["executions"]),
            dataset_version=manifest.version,
            dataset_kind=manifest.source["kind"],
            dataset_name=manifest.source["name"],
            threshold_origin="chosen in training" if own else "set in the environment",
            capture_uri=deployment.capture_uri,
        ),
    )


def _row(result: Result) -> tuple[str, str, str, str]:
    image = result["image"].get("key", str(result["image"]))
    inference = result.get("inference")
    if inference is None:
        error = result.get("error", {"Error": "unknown", "Cause": ""})
        return (image, result["decision"], error["Error"], "")
    return (image, result["decision"], inference["label"], f"{inference['confidence']:.4f}")
