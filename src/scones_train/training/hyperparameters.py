"""Hyperparameters of a training job: every value arrives as a string."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from scones_core.errors import SettingsError, TrainingError
from scones_core.labels import LabelSet
from scones_core.limits import HYPERPARAMETER_CHARACTERS

# `auto` takes `pretrained` for colour images where weights are there, else `scratch`.
RECIPES = ("auto", "pretrained", "scratch")

# Keys that the platform's own SDK adds to every job, and SageMaker to a tuning job's.
PLATFORM_PREFIXES = ("sagemaker_", "_tuning_")
# What the SDK sends for a value that was left at None.
JSON_NULL = "null"
# Integers that are 0 or 1.
FLAGS = ("horizontal_flip",)


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The recipe's settings; raises TrainingError for a value out of its range.

    `classes` gives the model's label order. `recipe` is one of RECIPES
    (`scones_train.training.recipes`). `epochs` and `batch_size` of 0 are the recipe's own;
    `max_steps` above 0 bounds the training of each network by fewer epochs, or by one that is cut.
    `learning_rate_scale` multiplies the recipe's peak learning rates. `folds` is the number of
    trainings whose predictions for the images that they hold out calibrate the model; 0
    calibrates on the validation channel, which the network then is not trained on.
    `horizontal_flip` 0 turns off flips in training and answering (digits, text).
    `weights_sha256` is the hash of the file in the channel `weights`, where one is given.
    `device` is `auto`, `cpu` or `cuda`, `precision` `auto`, `float32` or `bfloat16`.
    """

    classes: tuple[str, ...] = ("bicycle", "motorcycle")
    recipe: str = "auto"
    epochs: int = 0
    batch_size: int = 0
    max_steps: int = 0
    learning_rate_scale: float = 1.0
    label_smoothing: float = 0.05
    seed: int = 0
    target_precision: float = 0.99
    folds: int = 4
    horizontal_flip: int = 1
    weights_sha256: str = ""
    precision: str = "auto"
    device: str = "auto"
    dataset_version: str = ""
    manifest_sha256: str = ""

    def __post_init__(self) -> None:
        try:
            LabelSet.of(self.classes)
        except SettingsError as error:
            raise TrainingError(f"Hyperparameter classes: {error}") from error
        for name, (allowed, constraint) in _RANGES.items():
            value = getattr(self, name)
            if not allowed(value):
                raise TrainingError(f"Hyperparameter {name} must be {constraint}, not {value}.")

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Return the settings that these strings stand for; those absent keep their default.

        SageMaker's SDK may encode each value as JSON once more, in quotes of its own, a flag as
        `true` or `false`, and None as `null`; a search may write integers as `3.0`.
        """
        kinds = {field.name: _PARSERS[field.type] for field in fields(cls)}
        kinds |= dict.fromkeys(FLAGS, _flag)
        values: dict[str, Any] = {}
        for name, text in _joined(given).items():
            if name.startswith(PLATFORM_PREFIXES) or text == JSON_NULL:
                continue
            if name not in kinds:
                raise TrainingError(
                    f"There is no hyperparameter {name!r}; there are {', '.join(kinds)}."
                )
            values[name] = _parsed(name, text, kinds[name])
        return cls(**values)

    def strings(self) -> dict[str, str]:
        """Return the settings as CreateTrainingJob takes them; `parse` reads them back.

        Class names too long for one value are continued under `classes_2`, `classes_3`, ...
        """
        values = {name: str(value) for name, value in asdict(self).items() if name != "classes"}
        text = json.dumps(self.classes)
        parts = [
            text[start : start + HYPERPARAMETER_CHARACTERS]
            for start in range(0, len(text), HYPERPARAMETER_CHARACTERS)
        ]
        names = ["classes", *(f"classes_{number}" for number in range(2, len(parts) + 1))]
        return {**dict(zip(names, parts, strict=True)), **values}


def _joined(given: Mapping[str, str]) -> dict[str, str]:
    """Return the hyperparameters with the parts of the class names put together."""
    values, number = dict(given), 2
    while (part := values.pop(f"classes_{number}", None)) is not None:
        values["classes"] = values.get("classes", "") + part
        number += 1
    return values


def _parsed(name: str, text: object, parser: Callable[[str], Any]) -> Any:
    if not isinstance(text, str):
        raise TrainingError(f"Hyperparameter {name} must be a string, not {text!r:.80}.")
    for candidate in (text, _decoded(text)):
        try:
            return parser(candidate)
        except ValueError:
            continue
    type_names = {_integer: "an integer", _flag: "0 or 1", float: "a number"}
    type_name = type_names.get(parser, "a JSON list of names")
    raise TrainingError(f"Hyperparameter {name} must be {type_name}, not {text!r:.80}.")


def _decoded(text: str) -> str:
    """Return the string that a JSON string stands for, the text itself where it is not one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _string(text: str) -> str:
    return _decoded(text) if text.startswith('"') else text


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _flag(text: str) -> int:
    flags = {"true": 1, "false": 0}
    lowered = text.strip().lower()
    return flags[lowered] if lowered in flags else _integer(text)


def _names(text: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except RecursionError as error:
        raise ValueError from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return tuple(names)


_PARSERS: dict[Any, Callable[[str], Any]] = {
    int: _integer,
    float: float,
    str: _string,
    tuple[str, ...]: _names,
}
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "recipe": (lambda value: value in RECIPES, f"one of {', '.join(RECIPES)}"),
    "epochs": (lambda value: 0 <= value <= 1000, "0 to 1000"),
    "batch_size": (lambda value: value == 0 or 2 <= value <= 4096, "0 or 2 to 4096"),
    "max_steps": (lambda value: value >= 0, "0 or more"),
    "learning_rate_scale": (lambda value: 0 < value < math.inf, "above 0"),
    "label_smoothing": (lambda value: 0 <= value < 1, "at least 0 and below 1"),
    "seed": (lambda value: 0 <= value < 2**32, "0 to 4294967295"),
    "target_precision": (lambda value: 0.5 <= value < 1, "at least 0.5 and below 1"),
    "folds": (lambda value: value == 0 or 2 <= value <= 20, "0 or 2 to 20"),
    "horizontal_flip": (lambda value: value in (0, 1), "0 or 1"),
    "precision": (
        lambda value: value in ("auto", "float32", "bfloat16"),
        "auto, float32 or bfloat16",
    ),
    "device": (lambda value: value in ("auto", "cpu", "cuda"), "auto, cpu or cuda"),
}
