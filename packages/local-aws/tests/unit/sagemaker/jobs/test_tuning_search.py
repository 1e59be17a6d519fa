import math
import random
from typing import Any

import pytest

from local_aws.sagemaker.jobs.tuning_search import (
    BayesianSearch,
    InvalidTuning,
    RandomSearch,
    Range,
    Trial,
    lags,
    parse_ranges,
    search_for,
)


def top(search: RandomSearch | BayesianSearch, seed: int) -> float:
    """Return how close 15 trials come to the top of a hill at (0.3, 0.7)."""
    trials: list[Trial] = []
    for _ in range(15):
        point = search.next(trials)
        trials.append(Trial(point, -(math.dist(point, (0.3, 0.7)) ** 2)))
    return max(trial.score for trial in trials if trial.score is not None)


def test_a_bayesian_search_comes_closer_than_a_random_one() -> None:
    seeds = range(8)
    bayesian = [top(BayesianSearch(2, seed), seed) for seed in seeds]
    at_random = [top(RandomSearch(2, seed), seed) for seed in seeds]
    assert sum(bayesian) > sum(at_random) / 3
    assert max(bayesian) > -0.001


def test_a_seed_makes_a_search_repeatable() -> None:
    first, second = ([BayesianSearch(3, 5).next(()) for _ in range(2)] for _ in range(2))
    assert first == second


def test_trials_that_have_not_ended_are_not_looked_at_twice() -> None:
    known = [Trial((0.0,), 0.0), Trial((0.5,), 1.0), Trial((1.0,), 0.0)]
    point = BayesianSearch(1, 1).next(known)
    assert BayesianSearch(1, 1).next(known) == point
    again = BayesianSearch(1, 1).next([*known, *(Trial(point) for _ in range(3))])
    assert abs(point[0] - again[0]) > 0.005


@pytest.mark.parametrize(
    ("strategy", "kind"), [("Bayesian", BayesianSearch), ("Random", RandomSearch)]
)
def test_a_strategy_is_what_it_is_called(strategy: str, kind: type) -> None:
    assert type(search_for(strategy, [Range("x", 0, 1)], 1)) is kind


@pytest.mark.parametrize(
    ("entry", "low", "middle", "high"),
    [
        ({"MinValue": "0.001", "MaxValue": "1.0"}, 0.001, 0.0316227, 1.0),
        ({"MinValue": "1", "MaxValue": "3", "ScalingType": "Linear"}, 1.0, 2.0, 3.0),
        (
            {"MinValue": "0.9", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
            0.9,
            0.99,
            0.999,
        ),
    ],
)
def test_a_range_is_searched_on_its_scale(
    entry: dict[str, str], low: float, middle: float, high: float
) -> None:
    (found,) = parse_ranges({"ContinuousParameterRanges": [{"Name": "x", **entry}]})
    values = [float(found.value(unit)) for unit in (0.0, 0.5, 1.0)]
    assert values == pytest.approx([low, middle, high], rel=1e-4)


def test_integers_and_categories_stay_what_they_are() -> None:
    draw = random.Random(0)
    integer = Range("n", 1, 3, integer=True)
    category = Range("c", values=("a", "b"))
    assert {integer.value(draw.random()) for _ in range(100)} == {"1", "2", "3"}
    assert [category.value(unit) for unit in (0.0, 0.49, 0.5, 1.0)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (None, "at least one range"),
        ({"AutoParameters": [{"Name": "x", "ValueHint": "1"}]}, "AutoParameters"),
        (
            {"IntegerParameterRanges": [{"Name": "x", "MinValue": "3", "MaxValue": "1"}]},
            "below its MaxValue",
        ),
        (
            {"IntegerParameterRanges": [{"Name": "x", "MinValue": "a", "MaxValue": "1"}]},
            "needs numbers",
        ),
        (
            {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}] * 2},
            "one for each name",
        ),
    ],
)
def test_a_range_that_is_none_is_refused(ranges: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(InvalidTuning, match=message):
        parse_ranges(ranges)


def test_a_strategy_that_is_not_done_is_named() -> None:
    with pytest.raises(InvalidTuning, match="Hyperband"):
        search_for("Hyperband", [Range("x")], None)


def test_the_median_of_the_earlier_running_averages_decides() -> None:
    earlier = [[0.5, 0.7], [0.6, 0.8], [0.7, 0.9]]
    assert lags([0.9, 0.6], earlier, maximise=True)
    assert not lags([0.1, 0.71], earlier, maximise=True)
    assert lags([0.1, 0.71], earlier, maximise=False)
    assert not lags([0.0], earlier[:2], maximise=True)
    assert not lags([], earlier, maximise=True)
