"""SageMaker's built-in image classification: its hyperparameters, its channels, its limits.

Names, defaults and ranges are those of
https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html, channels and instances
those of https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from scones_core.errors import TrainingError

DEEP_LAYERS = (18, 34, 50, 101, 152, 200)
SHALLOW_LAYERS = (20, 32, 44, 56, 110)
# Networks of up to this side are distinguished from larger ones by their number of layers.
SMALL_SIDE = 32
# Training runs only on instances with a GPU of these families.
GPU_INSTANCES = re.compile(r"ml\.(p2|p3|g4dn|g5)\.[0-9]*x?large$")
IMAGES, RECORDS = "application/x-image", "application/x-recordio"


@dataclass(frozen=True, slots=True)
class BuiltinHyperparameters:
    """The algorithm's hyperparameters; None leaves a value out, as the algorithm has no default.

    `image_shape` is channels, height and width. Raises TrainingError for a value that the
    algorithm would refuse once its instance has started, and for a `mini_batch_size` above
    `num_training_samples`.
    """

    num_classes: int
    num_training_samples: int
    image_shape: tuple[int, int, int] = (3, 224, 224)
    num_layers: int = 152
    epochs: int = 30
    mini_batch_size: int = 32
    learning_rate: float = 0.1
    lr_scheduler_factor: float = 0.1
    lr_scheduler_step: tuple[int, ...] | None = None
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0001
    beta_1: float = 0.9
    beta_2: float = 0.999
    eps: float = 1e-8
    gamma: float = 0.9
    augmentation_type: str | None = None
    resize: int | None = None
    top_k: int | None = None
    checkpoint_frequency: int | None = None
    use_pretrained_model: int = 0
    multi_label: int = 0
    use_weighted_loss: int = 0
    precision_dtype: str = "float32"
    kv_store: str | None = None
    early_stopping: bool = False
    early_stopping_min_epochs: int = 10
    early_stopping_patience: int = 5
    early_stopping_tolerance: float = 0.0

    def __post_init__(self) -> None:
        for name, (allowed, constraint) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not allowed(value):
                raise TrainingError(f"The algorithm's {name} must be {constraint}, not {value}.")
        self._check_together()

    def _check_together(self) -> None:
        samples, batch = self.num_training_samples, self.mini_batch_size
        if batch > samples:
            raise TrainingError(
                f"The algorithm's mini_batch_size is {batch}, and there are {samples} training "
                "images; it needs as many at least."
            )
        if self.use_pretrained_model and self.num_layers not in DEEP_LAYERS:
            raise TrainingError(
                f"With use_pretrained_model num_layers is one of {_listed(DEEP_LAYERS)}, "
                f"not {self.num_layers}."
            )
        if self.num_layers in SHALLOW_LAYERS and min(self.image_shape[1:]) > SMALL_SIDE:
            raise TrainingError(
                f"num_layers {self.num_layers} is for images of up to {SMALL_SIDE} pixels; "
                f"larger ones take one of {_listed(DEEP_LAYERS)}."
            )
        if (self.checkpoint_frequency or 0) > self.epochs:
            raise TrainingError(
                f"checkpoint_frequency {self.checkpoint_frequency} exceeds the {self.epochs} "
                "epochs."
            )
        if self.use_weighted_loss and not self.multi_label:
            raise TrainingError("use_weighted_loss goes with multi_label alone.")
        if self.top_k is not None and self.top_k > self.num_classes:
            raise TrainingError(f"top_k {self.top_k} exceeds the {self.num_classes} classes.")

    def strings(self) -> dict[str, str]:
        """Return the values as CreateTrainingJob takes them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _text(value) for name, value in values.items() if value is not None}


def require_counts(given: BuiltinHyperparameters, counts: Mapping[str, int]) -> None:
    """Raise TrainingError where the training images are not as many as `given` says.

    `counts` are the staged training images by class.
    """
    found = sum(counts.values())
    if (len(counts), found) != (given.num_classes, given.num_training_samples):
        raise TrainingError(
            f"The dataset has {found} training images of {len(counts)} classes; "
            f"num_training_samples is {given.num_training_samples}, num_classes "
            f"{given.num_classes}."
        )


def require_gpu_instance(instance_type: str) -> None:
    """Raise TrainingError for an instance that the algorithm does not train on."""
    if not GPU_INSTANCES.match(instance_type):
        raise TrainingError(
            f"The built-in algorithm does not train on {instance_type}: take an instance with "
            "a GPU, such as ml.g5.xlarge, or one of the families p2, p3, g4dn."
        )


def channels(prefix: str, *, records: bool) -> dict[str, tuple[str, str]]:
    """Return prefix and content type by channel, for images with lists or for RecordIO.

    `prefix` is the dataset's, below which the ETL has put the lists and records.
    """
    if records:
        return {split: (f"{prefix}/{split}_rec/", RECORDS) for split in ("train", "validation")}
    names = ("train", "validation", "train_lst", "validation_lst")
    # The slash at the end keeps `train_lst/` out of the channel `train`.
    return {name: (f"{prefix}/{name}/", IMAGES) for name in names}


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


Range = tuple[Callable[[Any], bool], str]
_COUNT: Range = (lambda value: type(value) is int and value >= 1, "a whole number of at least 1")
_SHARE: Range = (lambda value: 0 <= value <= 1, "0 to 1")
_SWITCH: Range = (lambda value: value in (0, 1), "0 or 1")


def _one_of(*values: Any) -> Range:
    return lambda value: value in values, f"one of {', '.join(map(str, values))}"


_RANGES: dict[str, Range] = {
    "num_classes": (lambda value: type(value) is int and value >= 2, "at least 2"),
    "num_training_samples": _COUNT,
    "image_shape": (
        lambda value: len(value) == 3 and all(type(n) is int and n >= 1 for n in value),
        "channels, height and width",
    ),
    "num_layers": _one_of(*sorted(DEEP_LAYERS + SHALLOW_LAYERS)),
    "epochs": _COUNT,
    "mini_batch_size": _COUNT,
    "learning_rate": _SHARE,
    "lr_scheduler_factor": _SHARE,
    "lr_scheduler_step": (lambda value: all(type(n) is int and n >= 1 for n in value), "epochs"),
    "optimizer": _one_of("sgd", "adam", "rmsprop", "nag"),
    **dict.fromkeys(("momentum", "weight_decay", "beta_1", "beta_2", "eps", "gamma"), _SHARE),
    "augmentation_type": _one_of("crop", "crop_color", "crop_color_transform"),
    "resize": _COUNT,
    "top_k": (lambda value: type(value) is int and value >= 2, "a whole number of at least 2"),
    "checkpoint_frequency": _COUNT,
    "use_pretrained_model": _SWITCH,
    "multi_label": _SWITCH,
    "use_weighted_loss": _SWITCH,
    "precision_dtype": _one_of("float32", "float16"),
    "kv_store": _one_of("dist_sync", "dist_async"),
    "early_stopping_min_epochs": _COUNT,
    "early_stopping_patience": _COUNT,
    "early_stopping_tolerance": _SHARE,
}
