"""Typed settings: flag > environment (`SCONES_SECTION_KEY`) > `scones.toml` > default."""

import difflib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_type_hints

from scones_core.assignments import Assignment, parse_assignments
from scones_core.errors import SettingsError

OTHER_VARIABLES = frozenset(
    {"SCONES_CIFAR100", "SCONES_TERRAFORM_MIRROR", "SCONES_BIND_HOST", "SCONES_IAM"}
)
"""Variables of this prefix that are read elsewhere."""

_SHARE = (0.0, 1.0)
_PORT = (0, 65_535)
_NOT_NEGATIVE = (0.0, math.inf)
_RANGES: Mapping[str, tuple[float, float]] = {
    "dataset.validation_fraction": _SHARE,
    "dataset.test_fraction": _SHARE,
    "dataset.upload_workers": (1, 256),
    "training.target_precision": _SHARE,
    "quality.min_accuracy": _SHARE,
    "quality.max_calibration_error": _SHARE,
    "quality.min_coverage": _SHARE,
    "quality.significance": _SHARE,
    "workflow.threshold": _SHARE,
    "review.port": _PORT,
    **{
        f"cost.{name}": _NOT_NEGATIVE
        for name in (
            "images",
            "image_bytes",
            "answer_bytes",
            "record_bytes",
            "reads_per_image",
            "function_ms",
            "inference_ms",
            "kms_requests_per_image",
            "custom_metrics",
            "daily_report_minutes",
            "log_bytes",
            "storage_gb",
            "image_gb",
        )
    },
    "cost.records_per_file": (1, math.inf),
    "cost.traced_share": _SHARE,
    "local.port": _PORT,
}
"""The smallest and largest value of a number, inclusive, if nothing else checks it."""


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
    """The dataset that the ETL stages.

    `class_names` maps names of the source, such as folder names, to class names; several may map
    to one class.
    `validation_fraction` (of the source's training rows) and `test_fraction` (of each class's
    images) apply if the source has no such split.
    `image_side` is the width and height in pixels, 0 for the source's own; `image_mode` is `rgb`
    or `grey`. `recordio` also writes MXNet's `.rec` and `.idx` for each split.
    """

    classes: tuple[str, ...] = ("bicycle", "motorcycle")
    class_names: Mapping[str, str] = field(default_factory=dict)
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
    """Hyperparameters and resources of a training job.

    `recipe` is `pretrained`, `scratch`, or `auto`: pretrained for colour images, from scratch
    for grey ones or if the package with the weights is not installed. `epochs`, `batch_size` and
    `folds` override the recipe. `folds` is the number of cross-validation networks whose
    out-of-fold predictions calibrate the model; with 0, the validation images do.
    `target_precision` is the precision of accepted images for which the threshold is chosen.
    `max_steps` limits the optimiser steps of each network; 0 is no limit. Without
    `horizontal_flip`, images are not flipped in training and inference (digits, text).
    `weights` is a file with initial weights of an EfficientNet-Lite0 or a ResNet-18. `device` is
    `auto`, `cpu` or `cuda`.
    A `spot` job runs on cheaper instances that may be interrupted; it ends after at most
    `max_wait_seconds`, waiting included. `subnets` and `security_groups` put jobs into a VPC.
    `image_tag` is the tag of the serving image in the environment's repository; the training
    image has the same tag followed by `-training`.
    `client` is `boto3`, `sdk` for the core layer of SageMaker's SDK, or `modeltrainer` for the
    whole SDK; the latter two are extras. Tuning jobs always use boto3.
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
    """Hyperparameters of SageMaker's built-in algorithm, with the algorithm's defaults.

    It trains only on instances with a GPU. Other hyperparameters keep the algorithm's default.
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

    `significance` is the accepted probability of refusing a model that is as good as the active
    release.
    """

    min_accuracy: float = 0.85
    max_calibration_error: float = 0.1
    min_coverage: float = 0.3
    significance: float = 0.05


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Instances of the endpoint; they become part of each release."""

    instance_type: str = "ml.m5.large"
    instance_count: int = 1


@dataclass(frozen=True, slots=True)
class WorkflowSettings:
    """`threshold` overrides the one that the model chose for its target precision.

    `execution_timeout_seconds` is how long a task waits for an execution that it started.
    """

    threshold: float | None = None
    execution_timeout_seconds: int = 900


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """The review page.

    `reviewer` is the name that answers are kept under, empty for the user's. `port` 0 takes a free
    one. `show_guess` shows the model's answer before the reviewer's, which biases it.
    """

    reviewer: str = ""
    port: int = 0
    show_guess: bool = False


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """Budgets of a Lambda zip, in bytes, checked when it is built."""

    max_zip_bytes: int = 2_000_000
    max_unzipped_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class CostSettings:
    """The usage that `inv cost` assumes, for each image unless stated otherwise.

    `images` is the number a month. `image_bytes` is the size of a request, `answer_bytes` of an
    answer, `record_bytes` of a captured record without its image, `log_bytes` of all logs.
    `function_ms` is the time of each function, `inference_ms` of the model.
    `daily_report_minutes` is the time of one daily report. `storage_gb` is the size of data and
    models, `image_gb` of the model images in the repository.
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
    daily_report_minutes: int = 5
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
    """Every setting of the toolkit; the class of each section has its defaults."""

    project: ProjectSettings = field(default_factory=ProjectSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    builtin: BuiltinSettings = field(default_factory=BuiltinSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    workflow: WorkflowSettings = field(default_factory=WorkflowSettings)
    review: ReviewSettings = field(default_factory=ReviewSettings)
    bundle: BundleSettings = field(default_factory=BundleSettings)
    cost: CostSettings = field(default_factory=CostSettings)
    local: LocalSettings = field(default_factory=LocalSettings)
    assignment: Mapping[str, Assignment] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings of a file (may be absent) under those of the environment.

        Raises SettingsError, naming file or variable, key and expected type.
        """
        environ = os.environ if environ is None else environ
        tables = _read_tables(path)
        unknown = set(tables) - {f.name for f in fields(cls)}
        if unknown:
            raise SettingsError(
                f"{path}: unknown section [{min(unknown)}]; "
                f"the sections are {', '.join(f.name for f in fields(cls))}."
            )
        hints = get_type_hints(cls)
        # By class name, not by a fixed set of keys: the file alone sets it.
        del hints["assignment"]
        _refuse_unknown_variables({n: get_type_hints(kind) for n, kind in hints.items()}, environ)
        sections = {
            name: _section(hints[name], name, tables.get(name, {}), path, environ) for name in hints
        }
        return cls(**sections, assignment=_assignments(tables, path))

    def override(self, section_name: str, **values: Any) -> Self:
        """Return a copy in which the flags that were given (not None) replace settings.

        Raises SettingsError for a number that its setting cannot have.
        """
        given = {
            key: _in_range(value, f"{section_name}.{key}", f"{section_name}.{key}")
            for key, value in values.items()
            if value is not None
        }
        return replace(self, **{section_name: replace(getattr(self, section_name), **given)})


def _read_tables(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, nothing when it is absent; raises SettingsError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: {error}. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise SettingsError(f"{path} is not valid TOML: it is nested too deeply.") from error


def _assignments(tables: Mapping[str, Any], path: Path) -> dict[str, Assignment]:
    try:
        return parse_assignments(tables.get("assignment", {}))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _section(kind: type, name: str, table: Any, path: Path, environ: Mapping[str, str]) -> Any:
    """Return `kind`, a dataclass, from a file's table under the environment's variables.

    Raises SettingsError, naming file or variable, key and expected type.
    """
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {name} must be a section: write [{name}].")
    hints = get_type_hints(kind)
    unknown = set(table) - set(hints)
    if unknown:
        raise SettingsError(
            f"{path}: [{name}] has no setting {min(unknown)!r}; it has {', '.join(hints)}."
        )
    values = {}
    for key, hint in hints.items():
        variable, where = f"SCONES_{name}_{key}".upper(), f"{path}: {name}.{key}"
        if key in table:
            values[key] = _in_range(_typed(table[key], hint, where), f"{name}.{key}", where)
        if variable in environ:
            value = _parse(environ[variable], hint, variable)
            values[key] = _in_range(value, f"{name}.{key}", variable)
    return kind(**values)


def _in_range(value: Any, setting: str, where: str) -> Any:
    """Return a value that its setting may have; raises SettingsError for another number."""
    low, high = _RANGES.get(setting, (-math.inf, math.inf))
    if isinstance(value, float) and not math.isfinite(value):
        # NaN is neither below nor above any limit: a check against it would always pass.
        raise SettingsError(f"{where} must be a finite number, not {value}.")
    if isinstance(value, int | float) and not low <= value <= high:
        bounds = f"{low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise SettingsError(f"{where} must be {bounds}, not {value}.")
    return value


def _refuse_unknown_variables(
    sections: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]
) -> None:
    """Raise SettingsError for the first variable of the project's prefix that sets nothing."""
    known = {f"SCONES_{name}_{key}".upper() for name, keys in sections.items() for key in keys}
    known |= OTHER_VARIABLES
    unknown = {v for v in environ if v.upper().startswith("SCONES_")} - known
    if not unknown:
        return
    name = min(unknown)
    if name.upper() in known:
        raise SettingsError(f"The variable {name} sets nothing: write {name.upper()}.")
    section = next((s for s in sections if name.startswith(f"SCONES_{s}_".upper())), None)
    if section:
        raise SettingsError(
            f"The variable {name} sets nothing: [{section}] has {', '.join(sections[section])}."
        )
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"the nearest are {', '.join(near)}" if near else f"sections: {', '.join(sections)}"
    raise SettingsError(
        f"The variable {name} sets nothing; write SCONES_<SECTION>_<KEY> ({hint}), or unset it."
    )


def _typed(value: Any, hint: Any, where: str) -> Any:
    expected = _plain(hint)
    if expected is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if expected is Mapping and isinstance(value, dict) and all(map(_is_text, value.values())):
        return value
    if expected is float and type(value) is int:
        return float(value)
    if expected not in (tuple, Mapping) and type(value) is expected:
        return value
    raise SettingsError(f"{where} must be {_type_text(expected)}, not {value!r}.")


def _parse(text: str, hint: Any, where: str) -> Any:
    expected = _plain(hint)
    try:
        if expected is tuple and text.lstrip().startswith("["):
            names = json.loads(text)
            if not all(map(_is_text, names)):
                raise ValueError("a part is not a string")
            return tuple(names)
        if expected is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if expected is Mapping:
            pairs = (part.partition("=") for part in text.split(",") if part.strip())
            found = {own.strip(): name.strip() for own, equals, name in pairs if equals}
            if len(found) != len([part for part in text.split(",") if part.strip()]):
                raise ValueError("a part has no =, or a name comes twice")
            return found
        if expected is bool:
            return {"1": True, "true": True, "0": False, "false": False}[text.strip().lower()]
        return expected(text)
    except (ValueError, KeyError, RecursionError):
        raise SettingsError(f"{where} must be {_type_text(expected)}, not {text!r:.80}.") from None


def _plain(hint: Any) -> type:
    """Return the type behind `X | None` and `tuple[X, ...]`."""
    if isinstance(hint, UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    plain: type = getattr(hint, "__origin__", hint)
    return plain


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _type_text(kind: type) -> str:
    type_names = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a string",
        Mapping: 'a table of strings, {"theirs" = "ours"}; in a variable theirs=ours,...',
    }
    return type_names.get(kind, "a list of strings")
