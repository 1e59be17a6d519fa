"""The task that draws accepted images at random for people to label, whoever they are."""

from datetime import timedelta

from scones_core.errors import MonitorError
from scones_monitor.period import parse_period
from scones_monitor.review.sample import (
    Sample,
    draw,
    read_samples,
    require_new_period,
    store_sample,
)
from scones_monitor.review.sources import Candidate
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring.period_results import results_of_period

FIRST_DAYS = 7
"""Of so many days the first sample is, where no other period is given."""


def draw_sample(project: Project, count: int, *, since: str | None = None, seed: int = 0) -> Sample:
    """Draw a uniform random sample of the images accepted until now, and store it for all.

    Without `since` from the end of the last sample on, at first of FIRST_DAYS. Raises MonitorError
    where none was accepted, and for a period that has a sample.
    """
    now = project.now().replace(microsecond=0)
    samples = _stored(project)
    if since is not None:
        first, last = parse_period(since, None, None, now)
    else:
        last = now
        first = max((each.until for each in samples), default=last - timedelta(days=FIRST_DAYS))
    require_new_period(samples, first, last)
    left_out: list[str] = []
    results = results_of_period(project, (first, last), left_out)
    drawn = draw(results, count, first, last, seed)
    for sentence in left_out:
        project.console.warn(f"  {sentence}")
    bucket = project.deployment.data_bucket
    stored = store_sample(project.client("s3"), bucket, drawn)
    project.console.say(
        f"{len(stored.images):,} of {stored.population:,} images accepted from "
        f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC were drawn at random (seed "
        f"{stored.seed}): s3://{bucket}/{stored.key}. Other reviewers label the same ones: "
        f"inv review --of sample{project.env_flag}"
    )
    return stored


def sampled(project: Project) -> list[Candidate]:
    """Return the images of all samples, the newest sample first, each in its random order.

    Raises MonitorError where none was drawn.
    """
    samples = _stored(project)
    if not samples:
        raise MonitorError(
            f"No sample was drawn in {project.environment}: inv review --sample 100"
            f"{project.env_flag}"
        )
    return [image for each in reversed(samples) for image in each.images]


def _stored(project: Project) -> list[Sample]:
    found, left_out = read_samples(project.client("s3"), project.deployment.data_bucket)
    for sentence in left_out:
        project.console.warn(f"  {sentence}")
    return found
