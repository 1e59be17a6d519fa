"""AutoGluon as the learner; the embedded AWS's small `autogluon` stands for the package."""

import sys
from pathlib import Path

import numpy as np
import pytest

from local_aws.sagemaker.algorithms.autogluon_image.__main__ import PACKAGES
from scones_core.errors import DatasetError, MalformedArtifact, TrainingError
from scones_demand import autogluon
from scones_demand.autogluon import AutoGluonModel, AutoGluonSettings
from scones_demand.features import FEATURES, feature_matrix
from scones_demand.fit import permutation_importance
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import Hours

QUICK = AutoGluonSettings(fold_every=24)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES))
    for name in ("autogluon", "autogluon.tabular"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture(scope="module")
def hours() -> tuple[Hours, Hours]:
    return competition_split(generate_hours(days=120))


@pytest.mark.usefixtures("installed")
def test_a_predictor_is_scored_by_the_blocks_kept_and_read_back(
    hours: tuple[Hours, Hours], tmp_path: Path
) -> None:
    known, asked = hours
    done: list[int] = []
    card, validated = autogluon.train(
        known, QUICK, tmp_path, lambda number, _total, _score: done.append(number)
    )
    assert len(done) == len(validated.folds) == card.metrics["folds"]
    assert card.settings["algorithm"] == autogluon.ALGORITHM

    assert autogluon.is_autogluon(tmp_path)
    model = AutoGluonModel.read(tmp_path)
    found = model.forecast(asked)
    assert len(found.riders) == len(asked)
    assert (found.low >= 0).all()
    assert (found.low <= found.riders).all()
    assert (found.riders <= found.high).all()
    assert np.ptp(found.riders) > 0
    model.require_new(asked)
    with pytest.raises(DatasetError, match="the model was trained on"):
        model.require_new(known)
    importance = permutation_importance(model, known, features=("hour", "windspeed"))
    assert importance["hour"] > importance["windspeed"]


@pytest.mark.usefixtures("installed")
def test_an_unknown_weather_is_an_empty_cell(hours: tuple[Hours, Hours], tmp_path: Path) -> None:
    matrix = feature_matrix(hours[0])[:2]
    matrix[0, FEATURES.index("weather")] = np.nan
    written = Path(autogluon._table(tmp_path, matrix)).read_text().splitlines()
    assert written[0].split(",") == list(FEATURES)
    assert written[1].split(",")[FEATURES.index("weather")] == ""
    assert written[2].split(",")[FEATURES.index("weather")] != ""


def test_without_autogluon_the_command_that_installs_it_is_named(
    hours: tuple[Hours, Hours], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "autogluon.tabular", None)
    with pytest.raises(TrainingError, match="AutoGluon is not installed") as refused:
        autogluon.train(hours[0], QUICK, tmp_path)
    # Not whichever Python the shell finds first.
    assert f"{sys.executable} -m pip install 'autogluon.tabular" in str(refused.value)


@pytest.mark.usefixtures("installed")
def test_what_cannot_be_trained_on_is_refused(hours: tuple[Hours, Hours], tmp_path: Path) -> None:
    known, asked = hours
    with pytest.raises(TrainingError, match="no columns casual"):
        autogluon.train(asked, QUICK, tmp_path)
    with pytest.raises(TrainingError, match="time limit of"):
        autogluon.train(known, AutoGluonSettings(time_limit=1), tmp_path)
    with pytest.raises(MalformedArtifact, match=r"demand\.json"):
        AutoGluonModel.read(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"presets": "wonderful"}, "presets are medium_quality"),
        ({"coverage": "2"}, "from 0.5 to 0.99"),
        ({"fold_every": "0"}, "from 1 to 24"),
        ({"time_limit": "soon"}, "must be an integer"),
        ({"max_iter": "5"}, "no hyperparameter 'max_iter'"),
    ],
)
def test_a_setting_out_of_its_range_is_named(given: dict[str, str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        AutoGluonSettings.parse(given)


def test_settings_survive_a_jobs_strings() -> None:
    settings = AutoGluonSettings(time_limit=90, coverage=0.8)
    platform = {"sagemaker_program": '"train.py"'}
    assert AutoGluonSettings.parse({**settings.strings(), **platform}) == settings
