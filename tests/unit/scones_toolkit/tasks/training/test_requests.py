import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save

from scones_core.errors import TrainingError
from scones_core.manifest import Manifest, ManifestRow
from scones_core.settings import TrainingSettings
from scones_toolkit.tasks.training.requests import recipe
from scones_train.model.resnet import ResNet18
from scones_train.training.hyperparameters import Hyperparameters

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


def test_a_recipe_leaves_open_what_no_setting_says() -> None:
    asked, default = recipe(MANIFEST, TrainingSettings()), Hyperparameters()
    assert replace(asked, dataset_version="", manifest_sha256="") == default
    assert asked.dataset_version == MANIFEST.version


def test_a_setting_of_its_own_beats_the_recipe() -> None:
    settings = TrainingSettings(recipe="scratch", epochs=3, folds=0, batch_size=16, max_steps=50)
    asked = recipe(MANIFEST, settings)
    assert (asked.recipe, asked.epochs, asked.folds) == ("scratch", 3, 0)
    assert (asked.batch_size, asked.max_steps) == (16, 50)


def test_a_bound_below_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="max_steps must be 0 or more"):
        recipe(MANIFEST, TrainingSettings(max_steps=-1))


def test_horizontal_flips_are_a_setting() -> None:
    assert recipe(MANIFEST, TrainingSettings()).horizontal_flip == 1
    assert recipe(MANIFEST, TrainingSettings(horizontal_flip=False)).horizontal_flip == 0


def test_weights_are_named_by_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    network = ResNet18(len(MANIFEST.classes), side=(32, 32), horizontal_flip=True)
    named = {key.replace("head.", "fc."): value for key, value in network.state_dict().items()}
    path.write_bytes(weights := save(named))
    asked = recipe(MANIFEST, TrainingSettings(weights=str(path)))
    assert asked.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert recipe(MANIFEST, TrainingSettings()).weights_sha256 == ""


@pytest.mark.parametrize(
    ("name", "named"),
    [("absent.pth", "no weights file"), ("notes.txt", "name must end in")],
)
def test_invalid_weights_are_refused_before_an_instance_starts(
    tmp_path: Path, name: str, named: str
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(TrainingError, match=named):
        recipe(MANIFEST, TrainingSettings(weights=str(tmp_path / name)))


def test_an_unknown_recipe_is_named_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match="one of auto, pretrained, scratch, not worst"):
        recipe(MANIFEST, TrainingSettings(recipe="worst"))
