"""The tasks that watch an endpoint: the report on a run, and on a shadow release."""

import webbrowser
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_core.manifest import Manifest
from scones_core.outputs import Deployment
from scones_core.uris import S3Uri
from scones_deploy.terraform.state import served_configurations
from scones_monitor.captured_records import Captures, read_captures, wait_for_captures
from scones_monitor.join import Join, cause_text, join
from scones_monitor.report import Provenance, ReportData, summarise, write_report
from scones_monitor.shadow import Comparison, Side, compare, write_shadow_page
from scones_toolkit.project import Project
from scones_toolkit.tasks import data

# AWS delivers captured records within minutes, the embedded AWS within seconds.
CAPTURE_SECONDS = {"local": 30.0}
CAPTURE_SECONDS_ON_AWS = 600.0
PERCENTILES = ("p50", "p90", "p99")


def report(
    project: Project,
    *,
    out: Path | None = None,
    manifest: Manifest | None = None,
    in_browser: bool = False,
) -> dict[str, Any]:
    """Write the report page of the last run, and return its figures.

    `in_browser` opens the page. Raises MonitorError where no captured record has arrived in
    time, and where there can be none, as every image failed.
    """
    record = project.records.read("execution")
    _require_classified(record["results"])
    manifest = manifest or data.current(project)
    deployment = project.deployment
    results: list[Result] = record["results"]
    found = captures(project, results, datetime.fromisoformat(record["started_at"]))
    truth = {row.key: row.label for row in manifest.rows}
    joined = join(results, found.records, truth)
    path = out or project.build / project.environment / "report.html"
    write_report(path, _report_data(project, record, manifest, joined, found))
    project.console.say(f"  {len(found.records)} captured records read; the report is {path}")
    if in_browser:
        webbrowser.open(path.absolute().as_uri())
    return summarise(joined, found, deployment.threshold)


def _require_classified(results: Sequence[Result]) -> None:
    """Raise MonitorError, naming the first failure, where nothing was captured."""
    if results and all(result["decision"] == "failed" for result in results):
        error = results[0].get("error", {"Error": "unknown", "Cause": ""})
        raise MonitorError(
            "All images of the last run failed, so nothing was captured; the first: "
            f"{error['Error']}: {cause_text(error['Cause'])}"
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
    chosen = project.settings.workflow.threshold
    own = release is not None and release.threshold == deployment.threshold != chosen
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
            threshold_origin="chosen in training" if own else "set by [workflow] threshold",
            capture_uri=deployment.capture_uri,
        ),
    )


def compare_shadow(
    project: Project, *, out: Path | None = None, hours: int = 24, in_browser: bool = False
) -> Comparison:
    """Write the page that compares the shadow with the release that serves; return the figures.

    Read are the records that both left in the last `hours`. Raises MonitorError where there is
    no shadow, or no image that both answered.
    """
    served, shadow, endpoint = _sides(project)
    deployment = project.deployment
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    found = []
    for side in (served, shadow):
        captures = read_captures(
            project.client("s3"),
            S3Uri.parse(deployment.capture_uri),
            endpoint,
            variant=side,
            since=since,
        )
        found.append(captures.records)
    comparison = compare(found[0], found[1], deployment.labels, deployment.threshold)
    outputs = project.terraform.outputs()
    path = out or project.build / project.environment / "shadow.html"
    write_shadow_page(
        path,
        comparison,
        Side(deployment.active_release, served, _latency(project, endpoint, served, since, until)),
        Side(
            str(outputs.get("shadow_release", "")),
            shadow,
            _latency(project, endpoint, shadow, since, until),
        ),
        environment=project.environment,
        generated=until,
    )
    if in_browser:
        webbrowser.open(path.absolute().as_uri())
    share, _ = comparison.agreement
    project.console.say(
        f"  images answered by both releases: {len(comparison.pairs)}; they agree on {share:.1%}, "
        f"the mean confidence of the shadow is {comparison.shift:+.4f} higher: {path}"
    )
    return comparison


def _sides(project: Project) -> tuple[str, str, str]:
    """Return the production variant, the shadow variant and their endpoint."""
    release = project.active_release
    pairs = served_configurations(project.terraform.applied(), release.id) if release else []
    for endpoint, configuration in pairs:
        shadows = configuration.values.get("shadow_production_variants") or ()
        if shadows:
            served = configuration.values["production_variants"][0]["variant_name"]
            return str(served), str(shadows[0]["variant_name"]), str(endpoint.values["name"])
    raise MonitorError(
        f"No shadow is deployed in {project.environment}; set shadow_release, plan and apply."
    )


def _latency(
    project: Project, endpoint: str, variant: str, since: datetime, until: datetime
) -> dict[str, float]:
    """Return percentiles of the model's latency, in milliseconds; empty where none is known."""
    found: dict[str, Any] = project.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        StartTime=since,
        EndTime=until,
        # One period over all of it: percentiles of percentiles would say nothing.
        Period=_minutes(since, until) * 60,
        ExtendedStatistics=list(PERCENTILES),
    )
    points = found["Datapoints"]
    if not points:
        return {}
    # SageMaker measures in microseconds.
    return {
        f"latency {name}": value / 1000
        for name, value in points[-1].get("ExtendedStatistics", {}).items()
    }


def _minutes(since: datetime, until: datetime) -> int:
    return max(1, round((until - since).total_seconds() / 60))
