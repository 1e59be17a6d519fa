"""The demand training container's program: `python -m scones_demand.train`.

Reads hyperparameters and the channel `train` (`train.csv`) where SageMaker puts them, writes the
model folder, and reports on stdout in lines of `name=value`. An error ends it with 1 and
`<base>/output/failure`.
"""

import sys

from scones_core.container import Container, run_training
from scones_core.errors import TrainingError
from scones_core.files import sha256_of
from scones_demand.fit import DemandSettings, train
from scones_demand.hours import read_hours
from scones_demand.model import DemandModel
from scones_demand.output import write_held_out

CHANNEL, FILE = "train", "train.csv"
# What the lines carry, and SageMaker records of a job.
METRICS = (
    "rmsle",
    "worst_fold_rmsle",
    "mean_absolute_error",
    "interval_coverage",
    "training_hours",
)


def main() -> int:
    """Train in the container that the environment describes; return the exit code."""
    return run_training(run)


def run(container: Container) -> DemandModel:
    """Train on the container's channel and leave the model folder; return the model.

    Raises TrainingError for hyperparameters, and DatasetError for hours that cannot be used.
    """
    settings = DemandSettings.parse(container.hyperparameters())
    path = container.channel(CHANNEL) / FILE
    if not path.is_file():
        raise TrainingError(f"The channel {CHANNEL!r} has no {FILE}; `inv demand.etl` stages it.")
    hours = read_hours(path, known=True)
    for text, count in hours.excluded.lines().items():
        _emit(f"{count:,} {text}")
    model, validated = train(
        hours,
        settings,
        lambda done, total, score: _emit(f"step={done}/{total} fold_rmsle={score:.4f}"),
        data={"sha256": sha256_of(path), "hours": len(hours)},
    )
    write_held_out(container.model_dir, hours, validated)
    model.write(container.model_dir)
    found = {**model.card.metrics, "training_hours": float(len(hours))}
    _emit(" ".join(f"{name}={found[name]:.4f}" for name in METRICS))
    return model


def _emit(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    # A pipe would otherwise be filled in blocks, and the follower of the job would wait.
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
