"""The report on a shadow release: what it answered beside the one that serves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scones_core.errors import MonitorError
from scones_core.uris import S3Uri
from scones_deploy.terraform.state import served_configurations
from scones_monitor.capture import read_captures
from scones_monitor.shadow import Comparison, compare
from scones_monitor.shadow_page import Side, write_shadow_page
from scones_toolkit.project import Project

PERCENTILES = ("p50", "p90", "p99")


def compare_shadow(project: Project, *, out: Path | None = None, hours: int = 24) -> Comparison:
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
    share, _ = comparison.agreement
    project.console.say(
        f"  images answered by both releases: {len(comparison.pairs)}; they agree on {share:.1%}, "
        f"the shadow is {comparison.shift:+.4f} surer: {path}"
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
