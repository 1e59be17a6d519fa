import copy
from typing import Any

import pytest

from local_aws.sagemaker.jobs.tuning_plan import parse_plan
from local_aws.sagemaker.jobs.tuning_search import InvalidTuning

REQUEST = {
    "HyperParameterTuningJobName": "tuned",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "4"}]
        },
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {
            "TrainingImage": "toy",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
        },
        "RoleArn": "role",
        "OutputDataConfig": {"S3OutputPath": "s3://b/x"},
        "ResourceConfig": {"InstanceCount": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "StaticHyperParameters": {"seed": "1"},
        "Environment": {"A": "1"},
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    *inner, last = path.split(".")
    place: Any = request
    for name in inner:
        place = place[name]
    place[last] = value
    return request


def test_a_trial_is_what_the_definition_says_with_the_tuned_values() -> None:
    plan = parse_plan(REQUEST)
    made = plan.request("tuned-001", (1.0,))
    assert made["TrainingJobName"] == "tuned-001"
    assert made["HyperParameters"] == {
        "_tuning_objective_metric": "loss",
        "seed": "1",
        "n": "4",
    }
    assert made["Environment"] == {"A": "1"}
    assert "CheckpointConfig" not in made
    assert plan.score(0.5) == -0.5


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("WarmStartConfig", {"WarmStartType": "IdenticalDataAndAlgorithm"}, "WarmStartConfig"),
        ("Autotune", {"Mode": "Enabled"}, "Autotune"),
        ("TrainingJobDefinitions", [{}], "TrainingJobDefinitions"),
        ("TrainingJobDefinition", None, "TrainingJobDefinition is required"),
        ("HyperParameterTuningJobConfig.StrategyConfig", {"Hyperband": {}}, "StrategyConfig"),
        (
            "HyperParameterTuningJobConfig.TuningJobCompletionCriteria",
            {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}},
            "ConvergenceDetected",
        ),
        (
            "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
            4,
            "between 1 and MaxNumberOfTrainingJobs",
        ),
        ("TrainingJobDefinition.StaticHyperParameters", {"n": "1"}, "both static and tuned"),
    ],
)
def test_what_is_not_run_is_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidTuning, match=message):
        parse_plan(changed(path, value))
