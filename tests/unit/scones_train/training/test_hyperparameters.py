from typing import Any

import pytest

from scones_core.errors import TrainingError
from scones_train.training.hyperparameters import Hyperparameters


def test_strings_are_read_back_as_the_same_settings() -> None:
    settings = Hyperparameters(classes=("cat", "dog", "eel"), epochs=3, seed=9, folds=4)
    strings = settings.strings()
    assert all(isinstance(value, str) for value in strings.values())
    assert Hyperparameters.parse(strings) == settings


def test_absent_values_keep_their_defaults() -> None:
    assert Hyperparameters.parse({"epochs": "2"}) == Hyperparameters(epochs=2)


def test_keys_of_the_platform_are_passed_over() -> None:
    given = {"sagemaker_program": '"train.py"', "seed": "4"}
    assert Hyperparameters.parse(given).seed == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "many"),
        ("epochs", "-1"),
        ("epochs", 3),
        ("target_precision", "1.0"),
        ("target_precision", "nan"),
        ("learning_rate_scale", "inf"),
        ("learning_rate_scale", "0"),
        ("recipe", "best"),
        ("max_steps", "-1"),
        ("seed", "-1"),
        ("folds", "1"),
        ("precision", "float16"),
        ("classes", "bicycle"),
        ("classes", '["bicycle"]'),
        ("classes", '["a", 3]'),
        ("learning_rat", "0.1"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(TrainingError, match=name):
        Hyperparameters.parse({name: value})


def test_values_that_an_sdk_encoded_as_json_are_read() -> None:
    given = {"epochs": '"6"', "recipe": '"scratch"', "classes": '"[\\"a\\", \\"b\\"]"'}
    found = Hyperparameters.parse(given)
    assert (found.epochs, found.recipe, found.classes) == (6, "scratch", ("a", "b"))


def test_a_thousand_classes_are_shared_out_over_values_of_2500_characters() -> None:
    classes = tuple(f"species number {number:04}" for number in range(1000))
    strings = Hyperparameters(classes=classes).strings()
    assert max(map(len, strings.values())) <= 2500
    assert len(strings) <= 100
    assert Hyperparameters.parse(strings).classes == classes


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("horizontal_flip", "true", 1),
        ("horizontal_flip", "False", 0),
        ("horizontal_flip", '"false"', 0),
        ("epochs", "3.0", 3),
        ("epochs", "2e1", 20),
        ("epochs", "null", 0),
        ("dataset_version", '""', ""),
    ],
)
def test_values_are_read_as_clients_write_flags_absent_values_and_integers(
    name: str, text: str, value: int | str
) -> None:
    assert getattr(Hyperparameters.parse({name: text}), name) == value


@pytest.mark.parametrize("text", ["3.5", "inf", "nan", "", "true"])
def test_what_is_no_integer_stays_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="epochs must be an integer"):
        Hyperparameters.parse({"epochs": text})
