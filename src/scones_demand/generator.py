"""Hours that nobody counted: a plausible year or two, for the demo and for tests.

Commuters ride at 8 and 17 on working days, others at midday on free days; warmth helps, rain
does not, and each month has more riders than the one before. No figure of it is about a real city.
"""

from dataclasses import replace
from datetime import datetime

import numpy as np

from scones_demand.hours import EPOCH, Hours

HOLIDAYS = ((1, 1), (7, 4), (11, 11), (12, 25))


def generate_hours(
    *, start: datetime = datetime(2023, 1, 1), days: int = 365, seed: int = 0
) -> Hours:
    """Return every hour of so many days with its demand; the same seed gives the same hours."""
    draw = np.random.default_rng(seed)
    first = (start - EPOCH).days * 24
    hour = np.arange(first, first + 24 * days, dtype=np.int64)
    clock, day = hour % 24, np.arange(24 * days) // 24
    dates = (hour // 24).astype("datetime64[D]")
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    in_month = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(int) + 1
    weekday = (hour // 24 + 3) % 7
    holiday = np.zeros(len(hour), bool)
    for of_month, of_day in HOLIDAYS:
        holiday |= (month == of_month) & (in_month == of_day)
    working = (weekday < 5) & ~holiday
    year_phase = 2 * np.pi * (hour / 24 % 365.25) / 365.25
    front = np.repeat(np.cumsum(draw.normal(0, 1.2, days)), 24)
    temp = 14 - 11 * np.cos(year_phase - 0.3) - 4 * np.cos(2 * np.pi * (clock - 3) / 24)
    temp = np.round(np.clip(temp + 3 * np.sin(front), -12, 39), 2)
    wet = draw.random(days) < 0.3
    rain = wet[day] & (draw.random(len(hour)) < 0.45)
    weather = np.where(rain, 3, np.where(wet[day] | (draw.random(len(hour)) < 0.2), 2, 1))
    commute = np.exp(-((clock - 8) ** 2) / 2) + 1.2 * np.exp(-((clock - 17.5) ** 2) / 4)
    leisure = np.exp(-((clock - 14) ** 2) / 18)
    growth = np.exp(0.6 * day / 365) * np.exp(0.035 * (temp - 15)) * np.where(weather == 3, 0.45, 1)
    rate = {
        "registered": growth * (4 + np.where(working, 190 * commute + 40 * leisure, 110 * leisure)),
        "casual": growth * (1 + np.where(working, 18, 70) * leisure),
    }
    counts = {name: draw.poisson(np.maximum(value, 0.2)) for name, value in rate.items()}
    values = {
        "season": (month - 1) // 3 + 1,
        "holiday": holiday,
        "workingday": working,
        "weather": weather,
        "temp": temp,
        "atemp": np.round(temp + 2, 2),
        "humidity": np.clip(
            55 + 25 * (weather == 3) + draw.normal(0, 8, len(hour)), 0, 100
        ).round(),
        "windspeed": np.abs(draw.normal(12, 6, len(hour))).round(2),
        **counts,
        "count": counts["casual"] + counts["registered"],
    }
    return Hours(
        "generated", hour, {name: np.asarray(value, np.float64) for name, value in values.items()}
    )


def competition_split(hours: Hours) -> tuple[Hours, Hours]:
    """Return days 1 to 19 of each month with their demand, and the other days without it."""
    known = hours.day_of_month() <= 19
    to_forecast = hours.where(~known)
    return hours.where(known), replace(
        to_forecast,
        values={
            n: v
            for n, v in to_forecast.values.items()
            if n not in ("casual", "registered", "count")
        },
    )
