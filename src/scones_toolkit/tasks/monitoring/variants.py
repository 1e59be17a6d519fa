"""The comparison of the active release with its challenger, from what both answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from scones_core.outputs import Challenge
from scones_core.uris import S3Uri
from scones_monitor.capture_files import S3Captures
from scones_monitor.summary import Summary, summarise
from scones_monitor.traffic import Subject, endpoint_metrics
from scones_monitor.variants import VariantComparison, VariantFigures, since
from scones_toolkit.project import Project


def challenger_subject(project: Project, subject: Subject, challenge: Challenge) -> Subject:
    """Return a subject with the challenger's records and threshold in the active release's place.

    What is left out is said once, by the subject that is given.
    """
    captures = S3Captures(
        project.client("s3"),
        S3Uri.parse(project.deployment.capture_uri),
        subject.endpoint,
        challenge.variant,
    )
    return replace(
        subject, source=captures, threshold=challenge.threshold, variant=challenge.variant
    )


def compare_variants(
    project: Project,
    subject: Subject,
    own: Summary,
    period: tuple[datetime, datetime],
    *,
    truth: Mapping[str, str],
    inference_ids: Sequence[str] | None = None,
) -> VariantComparison | None:
    """Return the comparison in a period, since the challenger's first answer; None without one.

    `own` are the active release's records of the period, `truth` the labels by inference id. With
    `inference_ids` only the challenger's answers to these requests count, and are waited for by
    who calls.
    """
    deployed = subject.deployment
    if deployed is None or deployed.challenger is None:
        return None
    challenge, (first, until) = deployed.challenger, period
    other = challenger_subject(project, subject, challenge)
    listing = other.source.list(first, until)
    other.archive.update(other.source, listing.files)
    query = other.query(first, until, truth=truth, inference_ids=inference_ids)
    theirs = summarise(other.archive, listing.files, query)
    begin = theirs.span[0] if theirs.span else first

    def figures(of: Subject, release: str, summary: Summary) -> VariantFigures:
        clients: tuple[Any, Any] = project.client("cloudwatch"), project.client("sagemaker")
        metrics, _ = endpoint_metrics(of, *clients, begin, until)
        return VariantFigures(release=release, variant=of.variant, summary=summary, metrics=metrics)

    return VariantComparison(
        active=figures(subject, deployed.active_release, since(own, begin)),
        challenger=figures(other, challenge.release, theirs),
        share=challenge.share,
        since=begin,
        until=until,
    )
