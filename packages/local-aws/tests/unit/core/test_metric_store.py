import copy

import pytest

from local_aws.core.metric_store import Bucket, MetricKey, MetricStore, grouped, statistic

KEY = MetricKey.of("Scones", "Confidence", {"Label": "bicycle"})


def bucket(*values: float) -> Bucket:
    made = Bucket()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sum", 55.0),
        ("SampleCount", 10.0),
        ("Average", 5.5),
        ("Minimum", 1.0),
        ("Maximum", 10.0),
        ("p50", 5.0),
        ("p90", 9.0),
        ("p99.9", 10.0),
        ("p0", 1.0),
    ],
)
def test_statistics_of_ten_values(name: str, expected: float) -> None:
    assert statistic(bucket(*range(1, 11)), name) == expected


def test_a_statistic_set_has_no_percentile_unless_all_its_values_are_one() -> None:
    made = Bucket()
    made.merge(4, 10, 1, 4)
    assert statistic(made, "Average") == 2.5
    assert statistic(made, "p90") is None
    same = Bucket()
    same.merge(3, 6, 2, 2)
    assert statistic(same, "p90") == 2


def test_an_unknown_statistic_is_an_error() -> None:
    with pytest.raises(ValueError, match="median"):
        statistic(bucket(1), "median")


def test_many_different_values_take_a_bounded_place_and_keep_their_percentile() -> None:
    made = bucket(*(index / 7 for index in range(100_000)))
    assert len(made.values) < 4000
    assert made.count == 100_000
    assert statistic(made, "p90") == pytest.approx(90_000 / 7, rel=0.01)


def test_periods_are_counted_from_their_begin() -> None:
    store = MetricStore()
    for at in (0, 59, 60, 299, 300):
        store.add(KEY, at, 1.0)
    joined = grouped(store.within(KEY, 0, 600), 300, 0)
    assert {at: found.sum for at, found in joined.items()} == {0: 4.0, 300: 1.0}


def test_dimensions_in_any_order_are_one_metric() -> None:
    one = MetricKey.of("N", "m", {"a": "1", "b": "2"})
    assert one == MetricKey.of("N", "m", {"b": "2", "a": "1"})
    assert one != MetricKey.of("N", "m", {"a": "1"})


def test_what_is_older_than_fifteen_days_goes() -> None:
    store = MetricStore()
    for minute in range(15 * 1440 + 2000):
        store.add(KEY, minute * 60, 1.0)
    kept = store.within(KEY, 0, 1e12)
    assert len(kept) <= 15 * 1440 + 1000
    assert kept[-1][0] == (15 * 1440 + 1999) * 60


def test_a_store_can_be_copied_with_its_data() -> None:
    store = MetricStore()
    store.add(KEY, 30, 2.0)
    assert copy.deepcopy(store).within(KEY, 0, 60)[0][1].sum == 2.0
