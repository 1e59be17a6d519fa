from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.cloudwatch.requests import alarm_problems, datum_problems, query_problems

METRIC = {"MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60}}


@pytest.mark.parametrize(
    ("datum", "says"),
    [
        ({}, "must have one of Value"),
        ({"Value": 1e300}, "is invalid"),
        ({"Values": [1.0, -1e300]}, "is invalid"),
        ({"Value": float("nan")}, "is invalid"),
        ({"Values": [1.0], "Counts": [float("nan")]}, "number nan of values"),
        ({"Values": [1.0], "Counts": [-1.0]}, "number -1.0 of values"),
        ({"StatisticValues": {"SampleCount": -1, "Sum": 1, "Minimum": 1, "Maximum": 1}}, "-1"),
        ({"Value": 1, "Unit": "Apples"}, "must be a value in the set"),
        ({"Value": 1, "StorageResolution": 5}, "it is 1 or 60"),
        ({"Value": 1, "Dimensions": [{"Name": str(n), "Value": "v"} for n in range(31)]}, "30"),
    ],
)
def test_a_datum_that_cloudwatch_does_not_take_is_named(datum: dict[str, Any], says: str) -> None:
    (problem,) = datum_problems(datum, 3)
    assert "MetricData.member.3" in problem and says in problem


@pytest.mark.parametrize(
    "datum",
    [
        {"Value": 0.0, "Unit": "Bytes/Second", "StorageResolution": 1},
        {"Values": [1.0, 2.0]},
        {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}},
    ],
)
def test_a_right_datum_has_no_problem(datum: dict[str, Any]) -> None:
    assert list(datum_problems(datum, 1)) == []


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([{"Id": "M", **METRIC}], "lowercase letter"),
        ([{"Id": "m", **METRIC}, {"Id": "m", "Expression": "1"}], "not unique: m"),
        ([{"Id": "m", "ReturnData": False, **METRIC}], "must return data"),
        ([{"Id": "m", "MetricStat": {**METRIC["MetricStat"], "Period": 45}}], "Period"),
        ([{"Id": "m", "MetricStat": {**METRIC["MetricStat"], "Period": 0}}], "Period"),
    ],
)
def test_queries_that_cloudwatch_does_not_take_are_named(
    queries: list[dict[str, Any]], says: str
) -> None:
    (problem,) = query_problems(queries)
    assert says in problem


def test_right_queries_have_no_problem() -> None:
    assert list(query_problems([{"Id": "m1", "ReturnData": False, **METRIC}, {"Id": "e_2"}])) == []


TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
ALARM: dict[str, Any] = {
    "alarm_actions": [TOPIC],
    "ok_actions": [],
    "insufficient_data_actions": None,
    "rule": None,
    "statistic": "Sum",
    "extended_statistic": None,
    "treat_missing_data": "notBreaching",
    "evaluation_periods": 3,
    "datapoints_to_alarm": 2,
    "threshold": 1.0,
    "metric_data_queries": [],
    "namespace": "N",
    "metric_name": "M",
}


def problems(periods: list[int], **given: Any) -> list[str]:
    return list(alarm_problems(SimpleNamespace(**{**ALARM, **given}), periods))


@pytest.mark.parametrize(
    ("periods", "count", "says"),
    [
        ([45], 3, "multiple of 60"),
        ([60, 0], 3, "multiple of 60"),
        ([60, 1800], 49, "at most a day"),
        ([3600], 169, "seven days"),
    ],
)
def test_a_time_over_which_no_alarm_is_evaluated_is_named(
    periods: list[int], count: int, says: str
) -> None:
    (problem,) = problems(periods, evaluation_periods=count)
    assert says in problem


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ok_actions": [TOPIC] * 6}, "at most 5 actions"),
        ({"ok_actions": ["topic"]}, "Invalid arn syntax: topic"),
        ({"extended_statistic": "p90"}, "Only one of Statistic"),
        ({"treat_missing_data": "skip"}, "TreatMissingData is one of"),
        ({"datapoints_to_alarm": 4}, "DatapointsToAlarm"),
        ({"threshold": None}, "Threshold is invalid"),
        ({"threshold": float("nan")}, "nan for parameter Threshold"),
        ({"threshold": float("inf")}, "inf for parameter Threshold"),
        ({"evaluation_periods": 0, "datapoints_to_alarm": None}, "at least 1"),
        ({"datapoints_to_alarm": -1}, "at least 1"),
        ({"namespace": None}, "Namespace and MetricName are required"),
    ],
)
def test_an_alarm_that_cloudwatch_does_not_take_is_named(given: dict[str, Any], says: str) -> None:
    (problem,) = problems([300], **given)
    assert says in problem


@pytest.mark.parametrize(
    ("periods", "given"), [([300], {}), ([60, 3600], {}), ([], {"rule": "TRUE"})]
)
def test_a_right_alarm_has_no_problem(periods: list[int], given: dict[str, Any]) -> None:
    assert problems(periods, **given) == []
