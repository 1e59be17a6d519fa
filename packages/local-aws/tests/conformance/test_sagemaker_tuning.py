"""Tuning jobs, which run their trials."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import Hosting

CREATE = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html"


def request(hosting: Hosting, strategy: str, **config: Any) -> dict[str, Any]:
    x = {"Name": "x", "MinValue": "0.0", "MaxValue": "1.0", "ScalingType": "Linear"}
    definition = hosting.definition()
    return {
        "HyperParameterTuningJobName": unique("tuned"),
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "RandomSeed": 7,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "objective"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"ContinuousParameterRanges": [x]},
            **config,
        },
        "TrainingJobDefinition": {**definition, "StaticHyperParameters": {"epochs": "1"}},
    }


def tuned(hosting: Hosting, asked: dict[str, Any]) -> dict[str, Any]:
    hosting.sagemaker.create_hyper_parameter_tuning_job(**asked)
    return ended(hosting, asked)


def ended(hosting: Hosting, asked: dict[str, Any]) -> dict[str, Any]:
    name = asked["HyperParameterTuningJobName"]

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = hosting.sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
        status = found["HyperParameterTuningJobStatus"]
        return found if status in {"Completed", "Failed", "Stopped"} else None

    return hosting.aws.eventually(over, 90)


def trials(hosting: Hosting, asked: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    found = hosting.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=asked["HyperParameterTuningJobName"], **more
    )
    summaries: list[dict[str, Any]] = found["TrainingJobSummaries"]
    return summaries


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_tuning_job_runs_its_trials_and_finds_the_best(hosting: Hosting, strategy: str) -> None:
    """CREATE; botocore: HyperParameterTrainingJobSummary, the status counters."""
    asked = request(hosting, strategy)
    found = tuned(hosting, asked)

    assert found["HyperParameterTuningJobStatus"] == "Completed", found.get("FailureReason")
    counters = found["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["InProgress"]) == (4, 0)
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    best_first = trials(hosting, asked, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert len({trial["TunedHyperParameters"]["x"] for trial in best_first}) == 4
    best = found["BestTrainingJob"]
    assert best["TrainingJobName"] == best_first[0]["TrainingJobName"]
    value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    x = float(best["TunedHyperParameters"]["x"])
    assert value == pytest.approx(1 - (x - 0.3) ** 2, abs=1e-5)
    job = hosting.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]
    assert job["HyperParameters"] == {
        "epochs": "1",
        "x": best["TunedHyperParameters"]["x"],
        "_tuning_objective_metric": "objective",
    }


def test_a_grid_goes_through_every_combination(hosting: Hosting) -> None:
    """.../dg/automatic-model-tuning-how-it-works.html: categorical values, each one once."""
    ranges = [{"Name": "x", "Values": ["0.1", "0.3"]}, {"Name": "answer", "Values": ["a", "b"]}]
    asked = request(
        hosting,
        "Grid",
        ResourceLimits={"MaxParallelTrainingJobs": 3},
        ParameterRanges={"CategoricalParameterRanges": ranges},
    )
    found = tuned(hosting, asked)

    assert found["TrainingJobStatusCounters"]["Completed"] == 4
    values = [tuple(sorted(t["TunedHyperParameters"].items())) for t in trials(hosting, asked)]
    assert len(set(values)) == 4
    assert found["BestTrainingJob"]["TunedHyperParameters"]["x"] == "0.3"


def test_a_target_that_is_reached_ends_the_job(hosting: Hosting) -> None:
    """botocore: TuningJobCompletionCriteria.TargetObjectiveMetricValue."""
    asked = request(
        hosting,
        "Random",
        ResourceLimits={"MaxNumberOfTrainingJobs": 50, "MaxParallelTrainingJobs": 1},
        TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 0.1},
    )
    assert tuned(hosting, asked)["TrainingJobStatusCounters"]["Completed"] == 1


def test_a_stop_stops_the_trials_that_run(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopHyperParameterTuningJob.html."""
    asked = request(hosting, "Random")
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"epochs": "9", "seconds": "20"}
    name = asked["HyperParameterTuningJobName"]
    hosting.sagemaker.create_hyper_parameter_tuning_job(**asked)

    def running() -> bool | None:
        return True if len(trials(hosting, asked, StatusEquals="InProgress")) == 2 else None

    assert hosting.aws.eventually(running)
    hosting.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    found = ended(hosting, asked)

    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 2
    with pytest.raises(ClientError, match="in status Stopped"):
        hosting.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_a_job_all_of_whose_trials_fail_has_failed(hosting: Hosting) -> None:
    """botocore: HyperParameterTuningJobStatus; each trial acts with the role."""
    asked = request(hosting, "Random")
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"fail": "No images"}
    found = tuned(hosting, asked)

    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("All training jobs failed.")
    assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 4
    assert "BestTrainingJob" not in found


def test_a_trial_that_lags_is_stopped_early(hosting: Hosting) -> None:
    """.../dg/automatic-model-tuning-early-stopping.html, the median rule."""
    levels = {"Name": "level", "Values": ["0.9", "0.8", "0.7", "0.1"]}
    asked = request(
        hosting,
        "Grid",
        ResourceLimits={"MaxParallelTrainingJobs": 1},
        ParameterRanges={"CategoricalParameterRanges": [levels]},
        TrainingJobEarlyStoppingType="Auto",
    )
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"epochs": "3", "seconds": "0.5"}
    counters = tuned(hosting, asked)["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["Stopped"]) == (3, 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"Strategy": "Hyperband"}, "does not run the strategy Hyperband"),
        ({"Strategy": "Grid"}, "categorical ranges only"),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 1}}, "MaxNumberOfTrainingJobs is required"),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "none"}},
            "not among the algorithm's MetricDefinitions",
        ),
        (
            {
                "ParameterRanges": {
                    "ContinuousParameterRanges": [
                        {
                            "Name": "x",
                            "MinValue": "0",
                            "MaxValue": "1",
                            "ScalingType": "Logarithmic",
                        }
                    ]
                }
            },
            "must be above 0",
        ),
    ],
)
def test_a_job_that_cannot_be_run_is_refused(
    hosting: Hosting, config: dict[str, Any], message: str
) -> None:
    """CREATE; .../dg/automatic-model-tuning-define-ranges.html."""
    asked = request(hosting, "Random", **config)
    with pytest.raises(ClientError, match=message):
        hosting.sagemaker.create_hyper_parameter_tuning_job(**asked)
    with pytest.raises(ClientError):
        hosting.sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=asked["HyperParameterTuningJobName"]
        )


def test_a_job_needs_a_role_that_sagemaker_may_take(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html."""
    asked = request(hosting, "Random")
    stranger = hosting.aws.role_with(services=("lambda",))
    asked["TrainingJobDefinition"]["RoleArn"] = stranger
    with pytest.raises(ClientError, match="Could not assume role"):
        hosting.sagemaker.create_hyper_parameter_tuning_job(**asked)
