"""Variants: two releases that share an endpoint's requests, and which is the better.

SageMaker sends each request to one production variant, at random by their weights, and captures
and measures each variant by itself:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-ab-testing.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scones_core.terraform_outputs import Challenge
from scones_monitor.capture_files import S3Captures
from scones_monitor.cloudwatch_metrics import EndpointMetrics
from scones_monitor.compared_traffic import Subject, endpoint_metrics
from scones_monitor.estimated_accuracy import estimated_accuracy
from scones_monitor.period_summary import LOST_LABELS, NO_LABEL, Query, Summary, summarise
from scones_monitor.release_history import NO_HISTORY
from scones_monitor.sequential_comparison import ALPHA, Arm, Stratum, Verdict, compare
from scones_monitor.statistics import (
    Estimate,
    Share,
    difference,
    mean,
    share,
)

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_sagemaker.client import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class VariantFigures:
    """What one release answered of a period; `metrics` is None where CloudWatch says nothing."""

    release: str
    variant: str
    summary: Summary
    metrics: EndpointMetrics | None = None

    @property
    def latency_ms(self) -> Mapping[str, float]:
        """The model's latency in milliseconds by percentile."""
        return self.metrics.overall if self.metrics else {}

    @property
    def errors(self) -> Share | None:
        """How many of its requests were answered with an error; None where it is not known."""
        if self.metrics is None or not self.metrics.invoked:
            return None
        return Share(min(self.metrics.failed, self.metrics.invoked), self.metrics.invoked)

    @cached_property
    def figures(self) -> dict[str, Estimate | None]:
        """Each compared share or mean, 0 to 1, by name; None where nothing is known of it."""
        summary = self.summary
        known = summary.truth != NO_LABEL
        right = share(summary.truth[known] == summary.label[known])
        return {
            "mean confidence": mean(summary.confidence),
            "accepted": _estimate(share(summary.accepted)),
            "errors": _estimate(self.errors),
            "estimated accuracy": estimated_accuracy(summary.confidence),
            "realised accuracy": _estimate(right),
        }

    @cached_property
    def arm(self) -> Arm:
        """The answers and labels, as the stopping rule counts them."""
        summary = self.summary

        def stratum(chosen: Any) -> Stratum:
            known = chosen & (summary.truth != NO_LABEL)
            right = known & (summary.truth == summary.label)
            return Stratum(int(chosen.sum()), int(known.sum()), int(right.sum()))

        return Arm(stratum(summary.accepted), stratum(~summary.accepted))


@dataclass(frozen=True, kw_only=True)
class VariantComparison:
    """The active release and its challenger in the same time: since the challenger's first answer.

    `share` is the challenger's of the requests, as it is deployed now.
    """

    active: VariantFigures
    challenger: VariantFigures
    share: float
    since: datetime
    until: datetime

    @cached_property
    def verdict(self) -> Verdict:
        """Which release is the better, if the labels say it yet."""
        return compare(self.active.arm, self.challenger.arm)

    def differences(self) -> dict[str, Estimate | None]:
        """Return the challenger's figure minus the active release's, by name.

        That of the realised accuracy has the interval that holds at all looks.
        """
        pairs = {
            name: (self.challenger.figures[name], value)
            for name, value in self.active.figures.items()
        }
        found = {
            name: difference(theirs, own) if theirs and own else None
            for name, (theirs, own) in pairs.items()
        }
        verdict = self.verdict
        labelled = self.active.arm.labelled + self.challenger.arm.labelled
        found["realised accuracy"] = (
            Estimate(verdict.difference, verdict.interval, labelled)
            if verdict.difference is not None and verdict.interval is not None
            else None
        )
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        verdict = self.verdict
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "share": self.share,
            "active": _side(self.active),
            "challenger": _side(self.challenger),
            "difference": {
                _key(name): _value(each) for name, each in self.differences().items() if each
            },
            "verdict": {
                "outcome": verdict.outcome,
                "reason": verdict.reason,
                "labels_missing": verdict.missing,
                "alpha": ALPHA,
            },
        }


def challenger_subject(subject: Subject, challenge: Challenge) -> Subject:
    """Return a subject with the challenger's records and threshold in the active release's place.

    `subject` has captured records in S3; what is left out is said by both together.
    """
    if not isinstance(subject.source, S3Captures):
        raise TypeError(f"{subject.source} has the records of no challenger.")
    return replace(
        subject,
        source=replace(subject.source, variant=challenge.variant),
        threshold=challenge.threshold,
        variant=challenge.variant,
    )


def compare_variants(
    active: VariantFigures,
    subject: Subject,
    challenge: Challenge,
    query: Query,
    clients: "tuple[CloudWatchClient, SageMakerClient]",
) -> VariantComparison:
    """Return the comparison of a period, from the challenger's first answer on.

    It begins no earlier than the active release. `active` has the active release's
    records of the period, `subject` is what these are of. `query` has the period, which has a
    beginning and an end, and the labels by inference id; with its `inference_ids` only the
    challenger's answers to these requests count. Raises ClientError.
    """
    other = challenger_subject(subject, challenge)
    listing = other.source.list(query.since, query.until)
    other.archive.update(other.source, listing.files)
    # One challenger answers under its variant's name, whatever the active release was.
    own = replace(
        query, threshold=challenge.threshold, variant=challenge.variant, history=NO_HISTORY
    )
    theirs = summarise(other.archive, listing.files, own)
    begin, until = theirs.span[0] if theirs.span else query.since, query.until
    if begin is None or until is None:
        raise ValueError("A comparison is of a period with a beginning and an end.")
    # It may have challenged another release before, which answered under the same variant's name.
    begin = max(begin, subject.alone_since(active.release) or begin)

    def measured(of: Subject) -> EndpointMetrics | None:
        return endpoint_metrics(of, *clients, begin, until)[0]

    return VariantComparison(
        active=replace(active, summary=since(active.summary, begin), metrics=measured(subject)),
        challenger=VariantFigures(
            release=challenge.release,
            variant=challenge.variant,
            summary=since(theirs, begin),
            metrics=measured(other),
        ),
        share=challenge.share,
        since=begin,
        until=until,
    )


def without_labels_of(summary: Summary, other: Summary) -> Summary:
    """Return a summary whose lost labels are not those of the other variant's images."""
    used = int((other.truth != NO_LABEL).sum())
    excluded = [
        replace(each, count=each.count - used) if each.reason == LOST_LABELS else each
        for each in summary.excluded
    ]
    return replace(summary, excluded=tuple(each for each in excluded if each.count > 0))


def since(summary: Summary, start: datetime) -> Summary:
    """Return a summary's counted records from a time on; sample and galleries stay whole."""
    late = summary.time >= np.uint32(int(start.timestamp()))
    return replace(
        summary,
        time=summary.time[late],
        confidence=summary.confidence[late],
        thresholds=summary.thresholds[late],
        label=summary.label[late],
        truth=summary.truth[late],
    )


def _estimate(found: Share | None) -> Estimate | None:
    if found is None or found.value is None or found.interval is None:
        return None
    return Estimate(found.value, found.interval, found.total)


def _side(side: VariantFigures) -> dict[str, Any]:
    arm = side.arm
    return {
        "release": side.release,
        "variant": side.variant,
        "threshold": side.summary.threshold,
        "n": len(side.summary),
        "invocations": side.metrics.invoked if side.metrics else None,
        "latency_ms": dict(side.latency_ms),
        "labels": {"accepted": arm.accepted.labelled, "review": arm.review.labelled},
        **{_key(name): _value(each) for name, each in side.figures.items()},
    }


def _value(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"value": found.value, "interval": list(found.interval), "n": found.n}


def _key(name: str) -> str:
    return name.replace(" ", "_")
