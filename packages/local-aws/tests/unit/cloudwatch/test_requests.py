from typing import Any

import pytest

from local_aws.cloudwatch.requests import datum_problems, query_problems

METRIC = {"MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60}}


@pytest.mark.parametrize(
    ("datum", "says"),
    [
        ({}, "must have one of Value"),
        ({"Value": 1e300}, "is invalid"),
        ({"Values": [1.0, -1e300]}, "is invalid"),
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
