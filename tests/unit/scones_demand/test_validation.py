"""Blocks of days: what a fold may know, and what an interval holds."""

import numpy as np
import pytest

from scones_core.errors import TrainingError
from scones_demand.generator import generate_hours
from scones_demand.hours import Hours
from scones_demand.validation import (
    BlockForecast,
    Fold,
    blocked_folds,
    conformity,
    rmsle,
    validate,
    widening,
)


def test_a_fold_knows_no_hour_of_its_block_and_none_after_it(known: Hours) -> None:
    folds = blocked_folds(known)
    assert [fold.name for fold in folds] == ["2023-03", "2023-04", "2023-05", "2023-06"]
    for fold in folds:
        assert known.hour[fold.train].max() < known.hour[fold.test].min()
        assert set(known.day_of_month()[fold.test]) == set(range(9, 20))
        assert len(set(known.month()[fold.test])) == 1


def test_every_other_fold_keeps_the_newest_month(known: Hours) -> None:
    assert [fold.name for fold in blocked_folds(known, every=2)] == ["2023-04", "2023-06"]


def test_too_few_days_to_judge_by_are_refused() -> None:
    with pytest.raises(
        TrainingError, match="has 20 days, too few to validate a model: it needs 45 days"
    ):
        blocked_folds(generate_hours(days=20))


def test_the_score_compares_logarithms() -> None:
    assert rmsle(np.array([1.0, 3.0]), np.array([1.0, 3.0])) == 0
    expected = np.sqrt(np.log(2) ** 2 / 2)
    assert rmsle(np.array([1.0, 3.0]), np.array([3.0, 3.0])) == pytest.approx(expected)


def test_widening_makes_an_interval_hold_its_share() -> None:
    draw = np.random.default_rng(0)
    truth, edge = draw.normal(size=4000), np.full(4000, 0.1)
    wider = widening(conformity(truth[:2000], -edge[:2000], edge[:2000]), 0.9)
    inside = np.abs(truth[2000:]) <= 0.1 + wider
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert widening(np.empty(0), 0.9) == 0


def test_an_interval_is_widened_by_earlier_blocks_alone(known: Hours) -> None:
    folds = blocked_folds(known)
    truth = np.log1p(known.values["count"])

    def fit(fold: Fold) -> BlockForecast:
        # Exact but for the last block, whose miss must not help itself.
        off = 5.0 if fold is folds[-1] else 0.0
        at = truth[fold.test] + off
        return BlockForecast(at, at, at)

    found = validate(known, folds, fit, 0.9)
    assert [score.coverage for score in found.folds] == [1, 1, 1, 0]
    assert found.widening > 0
    assert (found.count >= 0).all()
