"""Schedule expressions: `rate(5 minutes)`, `cron(0 22 ? * MON-FRI *)`, `at(2026-11-21T22:00:00)`.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import datetime
import functools
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_aws.eventbridge import cron
from local_aws.eventbridge.cron import ExpressionError

_FORM = re.compile(r"(?P<kind>rate|cron|at)\((?P<inner>.+)\)")
_RATE = re.compile(r"(?P<count>[1-9][0-9]{0,14}) (?P<unit>minutes?|hours?|days?)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Schedule:
    """An expression in a time zone. `since` is when it began to count, a rate's first time."""

    expression: str
    zone: str
    since: datetime.datetime

    def after(self, at: datetime.datetime) -> datetime.datetime | None:
        """Return the first time later than `at`, in UTC; None when there is none any more."""
        return _after(self, at)


def check(expression: str, zone: str = "UTC") -> None:
    """Raise ExpressionError unless AWS takes the expression and the zone."""
    anytime = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    Schedule(expression, zone, anytime).after(anytime)


@functools.lru_cache(maxsize=512)
def _after(schedule: Schedule, at: datetime.datetime) -> datetime.datetime | None:
    zone = _zone(schedule.zone)
    found = _FORM.fullmatch(schedule.expression)
    if found is None:
        raise ExpressionError(f"{schedule.expression} is no rate, cron or at expression")
    inner = found["inner"]
    if found["kind"] == "cron":
        return cron.parsed(inner).after(max(at, schedule.since), zone)
    if found["kind"] == "at":
        return _at(inner, zone, at)
    step = rate_seconds(inner)
    if at < schedule.since:
        return schedule.since
    passed = (max(at, schedule.since) - schedule.since).total_seconds()
    try:
        return schedule.since + datetime.timedelta(seconds=(passed // step + 1) * step)
    except OverflowError:  # after the last year that there is
        return None


def rate_seconds(text: str) -> int:
    """Return a rate such as `5 minutes` in seconds; one of a unit is in the singular."""
    found = _RATE.fullmatch(text)
    if found is None or (found["count"] == "1") != (not found["unit"].endswith("s")):
        raise ExpressionError(f"rate({text}) is not a number and a unit such as 5 minutes")
    return int(found["count"]) * _UNIT_SECONDS[found["unit"].rstrip("s")]


def _at(text: str, zone: ZoneInfo, at: datetime.datetime) -> datetime.datetime | None:
    try:
        local = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
        time = local.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"at({text}) is not yyyy-mm-ddThh:mm:ss") from error
    return time if time > at else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ExpressionError(f"the time zone {name} is not known") from error
