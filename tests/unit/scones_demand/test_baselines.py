"""The simpler learners know no more than a fold's training hours."""

from dataclasses import replace

import numpy as np

from scones_demand.baselines import baselines
from scones_demand.hours import Hours
from scones_demand.validation import blocked_folds


def test_the_demand_of_a_block_changes_none_of_its_forecasts(known: Hours) -> None:
    fold = blocked_folds(known)[0]
    other = {n: np.where(fold.train, v, 0.0) for n, v in known.values.items() if n == "count"}
    changed = replace(known, values={**known.values, **other})
    for name, learner in baselines(known).items():
        found = learner(fold).middle
        assert found.shape == (fold.test.sum(),)
        np.testing.assert_allclose(baselines(changed)[name](fold).middle, found)
