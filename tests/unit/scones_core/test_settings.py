from pathlib import Path

import pytest

from scones_core.errors import SettingsError
from scones_core.settings import Settings


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "scones.toml"
    path.write_text(text)
    return Settings.load(path, environ or {})


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert Settings.load(tmp_path / "absent.toml", {}) == Settings()


def test_the_file_beats_the_default_and_the_environment_the_file(tmp_path: Path) -> None:
    text = "[training]\nepochs = 3\nseed = 5"
    settings = load(tmp_path, text, {"SCONES_TRAINING_EPOCHS": "7"})
    assert (settings.training.epochs, settings.training.seed) == (7, 5)


def test_a_flag_beats_everything_and_an_absent_flag_nothing(tmp_path: Path) -> None:
    settings = load(tmp_path, "[training]\nepochs = 3\nseed = 5")
    changed = settings.override("training", epochs=9, seed=None)
    assert (changed.training.epochs, changed.training.seed) == (9, 5)


def test_lists_and_optional_numbers_come_from_both_places(tmp_path: Path) -> None:
    settings = load(tmp_path, '[dataset]\nclasses = ["a", "b"]\n[workflow]\nthreshold = 1')
    assert settings.dataset.classes == ("a", "b")
    assert settings.workflow.threshold == 1.0
    settings = load(
        tmp_path, "", {"SCONES_DATASET_CLASSES": "bus, tram", "SCONES_WORKFLOW_THRESHOLD": ".9"}
    )
    assert settings.dataset.classes == ("bus", "tram")
    assert settings.workflow.threshold == 0.9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nepoch = 3", ["epoch", "training", "epochs"]),
        ("[trainin]\nepochs = 3", ["[trainin]", "training"]),
        ("training = 3", ["training", "section"]),
        ('[training]\nepochs = "3"', ["training.epochs", "whole number"]),
        ("[training]\nepochs = true", ["training.epochs", "whole number"]),
        ("[dataset]\nclasses = [1]", ["dataset.classes", "list of texts"]),
        ("[training", ["scones.toml"]),
    ],
)
def test_a_wrong_file_is_refused_with_its_place_and_the_remedy(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert all(word in str(caught.value) for word in words)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SCONES_TRAINING_EPOCHS must be a whole number"):
        load(tmp_path, "", {"SCONES_TRAINING_EPOCHS": "many"})


def test_a_misspelt_variable_is_named_and_others_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SCONES_TRAINING_EPOCH sets nothing.*epochs"):
        load(tmp_path, "", {"SCONES_TRAINING_EPOCH": "3"})
    assert load(tmp_path, "", {"SCONES_CIFAR100": "x", "TRAINING_EPOCH": "3"}) == Settings()


def test_the_projects_own_file_is_valid() -> None:
    root = Path(__file__).parents[3]
    assert Settings.load(root / "scones.toml", {}).dataset.classes == ("bicycle", "motorcycle")
