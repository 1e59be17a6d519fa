import datetime
from typing import Any

import pytest

from local_aws.core.s3_uri import S3Uri
from local_aws.sagemaker.jobs.monitoring_spec import (
    DAILY,
    InvalidSchedule,
    Window,
    endpoint_input,
    next_time,
    processing_request,
    window,
)


def at(hour: int, minute: int = 0, day: int = 2) -> datetime.datetime:
    return datetime.datetime(2026, 3, day, hour, minute, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(0 * ? * * *)", at(11)),
        ("cron(0 12 ? * * *)", at(12)),
        ("cron(0 0/6 ? * * *)", at(12)),
        ("cron(0 17/12 ? * * *)", at(17)),
        (DAILY, at(0, day=3)),
        ("NOW", None),
    ],
)
def test_a_schedule_is_due_at_whole_hours(expression: str, due: datetime.datetime | None) -> None:
    assert next_time(expression, at(10, 30)) == due


@pytest.mark.parametrize(
    "expression", ["", "rate(1 hour)", "cron(5 * ? * * *)", "cron(0 24 ? * * *)"]
)
def test_other_expressions_are_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule, match="is none"):
        next_time(expression, at(10))


def test_an_execution_looks_at_what_came_since_the_one_before_it() -> None:
    assert window({"ScheduleExpression": "cron(0 * ? * * *)"}, at(11)) == Window(at(10), at(11))
    assert window({}, at(0)) == Window(at(0, day=1), at(0))
    given = {"DataAnalysisStartTime": "-P1DT2H", "DataAnalysisEndTime": "-PT1H"}
    assert window(given, at(3)) == Window(at(1, day=1), at(2))
    with pytest.raises(InvalidSchedule, match="no duration"):
        window({"DataAnalysisStartTime": "P"}, at(3))


def test_a_window_has_the_hours_that_it_begins_in() -> None:
    found = list(Window(at(22, 30), at(0, 30, day=3)).hours())
    assert found == ["2026/03/02/22", "2026/03/02/23", "2026/03/03/00"]


def definition(**more: Any) -> dict[str, Any]:
    output = {"S3Uri": "s3://b/reports", "LocalPath": "/opt/ml/processing/out"}
    given = {"EndpointName": "e", "LocalPath": "/opt/ml/processing/in"}
    return {
        "MonitoringInputs": [{"EndpointInput": given}],
        "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
        "MonitoringResources": {"ClusterConfig": {"InstanceCount": 1}},
        "MonitoringAppSpecification": {"ImageUri": "i", "PostAnalyticsProcessorSourceUri": "s"},
        "RoleArn": "r",
        **more,
    }


def test_an_execution_is_a_processing_job_over_the_captured_folders() -> None:
    baseline = {"ConstraintsResource": {"S3Uri": "s3://b/base/constraints.json"}}
    request = processing_request(
        definition(BaselineConfig=baseline, Environment={"OWN": "1"}),
        S3Uri("b", "captured/e"),
        ["v/2026/03/02/10"],
        Window(at(10), at(11)),
        schedule="s",
        name="job",
    )
    captured, constraints = (entry["S3Input"] for entry in request["ProcessingInputs"])
    assert captured["S3Uri"] == "s3://b/captured/e/v/2026/03/02/10"
    assert captured["LocalPath"] == "/opt/ml/processing/in/e/v/2026/03/02/10"
    assert constraints["LocalPath"] == "/opt/ml/processing/baseline/constraints"
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == "s3://b/reports/e/s/2026/03/02/10"
    told = request["Environment"]
    assert (told["start_time"], told["end_time"]) == (
        "2026-03-02T10:00:00Z",
        "2026-03-02T11:00:00Z",
    )
    assert told["baseline_constraints"].endswith("/constraints/constraints.json")
    assert told["OWN"] == "1" and told["dataset_source"] == "/opt/ml/processing/in"


def test_only_endpoints_are_monitored() -> None:
    with pytest.raises(InvalidSchedule, match="endpoints only"):
        endpoint_input({"MonitoringInputs": [{"BatchTransformInput": {}}]})
