from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from scones_core.errors import TrainingError, TrainingJobFailed
from scones_train.sagemaker.metric_lines import RECORDED
from scones_train.sagemaker.training_job_request import Compute, TrainingRequest
from scones_train.sagemaker.tuning_job import search
from scones_train.sagemaker.tuning_job_request import (
    OBJECTIVE,
    RANGES,
    Trial,
    best,
    ranked,
    require_search,
    tuning_request,
)
from scones_train.training.hyperparameters import Hyperparameters


@pytest.fixture
def asked() -> dict[str, Any]:
    request = TrainingRequest(
        name_prefix="scones-dev",
        image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:0.1.0",
        role_arn="arn:aws:iam::123456789012:role/training",
        data_bucket="data",
        artifacts_bucket="artifacts",
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/1",
        hyperparameters=Hyperparameters(epochs=2).strings(),
        channels={"train": ("dataset/v7/train/", "")},
        compute=Compute("ml.m5.xlarge", 600),
        tags={"Project": "scones"},
    )
    return tuning_request(request, "search-1", "bayesian", jobs=3, at_once=2, seed=5)


def trial(name: str, objective: float | None) -> Trial:
    return Trial(name, {}, objective, "Completed" if objective is not None else "Failed")


def test_a_training_takes_the_ends_of_every_range() -> None:
    for each in RANGES:
        described = each.described()
        for end, value in (("MinValue", each.low), ("MaxValue", each.high)):
            assert getattr(Hyperparameters.parse({each.name: described[end]}), each.name) == value


def test_the_best_is_the_most_accurate_and_failures_come_last() -> None:
    trials = [trial("a", 0.9), trial("b", None), trial("c", 0.95)]
    assert [each.name for each in ranked(trials)] == ["c", "a", "b"]
    assert best(trials).name == "c"
    with pytest.raises(TrainingError, match="None of 1 trainings"):
        best([trial("b", None)])


@pytest.mark.parametrize(
    ("search", "named"),
    [
        (("grid", 1, 1), "'grid'"),
        (("random", 0, 0), r"1 to 750 trainings, not 0\.$"),
        (("random", 2, 3), "1 to 2 run at once, not 3"),
        (("random", 2, 0), "1 to 2 run at once, not 0"),
    ],
)
def test_a_search_that_there_is_not_is_refused(search: tuple[str, int, int], named: str) -> None:
    require_search("random", 2, 2)
    with pytest.raises(TrainingError, match=named):
        require_search(*search)


def test_the_objective_is_recorded_and_is_none_of_the_test_images() -> None:
    assert OBJECTIVE in RECORDED
    assert not OBJECTIVE.startswith("test")


def test_the_request_is_one_that_aws_takes(asked: dict[str, Any]) -> None:
    client = boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    arn = f"arn:aws:sagemaker:us-east-1:{'1' * 12}:hyper-parameter-tuning-job/search-1"
    with Stubber(client) as stub:
        stub.add_response(
            "create_hyper_parameter_tuning_job",
            {"HyperParameterTuningJobArn": arn},
            dict.fromkeys(asked, ANY),
        )
        client.create_hyper_parameter_tuning_job(**asked)
    definition = asked["TrainingJobDefinition"]
    assert not {each.name for each in RANGES} & set(definition["StaticHyperParameters"])
    assert definition["StaticHyperParameters"]["epochs"] == "2"
    assert "CheckpointConfig" not in definition


class FakeSageMaker:
    """A search that goes through the given states, with two trainings on two pages."""

    def __init__(self, *states: str | BaseException) -> None:
        self.states, self.stopped = list(states), ""

    def create_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        self.name = request["HyperParameterTuningJobName"]
        return {}

    def describe_hyper_parameter_tuning_job(
        self, *, HyperParameterTuningJobName: str
    ) -> dict[str, Any]:
        state = self.states.pop(0)
        if isinstance(state, BaseException):
            raise state
        counts = {"Completed": 1, "InProgress": 1}
        return {"HyperParameterTuningJobStatus": state, "TrainingJobStatusCounters": counts}

    def list_training_jobs_for_hyper_parameter_tuning_job(
        self, *, NextToken: str = "", **_: Any
    ) -> dict[str, Any]:
        if NextToken:
            failed = {"TrainingJobName": "b", "TrainingJobStatus": "Failed"}
            return {"TrainingJobSummaries": [failed]}
        summary = {
            "TrainingJobName": "a",
            "TrainingJobStatus": "Completed",
            "TunedHyperParameters": {"learning_rate_scale": "0.2", "_tuning_objective_metric": "x"},
            "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": OBJECTIVE, "Value": 0.9},
        }
        return {"TrainingJobSummaries": [summary], "NextToken": "1"}

    def stop_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> None:
        self.stopped = HyperParameterTuningJobName

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        raise NotImplementedError


def run(
    sagemaker: FakeSageMaker, asked: dict[str, Any]
) -> tuple[list[Trial], list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []
    found = search(
        sagemaker,
        asked,
        progress=lambda done, jobs: seen.append((done, jobs)),
        sleep=lambda _: None,
    )
    return found, seen


def test_a_search_is_followed_to_its_trials(asked: dict[str, Any]) -> None:
    found, seen = run(FakeSageMaker("InProgress", "Completed"), asked)
    assert found == [
        Trial("a", {"learning_rate_scale": "0.2"}, 0.9),
        Trial("b", {}, None, "Failed"),
    ]
    assert seen == [(1, 3), (1, 3)]


def test_a_search_that_fails_or_is_refused_is_one_sentence(asked: dict[str, Any]) -> None:
    with pytest.raises(TrainingJobFailed, match="search-1 ended as Failed"):
        run(FakeSageMaker("Failed"), asked)
    error = ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": "m"}}, "Create")
    with pytest.raises(TrainingError, match="search-1 could not be made"):
        run(FakeSageMaker(error), asked)


def test_an_interrupt_stops_the_search(asked: dict[str, Any]) -> None:
    sagemaker = FakeSageMaker(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(sagemaker, asked)
    assert sagemaker.stopped == "search-1"
