"""Features of an hour: calendar, trend, weather, and the weather of the hours before.

No feature looks ahead: the weather of an hour and of earlier ones, never of later ones.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scones_demand.hours import Hours

# Hours back of which the weather counts: streets are wet, and people stay where they are.
PAST_WEATHER = 3
PAST_MEAN = 6

FEATURES = (
    "hour",
    "weekday",
    "season",
    "holiday",
    "workingday",
    "weather",
    "temp",
    "atemp",
    "humidity",
    "windspeed",
    "day",
    "month",
    "day_of_year",
    "weather_before",
    "worst_weather",
    "mean_weather",
)
"""The columns of a feature matrix. `day` and `month` count from 1970; they carry the trend."""

DAILY = tuple(name for name in FEATURES if name != "month")
MONTHLY = tuple(name for name in FEATURES if name not in ("day", "day_of_year"))
"""Two views of the calendar. Their errors differ, so that an average of both is better."""


def feature_matrix(hours: Hours) -> NDArray[np.float64]:
    """Return the features of hours: shape (n, len(FEATURES)), float64, NaN where unknown."""
    values = hours.values
    days = hours.day.astype("datetime64[D]")
    year = days.astype("datetime64[Y]").astype("datetime64[D]")
    past = _past(hours, values["weather"], PAST_MEAN)
    known = np.where(np.isnan(past), 0.0, past)
    there = (~np.isnan(past)).sum(axis=1)
    columns = {
        "hour": hours.hour % 24,
        # 1970-01-01 was a Thursday; Monday is 0.
        "weekday": (hours.day + 3) % 7,
        "workingday": _workingday(hours),
        "day": hours.day,
        "month": hours.month(),
        "day_of_year": (days - year).astype(np.int64) + 1,
        "weather_before": past[:, 1],
        "worst_weather": known[:, : PAST_WEATHER + 1].max(axis=1),
        "mean_weather": known.sum(axis=1) / np.maximum(there, 1),
        **{name: values[name] for name in FEATURES if name in values and name != "workingday"},
    }
    return np.column_stack([np.asarray(columns[name], np.float64) for name in FEATURES])


def columns_of(names: Sequence[str]) -> list[int]:
    """Return where features stand in a feature matrix."""
    return [FEATURES.index(name) for name in names]


def _past(hours: Hours, column: NDArray[np.float64], back: int) -> NDArray[np.float64]:
    """Return a column at each hour and at the `back` hours before: shape (n, back + 1).

    NaN where there is no such hour.
    """
    found = np.full((len(hours), back + 1), np.nan)
    for lag in range(back + 1):
        at = np.searchsorted(hours.hour, hours.hour - lag)
        there = hours.hour[at] == hours.hour - lag
        found[there, lag] = column[at[there]]
    return found


def _workingday(hours: Hours) -> NDArray[np.float64]:
    """Return the column, 0 also on three kinds of days on which offices are half empty.

    The Friday after Thanksgiving, Christmas Eve and New Year's Eve count as working days in the
    data, and lie in the part of the month whose demand is asked, so that no fold measures it.
    """
    days = np.unique(hours.day).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    in_month = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    month = months.astype(np.int64) % 12 + 1
    friday = (days.astype(np.int64) + 3) % 7 == 4
    quiet = (month == 11) & friday & (in_month >= 23) & (in_month <= 29)
    quiet |= (month == 12) & np.isin(in_month, (24, 31))
    off = np.isin(hours.day, days[quiet].astype(np.int64))
    return np.where(off, 0.0, hours.values["workingday"])
