"""The demand training container's program: `python -m scones_demand.train`.

Reads hyperparameters and the channel `train` (`train.csv`) where SageMaker puts them, writes the
model folder, and reports on stdout in lines of `name=value`. The hyperparameter `algorithm`
chooses the learner. An error ends it with 1 and `<base>/output/failure`.
"""

import sys

from scones_core.container_folders import Container, run_training
from scones_core.errors import TrainingError
from scones_core.files import sha256_of
from scones_demand import autogluon
from scones_demand.fit import DemandSettings, train
from scones_demand.forecast_files import write_held_out
from scones_demand.hours import read_hours
from scones_demand.model import Card

CHANNEL, FILE = "train", "train.csv"
# The value of the hyperparameter `algorithm` that means this project's own learner.
OWN = "scones"
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


def run(container: Container) -> Card:
    """Train on the container's channel and leave the model folder; return the model's card.

    Raises TrainingError for hyperparameters, and DatasetError for hours that cannot be used.
    """
    given = container.hyperparameters()
    algorithm = str(given.pop("algorithm", OWN)).strip('"')
    if algorithm not in (OWN, autogluon.ALGORITHM):
        raise TrainingError(f"algorithm is {OWN} or {autogluon.ALGORITHM}, not {algorithm[:40]!r}.")
    kind = DemandSettings if algorithm == OWN else autogluon.AutoGluonSettings
    chosen = kind.parse(given)
    path = container.channel(CHANNEL) / FILE
    if not path.is_file():
        raise TrainingError(f"The channel {CHANNEL!r} has no {FILE}; `inv demand.etl` stages it.")
    hours = read_hours(path, known=True)
    for text, count in hours.excluded.counts().items():
        _emit(f"{text}: {count:,}")
    data = {"sha256": sha256_of(path), "hours": len(hours)}
    folder = container.model_dir
    if isinstance(chosen, autogluon.AutoGluonSettings):
        card, validated = autogluon.train(hours, chosen, folder, _progress, data=data)
        write_held_out(folder, hours, validated)
    else:
        model, validated = train(hours, chosen, _progress, data=data)
        write_held_out(folder, hours, validated)
        model.write(folder)
        card = model.card
    found = {**card.metrics, "training_hours": float(len(hours))}
    _emit(" ".join(f"{name}={found[name]:.4f}" for name in METRICS))
    return card


def _progress(done: int, total: int, score: float) -> None:
    _emit(f"step={done}/{total} fold_rmsle={score:.4f}")


def _emit(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    # A pipe would otherwise be filled in blocks, and the follower of the job would wait.
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
