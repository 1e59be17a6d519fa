from dataclasses import fields
from pathlib import Path

import pytest

from scones_core.errors import SettingsError
from scones_core.settings import CostSettings, Settings


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
    ("text", "message"),
    [
        ("[training]\nepoch = 3", ["epoch", "training", "epochs"]),
        ("[trainin]\nepochs = 3", ["[trainin]", "training"]),
        ("training = 3", ["training", "section"]),
        ('[training]\nepochs = "3"', ["training.epochs", "an integer"]),
        ("[training]\nepochs = true", ["training.epochs", "an integer"]),
        ("[dataset]\nclasses = [1]", ["dataset.classes", "list of strings"]),
        ("[training", ["scones.toml"]),
    ],
)
def test_a_wrong_file_is_refused_with_its_place_and_the_remedy(
    tmp_path: Path, text: str, message: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert all(word in str(caught.value) for word in message)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SCONES_TRAINING_EPOCHS must be an integer"):
        load(tmp_path, "", {"SCONES_TRAINING_EPOCHS": "many"})


def test_a_misspelt_variable_is_named_and_others_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SCONES_TRAINING_EPOCH sets nothing.*epochs"):
        load(tmp_path, "", {"SCONES_TRAINING_EPOCH": "3"})
    assert load(tmp_path, "", {"SCONES_CIFAR100": "x", "TRAINING_EPOCH": "3"}) == Settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("SCONES_TRAIN_EPOCHS", "SCONES_TRAINING_EPOCHS"),
        ("SCONES_DATASETS_SEED", "SCONES_DATASET_SEED"),
        ("SCONES_EPOCHS", "SCONES_<SECTION>_<KEY>"),
        ("SCONES_CIFAR10", "SCONES_CIFAR100"),
        ("SCONES_", "SCONES_<SECTION>_<KEY>"),
    ],
)
def test_a_variable_of_no_section_is_named_with_the_nearest(
    tmp_path: Path, name: str, near: str
) -> None:
    with pytest.raises(SettingsError, match=f"{name} sets nothing") as caught:
        load(tmp_path, "", {name: "3"})
    assert near in str(caught.value)


@pytest.mark.parametrize(
    "name", ["SCONES_CIFAR100", "SCONES_IAM", "SCONES_BIND_HOST", "SCONES_TERRAFORM_MIRROR"]
)
def test_variables_that_mean_something_else_are_left_alone(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, "", {name: "x", "SCONE_X": "y"}) == Settings()


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scones.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\r\nepochs = 3\r\n")
    assert Settings.load(path, {}).training.epochs == 3


def test_names_of_the_source_are_mapped_to_class_names(tmp_path: Path) -> None:
    settings = load(tmp_path, '[dataset.class_names]\n"sports car" = "sports_car"\n"Café" = "cafe"')
    assert settings.dataset.class_names == {"sports car": "sports_car", "Café": "cafe"}
    settings = load(tmp_path, "", {"SCONES_DATASET_CLASS_NAMES": "sports car=car, C++ = cpp"})
    assert settings.dataset.class_names == {"sports car": "car", "C++": "cpp"}


@pytest.mark.parametrize("text", ["car", "a=b,car", "a=b,a=c"])
def test_a_mapping_without_an_equals_sign_or_with_a_name_twice_is_refused(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match="SCONES_DATASET_CLASS_NAMES must be a table"):
        load(tmp_path, "", {"SCONES_DATASET_CLASS_NAMES": text})
    with pytest.raises(SettingsError, match=r"dataset\.class_names must be a table"):
        load(tmp_path, "[dataset.class_names]\na = 1")


def test_the_projects_own_file_is_valid() -> None:
    root = Path(__file__).parents[3]
    assert Settings.load(root / "scones.toml", {}).dataset.classes == ("bicycle", "motorcycle")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[quality]\nmin_accuracy = nan", "quality.min_accuracy must be a finite number, not nan"),
        ("[quality]\nmax_calibration_error = inf", "must be a finite number, not inf"),
        ("[quality]\nmin_accuracy = 85", "min_accuracy must be from 0 to 1, not 85"),
        ("[workflow]\nthreshold = -0.5", "threshold must be from 0 to 1, not -0.5"),
        ("[dataset]\nvalidation_fraction = 10", "must be from 0 to 1, not 10"),
        ("[dataset]\nupload_workers = 0", "upload_workers must be from 1 to 256, not 0"),
        ("[cost]\nimages = -4", "cost.images must be 0 or more, not -4"),
        ("[cost]\nrecords_per_file = 0", "cost.records_per_file must be 1 or more, not 0"),
        ("[local]\nport = 70000", "local.port must be from 0 to 65535, not 70000"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_a_number_that_its_setting_cannot_have_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, text)


def test_each_number_of_the_use_that_costs_are_estimated_for_has_a_range(tmp_path: Path) -> None:
    for field in fields(CostSettings):
        with pytest.raises(SettingsError, match=rf"cost\.{field.name} must be "):
            load(tmp_path, f"[cost]\n{field.name} = -1")


def test_a_number_of_a_variable_is_checked_alike(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SCONES_QUALITY_MIN_ACCURACY must be a finite number"):
        load(tmp_path, "", {"SCONES_QUALITY_MIN_ACCURACY": "NaN"})
    with pytest.raises(SettingsError, match="SCONES_WORKFLOW_THRESHOLD must be from 0 to 1"):
        load(tmp_path, "", {"SCONES_WORKFLOW_THRESHOLD": "90"})


def test_a_number_of_a_flag_is_checked_alike() -> None:
    with pytest.raises(SettingsError, match=r"quality\.min_accuracy must be a finite number"):
        Settings().override("quality", min_accuracy=float("nan"))


@pytest.mark.parametrize("name", ["scones_training_epochs", "Scones_Training_Epochs"])
def test_a_variable_in_another_case_is_named_with_the_right_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} sets nothing: write SCONES_TRAINING_EPOCHS"):
        load(tmp_path, "", {name: "3"})


def test_a_list_of_a_variable_may_be_json(tmp_path: Path) -> None:
    settings = load(tmp_path, "", {"SCONES_DATASET_CLASSES": '["bus", "tram"]'})
    assert settings.dataset.classes == ("bus", "tram")
    for text in ("[bus, tram]", '["bus", 1]', "[" * 100_000):
        with pytest.raises(SettingsError, match="must be a list of strings"):
            load(tmp_path, "", {"SCONES_DATASET_CLASSES": text})


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "scones.toml"
    path.mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        Settings.load(path, {})
    path.rmdir()
    path.write_text("[dataset]\nseed = 1", encoding="utf-16")
    with pytest.raises(SettingsError, match=r"is not UTF-8: .* Save it as UTF-8"):
        Settings.load(path, {})
