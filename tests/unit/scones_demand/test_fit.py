"""Training: it beats what needs no learning, and hyperparameters are checked."""

import numpy as np
import pytest

from scones_core.errors import TrainingError
from scones_demand.fit import DemandSettings, permutation_importance, train
from scones_demand.hours import Hours
from scones_demand.model import DemandModel
from scones_demand.validation import rmsle


def test_the_model_beats_the_mean_of_each_hour_on_later_days(
    model: DemandModel, known: Hours
) -> None:
    truth = known.values["count"]
    logs = [np.log1p(truth[known.hour % 24 == clock]).mean() for clock in range(24)]
    naive = rmsle(np.expm1(np.array(logs)[known.hour % 24]), truth)
    assert model.card.metrics["rmsle"] < 0.8 * naive
    assert model.card.metrics["folds"] == 2


def test_the_same_seed_gives_the_same_model(known: Hours, model: DemandModel) -> None:
    again = train(known, DemandSettings(**model.card.settings))[0]
    np.testing.assert_array_equal(again.forecast(known).riders, model.forecast(known).riders)


def test_the_hour_matters_most_and_is_named_first(model: DemandModel, known: Hours) -> None:
    found = permutation_importance(model, known)
    assert next(iter(found)) == "hour"
    assert found["hour"] > 0.3


def test_hours_without_demand_are_nothing_to_learn_from(asked: Hours) -> None:
    with pytest.raises(TrainingError, match="no columns casual, registered and count"):
        train(asked, DemandSettings())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_iter": "0"}, "max_iter must be from 1 to 5000, not 0"),
        ({"max_iter": "many"}, "max_iter must be an integer, not 'many'"),
        ({"coverage": "x"}, "coverage must be a number"),
        ({"learning_rate": "nan"}, "learning_rate must be from"),
        ({"depth": "3"}, "There is no hyperparameter 'depth'"),
    ],
)
def test_a_hyperparameter_that_cannot_be_is_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        DemandSettings.parse(given)


def test_settings_survive_their_way_through_a_job() -> None:
    settings = DemandSettings(seed=3, coverage=0.8)
    assert DemandSettings.parse({**settings.strings(), "sagemaker_region": "x"}) == settings
