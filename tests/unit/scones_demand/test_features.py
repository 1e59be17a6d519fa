"""Features look back, never ahead."""

from datetime import datetime

import numpy as np

from scones_demand.features import FEATURES, feature_matrix
from scones_demand.generator import generate_hours
from scones_demand.hours import Hours


def test_later_hours_change_nothing_in_earlier_ones() -> None:
    hours = generate_hours(days=20)
    early = np.arange(len(hours)) < 240
    np.testing.assert_array_equal(feature_matrix(hours)[early], feature_matrix(hours.where(early)))


def test_the_weather_before_is_of_the_hours_before_and_unknown_behind_a_gap() -> None:
    hours = generate_hours(days=2)
    hours = hours.where(~np.isin(np.arange(len(hours)), range(10, 20)))
    column = feature_matrix(hours)[:, FEATURES.index("weather_before")]
    np.testing.assert_array_equal(column[1:10], hours.values["weather"][:9])
    assert np.isnan(column[0])
    assert np.isnan(column[10])


def working(hours: Hours, day: datetime) -> float:
    row = hours.times().index(day)
    return float(feature_matrix(hours)[row, FEATURES.index("workingday")])


def test_days_on_which_offices_are_half_empty_are_not_working_days() -> None:
    hours = generate_hours(start=datetime(2012, 11, 20), days=45)
    assert working(hours, datetime(2012, 11, 23)) == 0
    assert working(hours, datetime(2012, 11, 26)) == 1
    assert working(hours, datetime(2012, 12, 24)) == 0
    assert working(hours, datetime(2012, 12, 31)) == 0
    assert working(hours, datetime(2012, 12, 27)) == 1


def test_the_weekday_counts_from_monday() -> None:
    hours = generate_hours(start=datetime(2023, 1, 2), days=1)
    assert set(feature_matrix(hours)[:, FEATURES.index("weekday")]) == {0}
