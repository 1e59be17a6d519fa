from dataclasses import replace

import pytest

from scones_core.errors import TrainingError
from scones_core.manifest import Manifest, ManifestRow
from scones_core.settings import TrainingSettings
from scones_toolkit.requests import recipe
from scones_train.hyperparameters import RECIPES, Hyperparameters

MANIFEST = Manifest(
    version="0123456789ab",
    classes=("bicycle", "motorcycle"),
    source={"kind": "synthetic", "name": "drawn", "sha256": "0" * 64},
    settings={},
    rows=(
        ManifestRow(
            key="k", split="train", label="bicycle", sha256="1", source_row=0, source_name="a"
        ),
    ),
)


def test_without_a_word_the_default_recipe_is_asked_for() -> None:
    asked, default = recipe(MANIFEST, TrainingSettings()), Hyperparameters()
    assert (asked.epochs, asked.folds, asked.ensemble) == (default.epochs, default.folds, 0)
    assert asked.dataset_version == MANIFEST.version


def test_the_best_recipe_answers_by_the_mean_of_its_networks() -> None:
    asked = recipe(MANIFEST, TrainingSettings(recipe="best"))
    assert {name: getattr(asked, name) for name in RECIPES["best"]} == RECIPES["best"]
    assert asked.ensemble == 1


def test_a_setting_of_its_own_beats_the_recipe() -> None:
    settings = replace(TrainingSettings(recipe="best"), epochs=3, folds=0)
    asked = recipe(MANIFEST, settings)
    assert (asked.epochs, asked.folds, asked.ensemble) == (3, 0, 1)


def test_an_unknown_recipe_is_named_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match=r"no recipe 'worst'; there are default, best"):
        recipe(MANIFEST, TrainingSettings(recipe="worst"))
