"""Typed settings: flag > environment (`SCONES_SECTION_KEY`) > `scones.toml` > default."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, get_type_hints

from scones_core.errors import SettingsError
from scones_core.settings_values import read_tables, section


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """Folders, and the bucket of Terraform's state.

    An empty `state_bucket` means `scones-<environment>-terraform-state-<account id>`.
    """

    build_dir: str = "build"
    cache_dir: str = ".cache"
    local_dir: str = ".local"
    state_bucket: str = ""


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """What the ETL stages. `validation_fraction` is of the source's training rows.

    `test_fraction` is of each class's images, and used where a source has no test split.
    `image_side` is the width and height in pixels, 0 the source's own; `image_mode` is `rgb`
    or `grey`. `recordio` writes MXNet's `.rec` and `.idx` of each split besides.
    """

    classes: tuple[str, ...] = ("bicycle", "motorcycle")
    source: str = "auto"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    image_side: int = 0
    image_mode: str = "rgb"
    recordio: bool = False
    seed: int = 0
    upload_workers: int = 16


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Hyperparameters, and what a training job runs on.

    `recipe` is `pretrained`, `scratch`, or `auto`: pretrained for colour images, from scratch
    for grey ones and where the package with the weights is not installed. `epochs`,
    `batch_size` and `folds` replace what the recipe says. `folds` further networks calibrate the
    model on the images that each holds out; with 0 the validation images do.
    `image_tag` is the tag of the serving image in the environment's own repository, and with
    `-training` behind it that of the training image. A `spot` job
    waits up to `max_wait_seconds`, its run included, for machines that cost a fraction and may
    be taken away. Without `horizontal_flip`
    images are not flipped in training and answering (digits, text).
    `max_steps` bounds the training of each network, by fewer epochs where there are more images;
    0 does not. `weights` is a file with those of an EfficientNet-Lite0 or a ResNet-18 to
    begin with. `device` is `auto`, `cpu` or `cuda`. `subnets` and `security_groups` put jobs into
    a VPC. `client` is `boto3`, `sdk` for the core layer of SageMaker's own SDK, or `modeltrainer`
    for the whole of it; the latter two are extras. A search is started by boto3 always.
    """

    recipe: str = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    folds: int | None = None
    seed: int = 0
    target_precision: float = 0.99
    horizontal_flip: bool = True
    max_steps: int = 0
    weights: str = ""
    device: str = "auto"
    instance_type: str = "ml.m5.xlarge"
    volume_gb: int = 10
    max_runtime_seconds: int = 3600
    spot: bool = False
    max_wait_seconds: int = 7200
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    image_tag: str = "0.1.0"
    client: str = "boto3"


@dataclass(frozen=True, slots=True)
class BuiltinSettings:
    """Hyperparameters of SageMaker's built-in algorithm; the defaults are its own.

    It trains on machines with a GPU alone. What is not here stays at the algorithm's default.
    """

    instance_type: str = "ml.g5.xlarge"
    num_layers: int = 152
    epochs: int = 30
    mini_batch_size: int = 32
    learning_rate: float = 0.1
    optimizer: str = "sgd"
    augmentation_type: str = ""
    use_pretrained_model: bool = False


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """What a model must reach on its test images to be released.

    `significance` is how readily a difference to the active release counts as more than chance:
    the probability of refusing a model that is as good.
    """

    min_accuracy: float = 0.85
    max_calibration_error: float = 0.1
    min_coverage: float = 0.3
    significance: float = 0.05


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Machines of the endpoint; they become part of each release."""

    instance_type: str = "ml.m5.large"
    instance_count: int = 1


@dataclass(frozen=True, slots=True)
class WorkflowSettings:
    """`threshold` overrides the one that the model chose for its target precision."""

    threshold: float | None = None
    execution_timeout_seconds: int = 900
    images_per_execution: int = 300


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """Budgets of a Lambda zip, in bytes, checked when it is built."""

    max_zip_bytes: int = 2_000_000
    max_unzipped_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class CostSettings:
    """What `inv cost` assumes of the use: all by image, but for what is stored.

    `images` a month; `image_bytes` of one image as it is sent, `answer_bytes` and
    `record_bytes` of an answer and of a captured record around its image; `function_ms` that
    each function and `inference_ms` that the model works; `log_bytes` of all logs together;
    `storage_gb` of data and models, `image_gb` of model images in the repository.
    """

    images: int = 100_000
    image_bytes: int = 20_000
    answer_bytes: int = 100
    record_bytes: int = 700
    records_per_file: int = 10
    reads_per_image: int = 3
    function_ms: int = 100
    inference_ms: int = 100
    kms_requests_per_image: float = 0.1
    custom_metrics: int = 4
    log_bytes: int = 4_000
    traced_share: float = 0.05
    storage_gb: float = 5.0
    image_gb: float = 1.5


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The embedded AWS. `port` 0 takes a free one."""

    port: int = 5055


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the toolkit; each default stands in its section's class, once."""

    project: ProjectSettings = field(default_factory=ProjectSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    builtin: BuiltinSettings = field(default_factory=BuiltinSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    workflow: WorkflowSettings = field(default_factory=WorkflowSettings)
    bundle: BundleSettings = field(default_factory=BundleSettings)
    cost: CostSettings = field(default_factory=CostSettings)
    local: LocalSettings = field(default_factory=LocalSettings)

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings of a file (may be absent) under those of the environment.

        Raises SettingsError, naming file or variable, key and expected type.
        """
        environ = os.environ if environ is None else environ
        tables = read_tables(path)
        unknown = set(tables) - {f.name for f in fields(cls)}
        if unknown:
            raise SettingsError(
                f"{path}: unknown section [{min(unknown)}]; "
                f"the sections are {', '.join(f.name for f in fields(cls))}."
            )
        hints = get_type_hints(cls)
        sections = {
            name: section(hints[name], name, tables.get(name, {}), path, environ)
            for name in (f.name for f in fields(cls))
        }
        return cls(**sections)

    def override(self, section_name: str, **values: Any) -> Self:
        """Return a copy in which the flags that were given (not None) replace settings."""
        given = {key: value for key, value in values.items() if value is not None}
        return replace(self, **{section_name: replace(getattr(self, section_name), **given)})
