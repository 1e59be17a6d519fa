"""What a training job is told: every value arrives as a string."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from scones_core.errors import SettingsError, TrainingError
from scones_core.labels import LabelSet

# What each recipe sets otherwise than the default does.
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "best": {"width": 64, "folds": 5},
}

# Keys that the platform's own SDK adds to every job, and SageMaker to a tuning job's.
PLATFORM_PREFIXES = ("sagemaker_", "_tuning_")


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The recipe's settings; raises TrainingError for a value out of its range.

    `classes` gives the model's label order. `folds` is the number of trainings whose predictions
    for images they hold out are calibrated on; 0 calibrates on the validation channel, which the
    one network then does not learn from. With `ensemble` 1 the model is the mean of the folds'
    networks, with 0 one more network that learns from all images, at a fraction of the latency;
    what begins with a backbone is always one network.

    `width` is the number of channels of the network's first group. `shape` and `texture` are how
    much the kernel machines on the edges and on the patches of an image have to say beside this
    project's own network (`scones_train.model.kernel_machine`); 0 leaves one out.

    `horizontal_flip` 0 turns off flips in training and answering (digits, text). `stem` is how
    many pixels a side the first layer takes at a time, 0 as the images' size asks for it.
    `backbone` is empty for this project's own network, or `frozen` or `finetuned` for the
    ResNet-18 whose weights are in the channel `weights`, a file with that SHA-256 where given.
    `backbone_lr` is the rate of fine-tuning. `device` is `auto`, `cpu` or `cuda`.
    """

    classes: tuple[str, ...] = ("bicycle", "motorcycle")
    epochs: int = 20
    batch_size: int = 64
    seed: int = 0
    target_precision: float = 0.99
    label_smoothing: float = 0.03
    muon_lr: float = 0.25
    head_lr: float = 0.67
    bias_lr: float = 0.05
    precision: str = "auto"
    width: int = 32
    shape: float = 0.75
    texture: float = 0.5
    folds: int = 4
    ensemble: int = 1
    horizontal_flip: int = 1
    stem: int = 0
    backbone: str = ""
    backbone_lr: float = 0.0003
    weights_sha256: str = ""
    device: str = "auto"
    dataset_version: str = ""
    manifest_sha256: str = ""

    def __post_init__(self) -> None:
        try:
            LabelSet.of(self.classes)
        except SettingsError as error:
            raise TrainingError(f"Hyperparameter classes: {error}") from error
        for name, (allowed, words) in _RANGES.items():
            value = getattr(self, name)
            if not allowed(value):
                raise TrainingError(f"Hyperparameter {name} must be {words}, not {value}.")

    @property
    def one_network(self) -> bool:
        """Whether the model is one network of all images, and no mean of the folds'."""
        return bool(not self.ensemble or not self.folds or self.backbone)

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Return the settings that these strings stand for; those absent keep their default."""
        kinds = {field.name: _PARSERS[field.type] for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in given.items():
            if name.startswith(PLATFORM_PREFIXES):
                continue
            if name not in kinds:
                raise TrainingError(
                    f"There is no hyperparameter {name!r}; there are {', '.join(kinds)}."
                )
            values[name] = _parsed(name, text, kinds[name])
        return cls(**values)

    def strings(self) -> dict[str, str]:
        """Return the settings as CreateTrainingJob takes them; `parse` reads them back."""
        return {
            name: json.dumps(value) if isinstance(value, tuple) else str(value)
            for name, value in asdict(self).items()
        }


def _parsed(name: str, text: object, parser: Callable[[str], Any]) -> Any:
    try:
        if not isinstance(text, str):
            raise ValueError
        return parser(text)
    except ValueError as error:
        word = {int: "a whole number", float: "a number"}.get(parser, "a JSON list of names")  # type: ignore[call-overload]
        raise TrainingError(f"Hyperparameter {name} must be {word}, not {text!r:.80}.") from error


def _names(text: str) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return tuple(names)


_PARSERS: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: str,
    tuple[str, ...]: _names,
}
_POSITIVE = (lambda value: 0 < value < math.inf, "above 0")
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epochs": (lambda value: 1 <= value <= 1000, "1 to 1000"),
    "batch_size": (lambda value: 2 <= value <= 4096, "2 to 4096"),
    "seed": (lambda value: 0 <= value < 2**32, "0 to 4294967295"),
    "target_precision": (lambda value: 0.5 <= value < 1, "at least 0.5 and below 1"),
    "label_smoothing": (lambda value: 0 <= value < 1, "at least 0 and below 1"),
    "muon_lr": _POSITIVE,
    "head_lr": _POSITIVE,
    "bias_lr": _POSITIVE,
    "backbone_lr": _POSITIVE,
    "width": (lambda value: 4 <= value <= 1024, "4 to 1024"),
    "shape": (lambda value: 0 <= value <= 10, "0 to 10"),
    "texture": (lambda value: 0 <= value <= 10, "0 to 10"),
    "precision": (
        lambda value: value in ("auto", "float32", "bfloat16"),
        "auto, float32 or bfloat16",
    ),
    "folds": (lambda value: value == 0 or 2 <= value <= 20, "0 or 2 to 20"),
    "ensemble": (lambda value: value in (0, 1), "0 or 1"),
    "horizontal_flip": (lambda value: value in (0, 1), "0 or 1"),
    "stem": (lambda value: 0 <= value <= 16, "0 to 16"),
    "backbone": (
        lambda value: value in ("", "frozen", "finetuned"),
        "frozen, finetuned or empty",
    ),
    "device": (lambda value: value in ("auto", "cpu", "cuda"), "auto, cpu or cuda"),
}
