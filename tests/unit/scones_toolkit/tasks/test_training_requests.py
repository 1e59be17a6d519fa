import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from scones_core.errors import TrainingError
from scones_core.manifest import Manifest, ManifestRow
from scones_core.settings import TrainingSettings
from scones_toolkit.tasks.training_requests import recipe
from scones_train.training.hyperparameters import RECIPES, Hyperparameters

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
    assert (asked.epochs, asked.folds, asked.ensemble) == (default.epochs, default.folds, 1)
    assert asked.dataset_version == MANIFEST.version


def test_the_best_recipe_sets_what_it_sets_otherwise() -> None:
    asked = recipe(MANIFEST, TrainingSettings(recipe="best"))
    assert {name: getattr(asked, name) for name in RECIPES["best"]} == RECIPES["best"]
    assert asked != recipe(MANIFEST, TrainingSettings())


def test_a_setting_of_its_own_beats_the_recipe() -> None:
    settings = replace(TrainingSettings(recipe="best"), epochs=3, folds=0)
    asked = recipe(MANIFEST, settings)
    assert (asked.epochs, asked.folds, asked.width) == (3, 0, 64)


def _images(train: int, validation: int) -> Manifest:
    rows = tuple(
        replace(MANIFEST.rows[0], key=f"{split}/{number}", split=split, source_row=number)
        for split, count in (("train", train), ("validation", validation))
        for number in range(count)
    )
    return replace(MANIFEST, rows=rows)


@pytest.mark.parametrize(
    ("images", "max_steps", "folds", "epochs"),
    [
        ((640, 0), 0, 0, 24),
        ((640, 0), 1000, 0, 24),
        ((640, 0), 100, 0, 10),
        ((600, 40), 100, 3, 10),
        ((6400, 0), 250, 0, 2),
        ((6400, 0), 7, 0, 1),
    ],
)
def test_a_bound_on_the_steps_takes_epochs_from_many_images(
    images: tuple[int, int], max_steps: int, folds: int, epochs: int
) -> None:
    settings = TrainingSettings(max_steps=max_steps, folds=folds, epochs=24, batch_size=64)
    assert recipe(_images(*images), settings).epochs == epochs


def test_a_bound_below_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="max_steps must be 0 or more"):
        recipe(MANIFEST, TrainingSettings(max_steps=-1))


def test_images_that_are_no_flip_images_are_told_of() -> None:
    assert recipe(MANIFEST, TrainingSettings()).horizontal_flip == 1
    assert recipe(MANIFEST, TrainingSettings(horizontal_flip=False)).horizontal_flip == 0


def test_weights_are_told_of_by_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    path.write_bytes(b"weights")
    asked = recipe(MANIFEST, TrainingSettings(weights=str(path), backbone="finetuned"))
    assert asked.backbone == "finetuned"
    assert asked.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert recipe(MANIFEST, TrainingSettings()).backbone == ""


@pytest.mark.parametrize(
    ("name", "backbone", "named"),
    [
        ("absent.pth", "frozen", "no weights file"),
        ("notes.txt", "frozen", "name ends in"),
        ("w.pth", "thawed", "backbone must be frozen"),
    ],
)
def test_weights_that_cannot_be_are_refused_before_a_machine_starts(
    tmp_path: Path, name: str, backbone: str, named: str
) -> None:
    for file in ("notes.txt", "w.pth"):
        (tmp_path / file).write_bytes(b"x")
    with pytest.raises(TrainingError, match=named):
        recipe(MANIFEST, TrainingSettings(weights=str(tmp_path / name), backbone=backbone))


def test_an_unknown_recipe_is_named_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match=r"no recipe 'worst'; there are default, best"):
        recipe(MANIFEST, TrainingSettings(recipe="worst"))
