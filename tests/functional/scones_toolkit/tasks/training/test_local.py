import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console as RichConsole
from safetensors.torch import save

from scones_core.errors import SettingsError, TrainingError, TrainingJobFailed
from scones_core.model_card import ModelCard
from scones_core.settings import Settings
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.training.local import run_training
from scones_toolkit.tasks.training.train import train
from scones_train.model.resnet import NORMALISATION, ResNet18

ROOT = Path(__file__).parents[5]
SETTINGS = Settings().override("training", recipe="scratch", batch_size=8, folds=0)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    out = io.StringIO()
    console = Console(RichConsole(file=out, highlight=False, soft_wrap=True))
    return Project(tmp_path, "local", SETTINGS, console)


def trained(project: Project, **options: Any) -> ModelCard:
    """Return the card of a model that was trained on this host."""
    card = train(project, **options)
    assert isinstance(card, ModelCard)
    return card


def test_a_folder_of_images_becomes_a_model_without_any_aws(project: Project, photos: str) -> None:
    card = trained(project, backend="local", source=photos, epochs=3)
    assert card.labels == ("bicycle", "motorcycle")
    assert card.metrics["accuracy"] > 0.8
    assert card.settings["epochs"] == 3
    assert (project.build / "local" / "training" / "model" / "model.onnx").is_file()
    printed = project.console.rich.file
    assert isinstance(printed, io.StringIO)
    assert "test_accuracy" in printed.getvalue()


def test_other_images_take_the_place_of_those_before(project: Project, photos: str) -> None:
    first = trained(project, backend="local", source=photos, epochs=1)
    (Path(photos) / "bicycle" / "0.png").unlink()
    second = trained(project, backend="local", source=photos, epochs=1)
    channels = project.build / "local" / "training" / "input" / "data"
    assert len(list(channels.glob("*/*/*.png"))) == 47
    assert first.dataset_version != second.dataset_version


def test_a_training_that_fails_gives_its_own_reason(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    with pytest.raises(TrainingJobFailed, match="epochs must be an integer"):
        run_training(tmp_path / "base", {"epochs": "none"}, lambda _: None)


def test_what_no_training_can_do_is_refused_before_one_starts(
    project: Project, photos: str
) -> None:
    with pytest.raises(TrainingError, match="epochs must be 0 to 1000, not 5000"):
        train(project, backend="local", source=photos, epochs=5000)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"backend": "local", "algorithm": "builtin"}, "container of Amazon's"),
        ({"backend": "local", "resume": "job-1"}, "--resume names a SageMaker job"),
        ({"source": "synthetic"}, "go with --backend local"),
        ({"images": {"classes": "all"}}, "go with --backend local"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    project: Project, flags: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        train(project, **flags)


def test_a_benchmark_that_is_stopped_leaves_no_training_and_no_folder(
    tmp_path: Path, photos: str
) -> None:
    """`benchmarks/accuracy.py` in a process group of its own, ended amid a training."""
    environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT / "src")}
    (tmp_path / "tmp").mkdir()
    script = ROOT / "benchmarks" / "accuracy.py"
    process = subprocess.Popen(
        [sys.executable, str(script), "--archive", photos],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    started = tmp_path / "tmp"
    deadline = time.monotonic() + 60
    while not list(started.glob("*/checkpoints/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = _children(process.pid)
    assert children
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    # Others, such as PyTorch, leave caches of their own.
    assert list(started.glob("tmp*")) == []
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def test_the_hyperparameters_are_those_of_the_dataset(project: Project, photos: str) -> None:
    card = trained(project, backend="local", source=photos, epochs=1)
    path = project.build / "local" / "training" / "input" / "config" / "hyperparameters.json"
    assert json.loads(path.read_text())["dataset_version"] == card.dataset_version


def test_digits_are_a_matter_of_settings(project: Project, tmp_path: Path) -> None:
    """Grey images of 28 pixels in ten classes, not flipped, within a bound on the steps."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, 60, (800, 28, 28), dtype=np.uint8)
    labels = (np.arange(800) % 10).astype(np.uint8)
    for row, label in enumerate(labels):
        # Stripes of five widths, upright or level, which stay what they are when shifted.
        stripes = np.arange(28) // (1, 2, 3, 5, 8)[label % 5] % 2 == 1
        pixels[row][stripes if label < 5 else (slice(None), stripes)] += 180
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, values in (("images-idx3", pixels), ("labels-idx1", labels)):
        head = bytes((0, 0, 8, values.ndim))
        shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
        (folder / f"some-{name}-ubyte").write_bytes(head + shape + values.tobytes())
    card = trained(
        project,
        backend="local",
        source=str(folder),
        images={"classes": "all", "image_mode": "grey"},
        horizontal_flip=False,
        max_steps=120,
        epochs=20,
    )
    assert card.labels == tuple("0123456789")
    assert (card.image["height"], card.grey) == (28, True)
    assert card.settings["epochs"] < 20
    assert card.settings["horizontal_flip"] == 0
    assert card.metrics["accuracy"] > 0.5
    assert len(card.confusion_matrix) == 10


def _as_published(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights by the names that torchvision gives them."""
    state = network.state_dict()
    return {name.replace("head.", "fc."): value.clone() for name, value in state.items()}


def test_a_training_begins_with_weights_that_are_given(
    project: Project, photos: str, tmp_path: Path
) -> None:
    weights = tmp_path / "resnet18.safetensors"
    torch.manual_seed(0)
    weights.write_bytes(save(_as_published(ResNet18(7, side=(32, 32), horizontal_flip=True))))
    card = trained(
        project, backend="local", source=photos, weights=str(weights), recipe="auto", epochs=1
    )
    assert card.origin["architecture"] == "ResNet-18"
    assert card.settings["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card.normalisation["mean"] == NORMALISATION.mean
    channels = project.build / "local" / "training" / "input" / "data"
    assert [path.name for path in (channels / "weights").iterdir()] == ["resnet18.safetensors"]
    train(project, backend="local", source=photos, epochs=1)
    assert not (channels / "weights").exists()
