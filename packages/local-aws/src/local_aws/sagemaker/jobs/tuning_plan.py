"""A CreateHyperParameterTuningJob request as what is to be run.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.jobs.training_api import metric_definitions
from local_aws.sagemaker.jobs.tuning_search import (
    GridSearch,
    InvalidTuning,
    Range,
    Search,
    parse_ranges,
    search_for,
)

# AWS gives every trial the name of the metric that is tuned for.
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
_ALGORITHM_FIELDS = ("TrainingImage", "TrainingInputMode", "MetricDefinitions")
_MAX_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """A tuning job. `target` ends it once a trial reaches it; `definition` is each trial's."""

    name: str
    ranges: tuple[Range, ...]
    search: Search
    metric: str
    maximise: bool
    max_jobs: int
    parallel: int
    definition: Mapping[str, Any]
    max_seconds: float = _MAX_SECONDS
    target: float | None = None
    stops_early: bool = False

    def tuned(self, point: tuple[float, ...]) -> dict[str, str]:
        """Return the hyperparameters of a place in the space."""
        return {r.name: r.value(unit) for r, unit in zip(self.ranges, point, strict=True)}

    def score(self, value: float) -> float:
        """Return an objective's value as one that is to be maximised."""
        return value if self.maximise else -value

    def request(self, name: str, point: tuple[float, ...]) -> dict[str, Any]:
        """Return the CreateTrainingJob request of one trial."""
        given = self.definition
        static = given.get("StaticHyperParameters") or {}
        passed = ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
        more = ("StoppingCondition", "CheckpointConfig", "EnableManagedSpotTraining", "Environment")
        algorithm = given["AlgorithmSpecification"]
        return {
            **{key: given[key] for key in (*passed, *more) if given.get(key) is not None},
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                k: algorithm[k] for k in _ALGORITHM_FIELDS if k in algorithm
            },
            "HyperParameters": {
                OBJECTIVE_HYPERPARAMETER: self.metric,
                **static,
                **self.tuned(point),
            },
        }


def parse_plan(request: Mapping[str, Any]) -> TuningPlan:
    """Return the plan of a request; raises InvalidTuning, naming what is not done here."""
    _refuse_unsupported(request)
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    objective = config.get("HyperParameterTuningJobObjective")
    if not objective:
        raise InvalidTuning("HyperParameterTuningJobObjective is required.")
    ranges = parse_ranges(config.get("ParameterRanges"))
    search = search_for(config["Strategy"], ranges, config.get("RandomSeed"))
    limits = config["ResourceLimits"]
    criteria = config.get("TuningJobCompletionCriteria") or {}
    plan = TuningPlan(
        name=request["HyperParameterTuningJobName"],
        ranges=tuple(ranges),
        search=search,
        metric=objective["MetricName"],
        maximise=objective["Type"] == "Maximize",
        max_jobs=_max_jobs(limits, search),
        parallel=int(limits["MaxParallelTrainingJobs"]),
        definition=definition,
        max_seconds=float(limits.get("MaxRuntimeInSeconds") or _MAX_SECONDS),
        target=criteria.get("TargetObjectiveMetricValue"),
        stops_early=config.get("TrainingJobEarlyStoppingType") == "Auto",
    )
    _check(plan)
    return plan


def _max_jobs(limits: Mapping[str, Any], search: Search) -> int:
    given = limits.get("MaxNumberOfTrainingJobs")
    if isinstance(search, GridSearch):
        return min(int(given or search.number), search.number)
    if given is None:
        raise InvalidTuning("MaxNumberOfTrainingJobs is required for this strategy.")
    return int(given)


def _check(plan: TuningPlan) -> None:
    if plan.max_jobs < 1 or not 1 <= plan.parallel <= plan.max_jobs:
        raise InvalidTuning(
            f"MaxParallelTrainingJobs must be between 1 and MaxNumberOfTrainingJobs, which is "
            f"{plan.max_jobs}; it is {plan.parallel}."
        )
    metrics = metric_definitions(plan.definition["AlgorithmSpecification"])
    if plan.metric not in [metric["Name"] for metric in metrics]:
        raise InvalidTuning(
            f"The objective metric {plan.metric} is not among the algorithm's MetricDefinitions."
        )
    static = plan.definition.get("StaticHyperParameters") or {}
    for entry in plan.ranges:
        if entry.name in static:
            raise InvalidTuning(f"The hyperparameter {entry.name} is both static and tuned.")


def _refuse_unsupported(request: Mapping[str, Any]) -> None:
    config = request["HyperParameterTuningJobConfig"]
    criteria = config.get("TuningJobCompletionCriteria") or {}
    given = {
        "WarmStartConfig": request.get("WarmStartConfig"),
        "Autotune": request.get("Autotune"),
        "TrainingJobDefinitions": request.get("TrainingJobDefinitions"),
        "StrategyConfig": config.get("StrategyConfig"),
        "BestObjectiveNotImproving": criteria.get("BestObjectiveNotImproving"),
        "ConvergenceDetected": criteria.get("ConvergenceDetected"),
    }
    for name, value in given.items():
        if value:
            raise InvalidTuning(f"The embedded AWS does not run tuning jobs with {name}.")
    if not request.get("TrainingJobDefinition"):
        raise InvalidTuning("TrainingJobDefinition is required.")
