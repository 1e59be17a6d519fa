"""The search: the settings that are there are tried first."""

from dataclasses import replace

import pytest

from scones_core.errors import TrainingError
from scones_demand.hours import Hours
from scones_demand.search import SEARCHED, search
from tests.unit.scones_demand.conftest import QUICK


def test_the_given_settings_are_the_first_trial(known: Hours) -> None:
    settings = replace(QUICK, max_iter=60, learning_rate=0.1, max_leaf_nodes=7)
    seen: list[int] = []
    found = search(known, settings, 1, lambda done, total, score: seen.append(done))
    assert seen == [1]
    assert 0 < found[0].rmsle < 2
    given = {name: getattr(settings, name) for name in SEARCHED}
    assert [dict(trial.values) for trial in found] == [given]


def test_a_search_of_no_trial_or_without_demand_is_refused(known: Hours, asked: Hours) -> None:
    with pytest.raises(TrainingError, match="1 to 500 trials, not 0"):
        search(known, QUICK, 0)
    with pytest.raises(TrainingError, match="no columns casual"):
        search(asked, QUICK, 1)
