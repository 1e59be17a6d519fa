"""Weights of a ResNet-18 from a file that somebody else wrote, taken for hostile.

Either as `torch.save` writes a state dict (`.pt`, `.pth`), read with `weights_only=True`, or as
safetensors (`.safetensors`), which is read with no unpickling at all. Names are torchvision's.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from scones_core.errors import TrainingError
from scones_train.model.resnet import backbone_shapes

SUFFIXES = (".pt", ".pth", ".safetensors")
# The weights take 45 MB as float32; a training's whole state may lie beside them.
MAX_BYTES = 400_000_000
# What a count of batches is named; older files have none, and nothing needs it.
COUNTS = "num_batches_tracked"

Weights = Mapping[str, Tensor]


def read_weights(folder: Path, sha256: str = "") -> Weights:
    """Return the weights of the only file in a folder, by torchvision's names, as float32.

    The last layer is left out: it belongs to the classes that it was trained for. Raises
    TrainingError for a folder of another number of files, a file of another hash where one is
    given, and one that is no ResNet-18.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file())
    if len(files) != 1:
        raise TrainingError(
            f"{folder} has {len(files)} files and must have one, the weights: set training.weights."
        )
    path = files[0]
    require_file(path)
    body = path.read_bytes()
    if sha256 and hashlib.sha256(body).hexdigest() != sha256:
        raise TrainingError(f"{path} is not the file whose SHA-256 the job was given, {sha256}.")
    return _backbone(_state(path, body), path)


def require_file(path: Path) -> None:
    """Raise TrainingError for a path that cannot be weights, by its name and size alone."""
    if not path.is_file():
        raise TrainingError(f"There is no weights file {path}; set training.weights to one.")
    if path.suffix not in SUFFIXES:
        raise TrainingError(f"{path} is no weights file: its name ends in {', '.join(SUFFIXES)}.")
    if path.stat().st_size > MAX_BYTES:
        raise TrainingError(f"{path} has over {MAX_BYTES:,} bytes; a ResNet-18 has 45 million.")


def _state(path: Path, body: bytes) -> Mapping[str, Any]:
    """Return what a file holds, by name; nothing in it is run."""
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(body)
        _refuse_swollen(path, body)
        found = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except TrainingError:
        raise
    except SafetensorError as error:
        raise TrainingError(f"{path} is no safetensors file: {error}") from error
    # torch.load's errors have no common base: what is no such file may fail anywhere in it.
    except Exception as error:
        raise TrainingError(
            f"{path} is no state dict that loads without running code ({error!r:.200}); save one "
            "by torch.save(model.state_dict(), path)."
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise TrainingError(f"{path} holds a {type(found).__name__}, and no state dict.")
    # As torch.nn.DataParallel names them.
    return {name.removeprefix("module."): value for name, value in found.items()}


def _refuse_swollen(path: Path, body: bytes) -> None:
    """Raise TrainingError for an archive that would unpack to more than it may have."""
    if not zipfile.is_zipfile(io.BytesIO(body)):
        return
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise TrainingError(f"{path} unpacks to over {MAX_BYTES:,} bytes.")


def _backbone(state: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """Return a ResNet-18's weights but for the last layer's; raises TrainingError."""
    wanted = backbone_shapes()
    unknown = set(state) - set(wanted) - {"fc.weight", "fc.bias"}
    missing = {name for name in set(wanted) - set(state) if not name.endswith(COUNTS)}
    if unknown or missing:
        what = f"lacks {min(missing)}" if missing else f"has {min(unknown)} besides"
        raise TrainingError(f"{path} is no ResNet-18 with torchvision's names: it {what}.")
    found = {}
    for name, shape in wanted.items():
        value = state.get(name, torch.tensor(0))
        if not _plain(value, shape):
            raise TrainingError(f"{path}: {name} is not {tuple(shape)} finite numbers.")
        counted = name.endswith(COUNTS)
        found[name] = value.to(torch.int64 if counted else torch.float32).contiguous().clone()
    return found


def _plain(value: Any, shape: torch.Size) -> bool:
    """Say whether a value is a dense tensor of finite real numbers in memory, of that shape."""
    return (
        isinstance(value, Tensor)
        and value.shape == shape
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex())
        and bool(torch.isfinite(value).all())
    )
