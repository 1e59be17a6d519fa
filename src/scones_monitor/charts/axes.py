"""Scales of the charts: time, confidence, counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scones_monitor.charts.svg import Drawing
from scones_monitor.formats import count, percent
from scones_monitor.timeline import STEPS

# Above this a confidence is drawn at the upper edge.
_TOP_CONFIDENCE = 0.9999
_CONFIDENCE_TICKS = (0.0, 0.5, 0.8, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A span of time, `start` to `end`; times become shares from 0 to 1."""

    start: datetime
    end: datetime

    def share(self, time: datetime) -> float:
        """Return where a time lies, 0 at the start, 1 at the end."""
        return (time - self.start) / (self.end - self.start)

    def ticks(self, max_steps: int) -> list[tuple[float, str]]:
        """Return ticks as (share, text), in UTC, with at most `max_steps` steps between them."""
        step = next((s for s in STEPS if (self.end - self.start) / s <= max_steps), STEPS[-1])
        origin = self.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        tick = origin + math.ceil((self.start - origin) / step) * step
        found = []
        while tick <= self.end:
            found.append((self.share(tick), _clock(tick, step)))
            tick += step
        return found


def _clock(time: datetime, step: timedelta) -> str:
    if step >= timedelta(days=1) or (step >= timedelta(hours=1) and time.hour == 0):
        return f"{time.day} {time:%b}"
    return f"{time:%H:%M}" if step >= timedelta(minutes=1) else f"{time:%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class ConfidenceAxis:
    """Confidences on the scale of `certainty`, from `low` (chance) to the highest."""

    low: float
    high: float

    @classmethod
    def over(cls, highest: float, classes: int) -> "ConfidenceAxis":
        """Return the axis from chance up to a confidence."""
        top = min(certainty(1), max(2.0, certainty(highest) + 0.1))
        return cls(certainty(1 / classes), top)

    def share(self, value: float) -> float:
        """Return where a confidence lies, 0 to 1."""
        return max(0.0, min(1.0, (certainty(value) - self.low) / (self.high - self.low)))

    def ticks(self, gap: float) -> list[tuple[float, str]]:
        """Return the ticks as (share, text), at least `gap` apart.

        Where they are too close the higher one stays. The highest of all also stands for what is
        drawn at its place because it lies above.
        """
        found: list[tuple[float, str]] = []
        for tick in reversed(_CONFIDENCE_TICKS):
            share = (certainty(tick) - self.low) / (self.high - self.low)
            if -1e-9 <= share <= 1 + 1e-9 and (not found or found[-1][0] - share >= gap):
                sign = "\u2265\u202f" if tick == _TOP_CONFIDENCE else ""
                digits = max(0, len(f"{tick:g}") - 4)
                found.append((share, sign + percent(tick, digits)))
        return found


def certainty(value: float) -> float:
    """Return a confidence as its number of nines: 90 % is 1, 99 % is 2; 4 at most.

    A straight scale would press most inferences into its last percents, where the threshold
    lies; on this one each step up is ten times less doubt.
    """
    return -math.log10(1 - min(value, _TOP_CONFIDENCE))


def count_ticks(top: float, max_ticks: int = 5) -> list[float]:
    """Return round numbers from 0 up to `top`, at most `max_ticks` above 0."""
    if top <= 0:
        return [0.0]
    step = next(
        s * 10.0**e for e in range(-9, 13) for s in (1, 2, 5) if top / (s * 10.0**e) <= max_ticks
    )
    return [i * step for i in range(int(top / step + 1e-9) + 1)]


# The width of a time with its seconds, and of the gap to the next one.
TIME_LABEL = 66


def draw_time_axis(drawing: Drawing, axis: TimeAxis) -> None:
    """Draw ticks and title of a time axis at the plot's lower edge."""
    frame = drawing.frame
    for share, text in axis.ticks(min(9, (frame.x1 - frame.x0) // TIME_LABEL)):
        drawing.line("stub", frame.x(share), frame.y0, frame.x(share), frame.y0 + 5)
        drawing.text("tick", text, frame.x(share), frame.y0 + 20, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.text("axis-title", "Time (UTC)", frame.x(0.5), frame.height - 8, "middle")


def draw_grid(drawing: Drawing, ticks: Sequence[tuple[float, str]]) -> None:
    """Draw horizontal lines at the shares, with their texts to the left."""
    frame = drawing.frame
    for share, text in ticks:
        drawing.line("grid", frame.x0, frame.y(share), frame.x1, frame.y(share))
        drawing.text("tick", text, frame.x0 - 8, frame.y(share) + 4, "end")


def number(value: float) -> str:
    """Return a tick's number: `1 000`, `2.5`."""
    return count(round(value)) if value == round(value) else f"{value:g}"
