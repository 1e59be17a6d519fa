"""Hyperparameters to search, and what a tuning job is asked for.

The objective is the accuracy on images that each network did not see in training: those that
the folds hold out, or without folds the validation images. The test images have no part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scones_core.errors import TrainingError
from scones_train.sagemaker.training_job_request import TrainingRequest, job_definition

OBJECTIVE = "calibration_accuracy"
STRATEGIES = {"random": "Random", "bayesian": "Bayesian"}
MAX_JOBS = 750
# CreateHyperParameterTuningJob takes names of up to 32 characters.
NAME_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Range:
    """The values of one hyperparameter, both ends included; `even` by value, else by size."""

    name: str
    low: float
    high: float
    even: bool = True
    whole: bool = False

    def described(self) -> dict[str, str]:
        """Return the range as CreateHyperParameterTuningJob takes it."""
        low, high = (f"{int(v)}" if self.whole else f"{v:g}" for v in (self.low, self.high))
        scaling = "Linear" if self.even else "Logarithmic"
        return {"Name": self.name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


RANGES = (
    Range("learning_rate_scale", 0.3, 3.0, even=False),
    Range("label_smoothing", 0.0, 0.15),
    Range("batch_size", 16, 128, whole=True),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search; `objective` is None where it failed."""

    name: str
    values: Mapping[str, str]
    objective: float | None
    status: str = "Completed"


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials, the best first and those that failed last."""
    return sorted(trials, key=lambda trial: -(trial.objective or 0.0))


def best(trials: Sequence[Trial]) -> Trial:
    """Return the best trial; raises TrainingError where none succeeded."""
    found = [trial for trial in ranked(trials) if trial.objective is not None]
    if not found:
        raise TrainingError(
            f"None of {len(trials)} trainings of the search succeeded; look at their logs."
        )
    return found[0]


def require_search(strategy: str, jobs: int, at_once: int) -> None:
    """Raise TrainingError for a search that there is not."""
    if strategy not in STRATEGIES:
        raise TrainingError(f"--strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    if not 1 <= jobs <= MAX_JOBS:
        raise TrainingError(f"A search has 1 to {MAX_JOBS} trainings, not {jobs}.")
    if not 1 <= at_once <= jobs:
        raise TrainingError(
            f"Of {jobs} trainings of a search 1 to {jobs} run at once, not {at_once}."
        )


def parameter_ranges() -> dict[str, list[dict[str, str]]]:
    """Return what is searched, as CreateHyperParameterTuningJob takes it."""
    return {
        "ContinuousParameterRanges": [r.described() for r in RANGES if not r.whole],
        "IntegerParameterRanges": [r.described() for r in RANGES if r.whole],
    }


def tuning_request(
    request: TrainingRequest, name: str, strategy: str, *, jobs: int, at_once: int, seed: int
) -> dict[str, Any]:
    """Return the arguments of CreateHyperParameterTuningJob for a search around a training."""
    searched = {each.name for each in RANGES}
    definition = job_definition(request, name)
    # The trainings of one search would overwrite one another's.
    definition.pop("CheckpointConfig", None)
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": STRATEGIES[strategy],
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": OBJECTIVE},
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": jobs,
                "MaxParallelTrainingJobs": at_once,
            },
            "ParameterRanges": parameter_ranges(),
            "RandomSeed": seed,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                key: value for key, value in request.hyperparameters.items() if key not in searched
            },
            "RoleArn": request.role_arn,
            **definition,
        },
        "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
    }
