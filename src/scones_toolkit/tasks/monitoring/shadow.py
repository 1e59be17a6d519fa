"""The comparison of a shadow release with the one that serves."""

import webbrowser
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from scones_core.errors import MonitorError
from scones_core.uris import S3Uri
from scones_deploy.release import read_releases
from scones_deploy.terraform.state import served_configurations
from scones_monitor.captured_records import read_captures
from scones_monitor.cloudwatch_metrics import read_metrics
from scones_monitor.compared_traffic import release_history
from scones_monitor.shadow_comparison import Comparison, Side, compare, write_shadow_page
from scones_toolkit.project import Project


def compare_shadow(
    project: Project, *, out: Path | None = None, hours: int = 24, in_browser: bool = False
) -> Comparison:
    """Write the page that compares the shadow with the release that serves; return the figures.

    Read are the records that both left in the last `hours`, since the release that serves answers
    alone where that was later. Raises MonitorError where there is
    no shadow, or no image that both answered.
    """
    if out is not None:
        project.require_writable(out)
    served, shadow, endpoint = _sides(project)
    deployment = project.deployment
    until = project.now()
    history = release_history(project.client("s3"), deployment.data_bucket, [])
    since = until - timedelta(hours=hours)
    since = max(since, history.alone_since(deployment.active_release) or since)
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
    ours, name = deployment.labels, str(project.terraform.outputs().get("shadow_release", ""))
    release = read_releases(project.release_file).releases.get(name)
    theirs = release.labels if release else ours
    comparison = compare(found[0], found[1], ours, deployment.threshold, theirs)

    def latency(variant: str) -> dict[str, float]:
        found = read_metrics(
            project.client("cloudwatch"),
            endpoint,
            variant,
            since=since,
            until=until,
            step=until - since,
        )
        return {f"latency {name}": value for name, value in found.overall.items()}

    path = out or project.build / project.environment / "shadow.html"
    write_shadow_page(
        path,
        comparison,
        Side(deployment.active_release, served, latency(served), _without(ours, theirs)),
        Side(name, shadow, latency(shadow), _without(theirs, ours)),
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


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


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
