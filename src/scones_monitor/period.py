"""The period that a reader asks for: spans like `7d`, times with their zones."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scones_core.errors import MonitorError

FIRST_YEAR, LAST_YEAR = 1970, 2999
"""No record is of another year; at the ends of the calendar a span cannot be taken away."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,6})([mhdw])")
_ZONED = re.compile(r"(\S.*?)\s+([A-Za-z][\w+-]*(?:/[\w+-]+)*)")


def parse_period(
    since: str | None, start: str | None, end: str | None, now: datetime
) -> tuple[datetime, datetime]:
    """Return the period that these texts name, in UTC; `now` is aware.

    `since` is a span back from now (`30m`, `12h`, `7d`, `2w`) or a time, as are `start` and `end`.
    Without `since` and `start` it is the day up to the end. Raises MonitorError for a text that is
    neither, for `since` beside `start`, and for an empty period.
    """
    if since and start:
        raise MonitorError("Give --since or --from, not both: each is the beginning.")
    last = parse_time(end, now) if end else now
    first = parse_time(since or start or "", now) if since or start else last - timedelta(days=1)
    if first >= last:
        raise MonitorError(
            f"The period is empty: it begins at {first:%Y-%m-%d %H:%M} UTC and ends at "
            f"{last:%Y-%m-%d %H:%M} UTC{'' if end else ', which is now'}."
        )
    return first, last


def parse_time(text: str, now: datetime) -> datetime:
    """Return the moment of a span back from `now` or of an ISO 8601 time, in UTC.

    A time has an offset (`2026-11-20T14:00+01:00`), a zone (`2026-11-20 14:00 Europe/Berlin`) or
    is in UTC. Raises MonitorError.
    """
    text = text.strip()
    try:
        time = _time(text, now).astimezone(UTC)
    # ZoneInfo raises KeyError for an unknown zone, OSError for a folder's name.
    except (ValueError, KeyError, OSError, OverflowError) as error:
        raise MonitorError(
            f"{text!r} is not a time: write a span such as 7d, or 2026-11-20T14:00+01:00, or "
            "2026-11-20 14:00 Europe/Berlin; without a zone it is UTC."
        ) from error
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise MonitorError(f"{text!r} is not a time from {FIRST_YEAR} to {LAST_YEAR}.")
    return time


def _time(text: str, now: datetime) -> datetime:
    if span := _SPAN.fullmatch(text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    zone = _ZONED.fullmatch(text)
    if zone is None:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time
    time = datetime.fromisoformat(zone[1])
    if time.tzinfo is not None:
        raise ValueError("an offset and a zone")
    return time.replace(tzinfo=ZoneInfo(zone[2]))
