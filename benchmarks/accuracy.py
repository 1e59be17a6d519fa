"""How good the recipes are on CIFAR-100's bicycles and motorcycles, and how long they take.

    SCONES_CIFAR100=cifar-100-python.tar.gz python benchmarks/accuracy.py --seeds 3
    SCONES_CIFAR100=cifar-100-python.tar.gz python benchmarks/accuracy.py --recipe scratch
    SCONES_CIFAR100=cifar-100-python.tar.gz python benchmarks/accuracy.py --set precision=float32

Stages the archive as a training job's channels and runs the training program once for each
seed. `accuracy` to `cal.err.` are of the test split, the folds' of the images they hold out;
the time is that of the whole job: reading, the folds' networks, export. Ends with 1 where an aim
is missed; the time counts only where --quiet says that nothing else runs.
"""

import argparse
import os
import platform
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from scones_core.errors import SconesError
from scones_core.labels import LabelSet
from scones_core.model_card import ModelCard
from scones_core.settings import DatasetSettings
from scones_etl.extract.resolve import ARCHIVE_VARIABLE, resolve_source
from scones_etl.pipeline import StagedDataset, stage
from scones_toolkit.tasks.training.local import run_training, write_channels
from scones_train.training.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class Aims:
    """What a recipe is to reach: means over the seeds, but `min_seed`, which each is to reach."""

    accuracy: float
    min_seed: float
    fold_coverage: float
    calibration_error: float
    seconds: float


AIMS = {
    "pretrained": Aims(0.97, 0.96, 0.88, 0.025, 120.0),
    "scratch": Aims(0.93, 0.91, 0.60, 0.05, 240.0),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One training: its seed, its model's card, seconds of the clock and of the processor."""

    seed: int
    card: ModelCard
    seconds: float
    processor_seconds: float

    @property
    def accuracy(self) -> float:
        """The share of the test images that the model gets right."""
        return self.card.metrics["accuracy"]

    def line(self) -> str:
        """Return the run's row of the table."""
        metrics = self.card.metrics
        names = ("accuracy", "coverage_at_threshold", "precision_at_threshold")
        folds = (f"calibration_{name}" for name in names)
        shown = [metrics[name] for name in (*names, "expected_calibration_error", *folds)]
        cells = [f"{self.seed:4}", *(f"{value:8.3f}" for value in shown)]
        cells += [f"{self.card.temperature:8.3f}", f"{self.card.threshold:9.4f}"]
        cells += [f"{self.seconds:7.1f}", f"{self.processor_seconds:7.1f}"]
        return "  ".join(cells)


HEADER = "  ".join(
    [
        "recipe    seed",
        *("accuracy", "coverage", "precisn.", "cal.err.", "folds' a", "folds' c", "folds' p"),
        *("temperat", "threshold", "seconds", "CPU s"),
    ]
)


def stage_channels(archive: str, base: Path) -> StagedDataset:
    """Write the vehicles of an archive as channels below `base`; raises DatasetError."""
    settings = DatasetSettings()
    source = resolve_source(archive, cache_dir=base)
    staged = stage(source, LabelSet.of(settings.classes), settings)
    write_channels(staged, base)
    return staged


def train(base: Path, recipe: str, seed: int, given: Mapping[str, str]) -> Run:
    """Run the training program on the channels below `base`; raises TrainingError.

    `given` are hyperparameters that differ from the recipe's own.
    """
    started, before = time.perf_counter(), _processor_seconds()
    settings = Hyperparameters.parse({**given, "seed": str(seed), "recipe": recipe})
    card = run_training(base, settings.strings(), lambda _: None)
    seconds = time.perf_counter() - started
    return Run(seed, card, seconds, _processor_seconds() - before)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def failures(recipe: str, runs: list[Run], *, quiet: bool) -> list[str]:
    """Print what the runs of a recipe come to; return a sentence for each aim missed."""
    accuracies = [run.accuracy for run in runs]
    accuracy = _mean(accuracies)
    coverage = _mean([run.card.metrics["calibration_coverage_at_threshold"] for run in runs])
    calibration = _mean([run.card.metrics["calibration_error"] for run in runs])
    seconds = _mean([run.seconds for run in runs])
    processor = _mean([run.processor_seconds for run in runs])
    seeds = ", ".join(str(run.seed) for run in runs)
    print(f"accuracy: mean {accuracy:.4f}, min {min(accuracies):.4f}, max {max(accuracies):.4f}")
    print(
        f"of the folds' images: mean coverage {coverage:.3f}, calibration error {calibration:.4f}"
    )
    print(f"seconds: mean {seconds:.1f}, of the processor {processor:.1f}; seeds: {seeds}")
    print(f"host: {_host()}", flush=True)
    aims = AIMS[recipe]
    missed = {
        f"the mean accuracy is below {aims.accuracy}": accuracy < aims.accuracy,
        f"a seed's accuracy is below {aims.min_seed}": min(accuracies) < aims.min_seed,
        f"the folds' coverage is below {aims.fold_coverage}": coverage < aims.fold_coverage,
        f"the calibration error is above {aims.calibration_error}": (
            calibration > aims.calibration_error
        ),
        f"the mean time is above {aims.seconds:.0f} s": quiet and seconds > aims.seconds,
    }
    return [f"{recipe}: {sentence}." for sentence, is_missed in missed.items() if is_missed]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _host() -> str:
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    name = model[1] if model else platform.processor()
    return f"{name} {platform.machine()}, {os.cpu_count()} cores, load {load}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Run the benchmark; return 1 for a limit missed or a run that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0")
    parser.add_argument("--recipe", choices=(*AIMS, "both"), default="pretrained")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter"
    )
    parser.add_argument("--quiet", action="store_true", help="nothing else runs: judge the time")
    parser.add_argument("--archive", default=os.environ.get(ARCHIVE_VARIABLE, ""))
    given = parser.parse_args()
    if not given.archive or given.seeds < 1:
        parser.error(f"name an archive in {ARCHIVE_VARIABLE} or by --archive, and 1 seed or more")
    changed = dict(pair.split("=", 1) for pair in given.set if "=" in pair)
    if len(changed) < len(given.set):
        parser.error("--set takes NAME=VALUE, each name once")
    # As an exception, so that neither the training nor its folder outlives the benchmark.
    signal.signal(signal.SIGTERM, _stop)
    try:
        with tempfile.TemporaryDirectory() as folder:
            staged = stage_channels(given.archive, Path(folder))
            print(f"{len(staged.manifest.rows)} images\n{HEADER}", flush=True)
            missed = []
            for recipe in list(AIMS) if given.recipe == "both" else [given.recipe]:
                runs = []
                for seed in range(given.seeds):
                    runs.append(train(Path(folder), recipe, seed, changed))
                    print(f"{recipe:10}{runs[-1].line()}", flush=True)
                missed += failures(recipe, runs, quiet=given.quiet)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.writelines(f"{sentence}\n" for sentence in missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
