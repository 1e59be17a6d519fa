from dataclasses import replace

import pytest

from scones_demand.fit import DemandSettings, train
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import Hours
from scones_demand.model import DemandModel

QUICK = DemandSettings(max_iter=12, learning_rate=0.3, max_leaf_nodes=8, fold_every=2)


@pytest.fixture(scope="session")
def known() -> Hours:
    """Days 1 to 19 of half a year, with their demand."""
    return competition_split(generate_hours(days=180))[0]


@pytest.fixture(scope="session")
def asked() -> Hours:
    return competition_split(generate_hours(days=180))[1]


@pytest.fixture(scope="session")
def model(known: Hours) -> DemandModel:
    return train(known, replace(QUICK))[0]
