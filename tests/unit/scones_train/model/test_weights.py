import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from scones_core.errors import TrainingError
from scones_train.model import weights as module
from scones_train.model.resnet import ResNet18
from scones_train.model.weights import package_file, package_weights, read_file, read_weights


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    named = ResNet18(4, side=(32, 32), horizontal_flip=True).state_dict()
    return {name.replace("head.", "fc."): value for name, value in named.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def saved(state: Any, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    "form", ["zip", "legacy", "nested", "whole", "parallel", "compiled", "safetensors", "capitals"]
)
def test_every_usual_form_of_a_file_is_read(
    folder: Path, state: dict[str, torch.Tensor], form: str
) -> None:
    if form == "safetensors":
        (folder / "resnet18.safetensors").write_bytes(save(state))
    else:
        body = {
            "zip": lambda: saved(state),
            "legacy": lambda: saved(state, _use_new_zipfile_serialization=False),
            "nested": lambda: saved({"state_dict": state, "epoch": 3}),
            "whole": lambda: saved({"model": prefixed(state, "module."), "optimizer": {}}),
            "parallel": lambda: saved(prefixed(state, "module.")),
            "compiled": lambda: saved(prefixed(state, "_orig_mod.module.")),
            "capitals": lambda: saved(state),
        }[form]()
        (folder / ("RESNET18.PTH" if form == "capitals" else "resnet18.pth")).write_bytes(body)
    weights = read_weights(folder)
    assert weights.architecture.name == "ResNet-18"
    found = weights.state
    assert len(found) == 120
    assert all(torch.equal(found[name], state[name]) for name in found)


def test_half_precision_and_missing_counts_are_made_up_for(
    folder: Path, state: dict[str, torch.Tensor]
) -> None:
    halves = {name: v.half() for name, v in state.items() if "num_batches" not in name}
    (folder / "w.pt").write_bytes(saved(halves))
    found = read_weights(folder).state
    assert found["conv1.weight"].dtype is torch.float32
    assert found["bn1.num_batches_tracked"].dtype is torch.int64


def test_the_file_must_be_the_one_that_the_job_was_given(
    folder: Path, state: dict[str, torch.Tensor]
) -> None:
    body = saved(state)
    (folder / "w.pt").write_bytes(body)
    assert read_weights(folder, hashlib.sha256(body).hexdigest())
    with pytest.raises(TrainingError, match="SHA-256"):
        read_weights(folder, "0" * 64)


class Trap:
    """Runs a command when it is unpickled by a reader that allows it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (open, (str(self.path), "w"))


def _without(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda s: _without(s, "layer3.1.bn2.bias"), r"lacks layer3\.1\.bn2\.bias"),
        (lambda s: {**s, "layer5.0.conv1.weight": s["conv1.weight"]}, "besides"),
        (lambda s: {**s, "conv1.weight": s["conv1.weight"][:, :1]}, r"conv1\.weight is not"),
        (lambda s: {**s, "bn1.bias": torch.full((64,), float("nan"))}, r"bn1\.bias is not"),
        (lambda s: {**s, "bn1.bias": torch.full((64,), 1e300, dtype=torch.float64)}, "is not"),
        (lambda s: {**s, "bn1.bias": s["bn1.bias"].to(torch.float8_e4m3fn)}, r"bn1\.bias is not"),
        (lambda s: {**s, "bn1.bias": s["bn1.bias"].to(torch.complex64)}, r"bn1\.bias is not"),
        (lambda s: {**s, "bn1.bias": s["bn1.bias"].to("meta")}, r"bn1\.bias is not"),
        (lambda s: {**s, "bn1.bias": [0.0] * 64}, r"bn1\.bias is not"),
        (lambda s: {}, "of none of the known networks"),
        (lambda s: {**s, "bn1.bias": torch.zeros(64).to_sparse()}, r"bn1\.bias is not"),
        (lambda s: [1, 2], "holds a list"),
        (lambda s: {1: s["bn1.bias"]}, "not a state dict"),
    ],
)
def test_what_is_of_no_known_network_is_refused_by_name(
    folder: Path,
    state: dict[str, torch.Tensor],
    spoil: Callable[[dict[str, torch.Tensor]], object],
    named: str,
) -> None:
    (folder / "w.pt").write_bytes(saved(spoil(state)))
    with pytest.raises(TrainingError, match=named):
        read_weights(folder)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("body", [b"", b"garbage", b"PK\x03\x04 cut", b"\xff" * 64])
def test_damaged_files_are_refused_in_a_sentence(folder: Path, name: str, body: bytes) -> None:
    (folder / name).write_bytes(body)
    with pytest.raises(TrainingError, match=f"^The weights file {name} is ") as caught:
        read_weights(folder)
    # PyTorch's own message tells how to run what is in the file.
    assert "weights_only" not in str(caught.value)
    assert "Error(" not in str(caught.value)


def test_nothing_in_a_file_is_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "run"
    (folder / "w.pt").write_bytes(pickle.dumps({"conv1.weight": Trap(trace)}, protocol=2))
    with pytest.raises(TrainingError, match="objects than tensors, which only code can make"):
        read_weights(folder)
    (folder / "w.pt").write_bytes(saved({"conv1.weight": Trap(trace)}))
    with pytest.raises(TrainingError, match="objects than tensors, which only code can make"):
        read_weights(folder)
    assert not trace.exists()


def test_an_archive_that_swells_is_refused_before_it_is_unpacked(folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1_000_000))
    # The directory says how much each member unpacks to.
    swollen = buffer.getvalue().replace((1_000_000).to_bytes(4, "little"), b"\xff\xff\xff\x7f")
    (folder / "w.pt").write_bytes(swollen)
    with pytest.raises(TrainingError, match="unpacks to over"):
        read_weights(folder)


def test_a_folder_has_one_file_and_it_is_named_as_weights_are(folder: Path) -> None:
    with pytest.raises(TrainingError, match="has 0 files"):
        read_weights(folder)
    (folder / "notes.txt").write_text("none")
    with pytest.raises(TrainingError, match="name must end in"):
        read_weights(folder)
    with pytest.raises(TrainingError, match="no weights file"):
        read_file(folder / "absent.pt")
    (folder / "folder.pt").mkdir()
    with pytest.raises(TrainingError, match="is a folder"):
        read_file(folder / "folder.pt")


def test_a_file_of_the_packages_network_is_recognised(folder: Path) -> None:
    file = package_file()
    assert file is not None
    (folder / "lite0.pth").write_bytes(file.read_bytes())
    weights = read_weights(folder)
    assert weights.architecture.name == "EfficientNet-Lite0"
    assert weights.origin["weights"] == "the file lite0.pth"


def test_another_file_in_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"another file")
    monkeypatch.setattr(module, "package_file", lambda: other)
    with pytest.raises(TrainingError, match="SHA-256"):
        package_weights()


def test_an_absent_package_has_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no-such-package-of-weights")
    assert package_weights() is None
