import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SOURCES = Path(__file__).resolve().parents[3] / "src"
COUNTS = {"train": 16, "validation": 8, "test": 8}
SIDE = 16


def write_channels(base: Path, seed: int = 0) -> None:
    """Write small images: `bicycle` is bright at the left, `motorcycle` at the right."""
    random = np.random.default_rng(seed)
    for split, count in COUNTS.items():
        for label in ("bicycle", "motorcycle"):
            folder = base / "input" / "data" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (SIDE, SIDE, 3), dtype=np.uint8)
                rows = slice(0, SIDE // 2) if label == "bicycle" else slice(SIDE // 2, SIDE)
                pixels[rows] += 150
                Image.fromarray(pixels).save(folder / f"{number}.png")


def write_hyperparameters(base: Path, **values: str) -> None:
    """Write the job's settings; the small network is quicker on images of 16 pixels."""
    values = {"recipe": "scratch", **values}
    folder = base / "input" / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparameters.json").write_text(json.dumps(values))


def environment(base: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(SOURCES),
        "SAGEMAKER_BASE_DIR": str(base),
        "OMP_NUM_THREADS": "1",
        **more,
    }


def train(base: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scones_train.training.train"],
        env=environment(base, **more),
        cwd=base,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Job:
    """A base folder with channels, and the training program to run on it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        write_channels(base)

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name

    def hyperparameters(self, **values: str) -> None:
        write_hyperparameters(self.base, **values)

    def run(self, **environ: str) -> subprocess.CompletedProcess[str]:
        return train(self.base, **environ)

    @contextlib.contextmanager
    def started(self, **environ: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "scones_train.training.train"],
            env=environment(self.base, **environ),
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def failure(self) -> str:
        return (self.base / "output" / "failure").read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The base folder and the finished process of one small training."""
    base = tmp_path_factory.mktemp("trained")
    write_channels(base)
    write_hyperparameters(
        base, epochs="6", batch_size="8", folds="2", dataset_version="v9", manifest_sha256="ab"
    )
    return base, train(base)
