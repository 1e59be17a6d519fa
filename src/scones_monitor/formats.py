"""Formats of numbers and times in the report."""

import math
from datetime import UTC, datetime, timedelta

from scones_monitor.statistics import Interval

# A narrow no-break space keeps figure and unit on one line.
NARROW = "\u202f"
DASH = "\u2013"


def percent(value: float | None, digits: int = 1) -> str:
    """Return `95.5 %`; 0 % and 100 % only where the value is exactly that."""
    if value is None:
        return DASH
    if value in (0, 1):
        return f"{value:.0%}".replace("%", f"{NARROW}%")
    smallest = 10.0 ** -(digits + 2)
    if value > 1 - smallest / 2:
        return f">{NARROW}{1 - smallest:.{digits}%}".replace("%", f"{NARROW}%")
    if value < smallest / 2:
        return f"<{NARROW}{smallest:.{digits}%}".replace("%", f"{NARROW}%")
    return f"{value:.{digits}%}".replace("%", f"{NARROW}%")


def confidence(value: float | None) -> str:
    """Return a probability, cut and not rounded, so that none reads as the threshold it missed.

    One decimal, two from 90 % on, where the differences count.
    """
    if value is None:
        return DASH
    digits = 2 if value >= 0.9 else 1
    scale = 10 ** (digits + 2)
    # The small addend undoes what binary fractions take from a decimal one such as 0.29.
    return percent(math.floor(value * scale + 1e-9) / scale, digits)


def threshold(value: float) -> str:
    """Return `97 %` or `97.35 %`."""
    return f"{value * 100:.2f}".rstrip("0").rstrip(".") + f"{NARROW}%"


def interval(bounds: Interval | None) -> str:
    """Return `92.1 to 97.6 %`."""
    if bounds is None:
        return DASH
    return f"{bounds.low * 100:.1f} to {percent(bounds.high)}"


def points(value: float, bounds: Interval) -> str:
    """Return a difference of proportions in percentage points: `+1.2 (-0.4 to +2.8) points`."""
    # Adding zero takes the sign from what rounds to it.
    middle, low, high = (round(each * 100, 1) + 0.0 for each in (value, *bounds))
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f}) points"


def p_value(value: float | None) -> str:
    """Return `0.031`, and `< 0.001` below that."""
    if value is None:
        return DASH
    return f"<{NARROW}0.001" if value < 0.001 else f"{value:.3f}"


def count(value: int) -> str:
    """Return an integer with its thousands separated."""
    return f"{value:,}".replace(",", NARROW)


def plural(value: int, noun: str) -> str:
    """Return `1 image`, `2 images`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def timestamp(time: datetime) -> str:
    """Return `20 November 2026, 14:32:05 UTC`."""
    time = time.astimezone(UTC)
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def period(first: datetime, last: datetime) -> str:
    """Return a period in one phrase, the day once where it is the same."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if first.date() != last.date():
        return f"{timestamp(first)} to {timestamp(last)}"
    return f"{first.day} {first:%B %Y, %H:%M:%S} to {last:%H:%M:%S} UTC"


def duration(span: timedelta) -> str:
    """Return `3 days`, `2 hours`, `40 minutes`, in the largest unit that is there twice."""
    seconds = span.total_seconds()
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    unit, name = next(
        ((unit, name) for unit, name in units if seconds >= 2 * unit or seconds == unit),
        (1, "second"),
    )
    return plural(round(seconds / unit), name)
