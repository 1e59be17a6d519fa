import pytest

from scones_core.errors import TrainingError
from scones_train.training.hyperparameters import Hyperparameters


def test_strings_are_read_back_as_the_same_settings():
    settings = Hyperparameters(classes=("cat", "dog", "eel"), epochs=3, seed=9, folds=4)
    strings = settings.strings()
    assert all(isinstance(value, str) for value in strings.values())
    assert Hyperparameters.parse(strings) == settings


def test_absent_values_keep_their_defaults():
    assert Hyperparameters.parse({"epochs": "2"}) == Hyperparameters(epochs=2)


def test_keys_of_the_platform_are_passed_over():
    given = {"sagemaker_program": '"train.py"', "seed": "4"}
    assert Hyperparameters.parse(given).seed == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "many"),
        ("epochs", "0"),
        ("epochs", 3),
        ("target_precision", "1.0"),
        ("target_precision", "nan"),
        ("muon_lr", "inf"),
        ("seed", "-1"),
        ("folds", "1"),
        ("precision", "float16"),
        ("classes", "bicycle"),
        ("classes", '["bicycle"]'),
        ("classes", '["a", 3]'),
        ("learning_rat", "0.1"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name, value):
    with pytest.raises(TrainingError, match=name):
        Hyperparameters.parse({name: value})
