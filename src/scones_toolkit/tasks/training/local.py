"""A training on this host, without any AWS: the same program on folders."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

import scones_train
from scones_core.errors import TrainingError, TrainingJobFailed
from scones_core.files import write_json
from scones_core.model_card import ModelCard
from scones_core.uris import SPLITS
from scones_etl.pipeline import StagedDataset
from scones_toolkit.console import Console
from scones_train.model_folder import read_artifact

SOURCES = Path(scones_train.__file__).parents[1]
# What a training gets to write its checkpoint and go.
GRACE_SECONDS = 30


def write_channels(staged: StagedDataset, base: Path) -> None:
    """Write a dataset's images as channels below `base`, and take others away.

    No file and no class folder of an earlier dataset stays. Raises TrainingError for an image of
    no split.
    """
    data = base / "input" / "data"
    wanted = {}
    for row in staged.manifest.rows:
        split, label, name = Path(row.key).parts[-3:]
        if split not in SPLITS:
            raise TrainingError(f"{row.key} names no split.")
        wanted[data / split / label / name] = staged.objects[row.key]
    for split in SPLITS:
        _remove_others(data / split, wanted)
    for path, body in wanted.items():
        if not (path.is_file() and path.read_bytes() == body):
            # Not by an atomic write: whatever a crash leaves is compared again the next time, and
            # waiting for the disk ten thousand times takes minutes.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _remove_others(folder: Path, kept: Container[Path]) -> None:
    """Remove every file below a folder that is not wanted, and every folder left empty."""
    for place, folders, names in os.walk(folder, topdown=False):
        here = Path(place)
        for path in map(here.joinpath, names):
            if path not in kept:
                path.unlink()
        for path in map(here.joinpath, folders):
            if path.is_symlink():
                path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()


def run_training(
    base: Path,
    hyperparameters: Mapping[str, str],
    follow: Callable[[str], None],
) -> ModelCard:
    """Run the training program on the channels below `base`, and return the model's card.

    `follow` gets each line of its output. An interrupted training goes on from its last
    checkpoint the next time. Raises TrainingJobFailed with the program's own reason.
    """
    write_json(base / "input" / "config" / "hyperparameters.json", dict(hyperparameters))
    (base / "checkpoints").mkdir(exist_ok=True)
    (base / "output" / "failure").unlink(missing_ok=True)
    shutil.rmtree(base / "model", ignore_errors=True)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SM_")},
        "SAGEMAKER_BASE_DIR": str(base),
        "PYTHONPATH": str(SOURCES),
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "scones_train.training.train"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        last = _follow(process, follow)
    if process.returncode:
        raise TrainingJobFailed(f"The training failed: {_reason(base) or last}")
    card, _ = read_artifact(base / "model")
    return card


def _follow(process: "subprocess.Popen[str]", follow: Callable[[str], None]) -> str:
    """Pass every line on and return the last one; whatever ends this ends the training too."""
    last = ""
    try:
        for line in process.stdout or ():
            last = line.rstrip()
            follow(last)
        process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    return last


def _reason(base: Path) -> str:
    try:
        return (base / "output" / "failure").read_text(encoding="utf-8")
    except OSError:
        return ""


def figures(card: ModelCard) -> dict[str, object]:
    """Return what a person looks at first of a model's card."""
    names = ("accuracy", "coverage_at_threshold", "precision_at_threshold")
    return {
        **{f"test_{name}": round(card.metrics[name], 4) for name in names},
        "threshold": card.threshold,
    }


MAX_COLUMNS, MAX_ROWS = 10, 10


def print_confusions(console: Console, card: ModelCard) -> None:
    """Print the confusion matrix of a model on its test images, which its card has whole."""
    labels, matrix = card.labels, card.confusion_matrix
    if len(labels) <= MAX_COLUMNS:
        rows = [(name, *row) for name, row in zip(labels, matrix, strict=True)]
        console.grid("In training: true class by answer", ("", *labels), rows)
        return
    found = confused(labels, matrix)
    title = f"In training: what is confused most, of {len(labels)} classes (all in model.json)"
    if found:
        console.grid(title, ("true class", "answer", "test images"), found)
    else:
        console.say("  In training: no test image was confused.")


def confused(
    labels: Sequence[str], matrix: Sequence[Sequence[int]], limit: int = MAX_ROWS
) -> list[tuple[str, str, int]]:
    """Return (true class, answered class, images) of wrong answers, the most frequent first."""
    wrong = [
        (labels[i], labels[j], count)
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(wrong, key=lambda each: -each[2])[:limit]
