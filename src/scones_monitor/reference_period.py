"""Reference traffic: what a period is compared with while a drift lasts, that before the drift.

Each daily report leaves its verdict, and until when the traffic was that it compared with, in
`monitoring/<day>/summary.json`. While the verdicts are drift, the next reports keep to the same
traffic: after a week the drift would be its own reference otherwise, and end by itself.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scones_core.json_text import parse_json
from scones_monitor.period import parse_time

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPORTS = "monitoring/"
SUMMARY = "summary.json"

LOOK_BACK = timedelta(days=7)
"""Reports of so long before a period are looked at: some may be missing."""

_DAY = timedelta(days=1)
_KEY = re.compile(rf"{REPORTS}(\d{{4}}-\d\d-\d\d)/{re.escape(SUMMARY)}")
_MAX_BYTES = 1 << 16


def drift_bounds(
    s3: "S3Client",
    bucket: str,
    since: datetime,
    release: str,
    *,
    released: datetime | None,
    reference_since: str,
) -> tuple[datetime | None, datetime]:
    """Return from when on, and until when, traffic is what a period from `since` is compared with.

    `released` is the release's time, `reference_since` a time that an operator set, or empty.
    Raises MonitorError for a text that is no time.
    """
    accepted = parse_time(reference_since, since) if reference_since else None
    if accepted and accepted >= since:
        accepted = None
    times = [time for time in (released, accepted) if time]
    return max(times, default=None), reference_end(s3, bucket, since, release, accepted)


def reference_end(
    s3: "S3Client", bucket: str, since: datetime, release: str, accepted: datetime | None = None
) -> datetime:
    """Return until when the traffic lasts that a period from `since` on is compared with.

    That is `since`, unless the newest daily report before it found a drift of the same release:
    then it is what that report compared with. Traffic from `accepted` on is a reference whatever
    the reports say. ClientError passes through.
    """
    body = _newest_summary(s3, bucket, since)
    if body.get("release") != release or body.get("drift") == "none":
        return since
    try:
        until = datetime.fromisoformat(body["reference_until"])
        if until.tzinfo is None or (accepted and until <= accepted):
            return since
        return min(until, since)
    except (KeyError, TypeError, ValueError):
        # There was nothing to compare with.
        return since


def _newest_summary(s3: "S3Client", bucket: str, since: datetime) -> dict[str, Any]:
    """Return the summary of the newest day that was over by `since`; empty without one."""
    first = (since - LOOK_BACK - _DAY).astimezone(UTC)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=REPORTS, StartAfter=f"{REPORTS}{first:%Y-%m-%d}"
    )
    newest = ""
    for found in (each for page in pages for each in page.get("Contents", [])):
        day = _KEY.fullmatch(found["Key"])
        if day and datetime.fromisoformat(f"{day[1]}T00:00:00+00:00") + _DAY <= since:
            newest = found["Key"]
    if not newest:
        return {}
    try:
        body = parse_json(s3.get_object(Bucket=bucket, Key=newest)["Body"].read(_MAX_BYTES))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
