"""Scales and their ticks: time, order, and confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scones_monitor.formats import count, moment, percent

_STEPS = (
    *(timedelta(milliseconds=ms) for ms in (100, 200, 500)),
    *(timedelta(seconds=s) for s in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=h) for h in (1, 2, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 28, 91, 182, 365)),
)
# Above this a confidence is drawn at the upper edge.
_TOP_CONFIDENCE = 0.9999
_CONFIDENCE_TICKS = (0.0, 0.5, 0.8, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class Axis:
    """A share from 0 to 1 for each point, ticks as (share, text), and the axis title."""

    shares: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]
    title: str


def time_axis(times: Sequence[datetime], ticks: int) -> Axis:
    """Return the axis of these ascending times: by the clock, or by order where it is too coarse.

    AWS captures whole seconds. A burst of requests would stand in a few columns, so that it is
    drawn in the order of arrival, and the title says so.
    """
    whole = all(time.microsecond == 0 for time in times)
    if whole and 4 * len(set(times)) < len(times):
        return _order_axis(times, ticks)
    first, last = times[0], times[-1]
    span = max(last - first, timedelta(seconds=1))
    start = first - 0.02 * span
    width = 1.04 * span
    return Axis(
        shares=tuple((time - start) / width for time in times),
        ticks=tuple(_time_ticks(start, width, ticks)),
        title="Time of inference (UTC)",
    )


def _time_ticks(start: datetime, width: timedelta, wanted: int) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if width / s <= wanted), _STEPS[-1])
    origin = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tick = origin + math.ceil((start - origin) / step) * step
    found = []
    while tick <= start + width:
        found.append(((tick - start) / width, _clock(tick, step)))
        tick += step
    return found


def _clock(time: datetime, step: timedelta) -> str:
    if step >= timedelta(days=1) or (step >= timedelta(hours=1) and time.hour == 0):
        return f"{time.day} {time:%b}"
    if step >= timedelta(minutes=1):
        return f"{time:%H:%M}"
    return f"{time:%H:%M:%S}" + (f".{time.microsecond // 100_000}" if step.microseconds else "")


def _order_axis(times: Sequence[datetime], ticks: int) -> Axis:
    n = len(times)
    step = next(s * 10**e for e in range(9) for s in (1, 2, 5) if n / (s * 10**e) <= ticks)
    marks = [1, *range(step, n + 1, step)] if step > 1 else range(1, n + 1)
    return Axis(
        shares=tuple((i + 0.5) / n for i in range(n)),
        ticks=tuple(((mark - 0.5) / n, count(mark)) for mark in marks),
        title="Inferences, in the order of time",
    )


def confidence_axis(values: Sequence[float], classes: int) -> Axis:
    """Return the axis of confidences on the scale of `certainty`, from chance to the highest."""
    low = certainty(1 / classes)
    high = min(certainty(1), max(2.0, certainty(max(values)) + 0.1))
    return Axis(
        shares=tuple(max(0.0, (certainty(v) - low) / (high - low)) for v in values),
        ticks=confidence_ticks(low, high, 0.05),
        title="Confidence",
    )


def confidence_ticks(low: float, high: float, gap: float) -> tuple[tuple[float, str], ...]:
    """Return the ticks between two certainties as (share, text), at least `gap` apart.

    Where they are too close the higher one stays. The highest of all also stands for what is
    drawn at its place because it lies above.
    """
    found: list[tuple[float, str]] = []
    for tick in reversed(_CONFIDENCE_TICKS):
        share = (certainty(tick) - low) / (high - low)
        if -1e-9 <= share <= 1 + 1e-9 and (not found or found[-1][0] - share >= gap):
            sign = "\u2265\u202f" if tick == _TOP_CONFIDENCE else ""
            found.append((share, sign + percent(tick, _digits(tick))))
    return tuple(found)


def certainty(value: float) -> float:
    """Return a confidence as its number of nines: 90 % is 1, 99 % is 2; 4 at most.

    A straight scale would press most inferences into its last percents, where the threshold
    lies; on this one each step up is ten times less doubt.
    """
    return -math.log10(1 - min(value, _TOP_CONFIDENCE))


def _digits(value: float) -> int:
    return max(0, len(f"{value:g}") - 4)


def tip_time(time: datetime) -> str:
    """Return a point's time for its tooltip, with milliseconds where it has any."""
    text = moment(time)
    return (
        text.replace(" UTC", f".{time.microsecond // 1000:03d} UTC") if time.microsecond else text
    )
