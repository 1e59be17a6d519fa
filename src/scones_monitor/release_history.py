"""Which release answered when: by the two objects that Terraform writes around each roll-out.

One is written before an endpoint is updated, the other once the update is over; the versions of
both are the history. The time in a release's id is not: a release
that a rollback activates again is older than what it replaces. They also say what the answers
were judged by: the threshold, and the classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scones_core.json_text import parse_json

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

CHOSEN = "daily-report/chosen-release.json"
ACTIVE = "daily-report/active-release.json"

ROLLING = "During a roll-out, when either release may have answered"
UNRECORDED = "Before releases were recorded"

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Write:
    """A version of one of the two objects: when it was written, its id, what it says."""

    time: datetime
    version: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` on `release` answered alone; with an empty one nobody knows which did.

    `threshold` decided on the answers, which are of the `labels` in the model's order; None and
    empty where it is not recorded.
    """

    start: datetime
    release: str
    threshold: float | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The stretches in the order of time, each until the next begins."""

    stretches: tuple[Stretch, ...]

    @property
    def activations(self) -> tuple[tuple[str, datetime], ...]:
        """Each release, and from when on it answered alone; one that came back is there again."""
        before = (None, *(each.release for each in self.stretches))
        return tuple(
            (each.release, each.start)
            for each, last in zip(self.stretches, before, strict=False)
            if each.release and each.release != last
        )

    def alone_since(self, release: str) -> datetime | None:
        """Return from when on a release has answered alone until now.

        None where it does not, and where that began before the history did.
        """
        activations = self.activations
        if len(activations) < 2 or activations[-1][0] != release:
            return None
        return activations[-1][1]

    def of(self, time: NDArray[np.uint32]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
        """Return names, and for each record the index of its own: a release, or why it has none.

        `time` is as in `at`.
        """
        stretches, place = self.at(time)
        names = [UNRECORDED if each is None else each.release or ROLLING for each in stretches]
        unique = tuple(dict.fromkeys(names))
        return unique, np.array([unique.index(name) for name in names], np.intp)[place]

    def at(self, time: NDArray[np.uint32]) -> tuple[tuple[Stretch | None, ...], NDArray[np.intp]]:
        """Return the stretches, and for each record the index of its own; first is None, for none.

        `time` has seconds since 1970, cut to the second: a stretch begins with its next whole
        second where one release answers, else with the one that it is in.
        """
        starts = [
            math.floor(each.start.timestamp()) + bool(each.release) for each in self.stretches
        ]
        ordered = np.maximum.accumulate(np.array(starts, np.int64))
        place = np.searchsorted(ordered, time.astype(np.int64), side="right")
        return (None, *self.stretches), place

    def decided(self, otherwise: float) -> list[float]:
        """Return the threshold of each place of `at`.

        Where none is recorded it is that before, at the beginning the first one that is recorded;
        `otherwise` where none is at all.
        """
        known = [None, *(each.threshold for each in self.stretches)]
        last = next((value for value in known if value is not None), otherwise)
        return [last := last if value is None else value for value in known]

    def thresholds(self, otherwise: float) -> list[tuple[datetime, float]]:
        """Return the thresholds and when each began to decide, the first at no time at all."""
        first, *values = self.decided(otherwise)
        found = [(datetime.min.replace(tzinfo=UTC), first)]
        for each, value in zip(self.stretches, values, strict=True):
            if value != found[-1][1]:
                found.append((each.start, value))
        return found


NO_HISTORY = History(())


def read_history(s3: "S3Client", bucket: str) -> History:
    """Return the history that a bucket has; ClientError passes through."""
    return history_of(_writes(s3, bucket, CHOSEN), _writes(s3, bucket, ACTIVE))


def history_of(chosen: Sequence[Write], active: Sequence[Write]) -> History:
    """Return the history of what was chosen and of what became active, both oldest first.

    A roll-out is over when the write that names its version is there. Until then, and where it
    failed until another one is over, either release may answer, and what was deployed before
    decides: the functions are updated last. A release that is written again has another threshold.
    """
    over = {str(write.body.get("rollout")): write for write in active}
    known = {write.version for write in chosen}
    # Old versions expire, that of a roll-out's beginning first.
    found = [_alone(write) for key, write in over.items() if key not in known]
    for write in chosen:
        last = found[-1] if found else Stretch(write.time, "")
        if not last.release or last.release != write.body["release"]:
            found.append(replace(last, start=write.time, release=""))
        if write.version in over:
            found.append(_alone(over[write.version]))
    return History(tuple(found))


def _alone(write: Write) -> Stretch:
    body = write.body
    if not body["release"]:
        # Nothing answers, so nothing is judged.
        return Stretch(write.time, "")
    threshold, labels = body.get("threshold"), body.get("labels")
    names = labels if isinstance(labels, list) else []
    return Stretch(
        write.time,
        body["release"],
        float(threshold) if isinstance(threshold, int | float) else None,
        tuple(name for name in names if isinstance(name, str)),
    )


def _writes(s3: "S3Client", bucket: str, key: str) -> list[Write]:
    """Return the versions of an object that say a release, oldest first."""
    found = []
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    for each in (version for page in pages for version in page.get("Versions", [])):
        if each["Key"] != key:
            continue
        body = s3.get_object(Bucket=bucket, Key=key, VersionId=each["VersionId"])["Body"]
        try:
            read = parse_json(body.read(_MAX_BYTES))
        except ValueError:
            continue
        if isinstance(read, dict) and isinstance(read.get("release", 0), str | None):
            found.append(Write(each["LastModified"], each["VersionId"], read))
    # S3 lists the newest first, and tells times to the second.
    return found[::-1]
