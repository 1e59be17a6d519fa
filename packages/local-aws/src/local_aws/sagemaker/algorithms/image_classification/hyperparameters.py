"""The documented hyperparameters, their defaults and ranges.

https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.algorithms.image_classification.errors import (
    CustomerError,
    invalid_hyperparameter,
)

LAYERS = (18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 200)
_REQUIRED = ("num_classes", "num_training_samples")
# What SageMaker itself adds to the jobs of a tuning job.
_PLATFORM_PREFIX = "_"
Rule = tuple[Callable[[str], Any], Any, str]


def _whole(text: str, minimum: int = 1) -> int:
    value = int(text)
    if value < minimum:
        raise ValueError
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    return parse


def _truth(text: str) -> bool:
    return _one_of("True", "False", "true", "false")(text).lower() == "true"


def _switch(text: str) -> bool:
    return _one_of("0", "1")(text) == "1"


def _shape(text: str) -> tuple[int, int, int]:
    channels, rows, columns = (int(part) for part in text.split(","))
    if channels != 3 or not 1 <= rows <= 1024 or not 1 <= columns <= 1024:
        raise ValueError
    return channels, rows, columns


def _steps(text: str) -> tuple[int, ...]:
    return tuple(_whole(part) for part in text.split(",")) if text else ()


def _layers(text: str) -> int:
    value = int(text)
    if value not in LAYERS:
        raise ValueError
    return value


_POSITIVE, _UNIT = "a positive integer", "a float in [0, 1]"
# Name: how it is read, its default as text (None where it has none), and its valid values.
_RULES: Mapping[str, Rule] = {
    "num_classes": (_whole, None, _POSITIVE),
    "num_training_samples": (_whole, None, _POSITIVE),
    "augmentation_type": (
        _one_of("crop", "crop_color", "crop_color_transform"),
        None,
        "crop, crop_color or crop_color_transform",
    ),
    "beta_1": (_fraction, "0.9", _UNIT),
    "beta_2": (_fraction, "0.999", _UNIT),
    "checkpoint_frequency": (_whole, None, _POSITIVE),
    "early_stopping": (_truth, "False", "True or False"),
    "early_stopping_min_epochs": (_whole, "10", _POSITIVE),
    "early_stopping_patience": (_whole, "5", _POSITIVE),
    "early_stopping_tolerance": (_fraction, "0.0", _UNIT),
    "epochs": (_whole, "30", _POSITIVE),
    "eps": (_fraction, "1e-8", _UNIT),
    "gamma": (_fraction, "0.9", _UNIT),
    "image_shape": (_shape, "3,224,224", "3,rows,columns"),
    "kv_store": (_one_of("dist_sync", "dist_async"), None, "dist_sync or dist_async"),
    "learning_rate": (_fraction, "0.1", _UNIT),
    "lr_scheduler_factor": (_fraction, "0.1", _UNIT),
    "lr_scheduler_step": (_steps, "", "epochs, separated by commas"),
    "mini_batch_size": (_whole, "32", _POSITIVE),
    "momentum": (_fraction, "0.9", _UNIT),
    "multi_label": (_switch, "0", "0 or 1"),
    "num_layers": (_layers, "152", f"one of {', '.join(map(str, LAYERS))}"),
    "optimizer": (_one_of("sgd", "adam", "rmsprop", "nag"), "sgd", "sgd, adam, rmsprop or nag"),
    "precision_dtype": (_one_of("float32", "float16"), "float32", "float32 or float16"),
    "resize": (_whole, None, _POSITIVE),
    "top_k": (lambda text: _whole(text, 2), None, "an integer larger than 1"),
    "use_pretrained_model": (_switch, "0", "0 or 1"),
    "use_weighted_loss": (_switch, "0", "0 or 1"),
    "weight_decay": (_fraction, "0.0001", _UNIT),
}


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """A job's settings; those without a default are None where they are not given."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Hyperparameters":
        """Return the settings of these texts; raises CustomerError as the algorithm words it."""
        own = {name: text for name, text in given.items() if not name.startswith(_PLATFORM_PREFIX)}
        for name in own:
            if name not in _RULES:
                raise invalid_hyperparameter(
                    f"Additional properties are not allowed ('{name}' was unexpected)"
                )
        for name in _REQUIRED:
            if name not in own:
                raise invalid_hyperparameter(f"'{name}' is a required property")
        values = {name: _read(name, own.get(name, rule[1])) for name, rule in _RULES.items()}
        _refuse_what_the_stand_in_lacks(values)
        return cls(values)


def _read(name: str, text: str | None) -> Any:
    if text is None:
        return None
    read, _, constraint = _RULES[name]
    try:
        return read(str(text).strip())
    except ValueError as error:
        raise invalid_hyperparameter(f"{text!r} is not valid for '{name}': {constraint}") from error


def _refuse_what_the_stand_in_lacks(values: Mapping[str, Any]) -> None:
    for name in ("use_pretrained_model", "multi_label"):
        if values[name]:
            raise CustomerError(
                f"The local stand-in for image-classification does not do {name}; set it to 0."
            )
