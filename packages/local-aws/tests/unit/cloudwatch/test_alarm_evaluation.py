import pytest

from local_aws.cloudwatch.alarm_evaluation import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    Rule,
    new_state,
    reason,
)

KEEPS = None
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
# The two tables of
# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
THREE_OF_THREE = {
    "0-X-X": (OK, OK, OK, OK),
    "----0": (OK, OK, OK, OK),
    "-----": (INSUFFICIENT_DATA, KEEPS, ALARM, OK),
    "0XX-X": (ALARM, ALARM, ALARM, ALARM),
    "--X--": (ALARM, KEEPS, ALARM, OK),
}
TWO_OF_THREE = {
    "0-X-X": (ALARM, ALARM, ALARM, ALARM),
    "00X0X": (ALARM, ALARM, ALARM, ALARM),
    "0-X--": (OK, OK, ALARM, OK),
    "----0": (OK, OK, ALARM, OK),
    "---X-": (ALARM, KEEPS, ALARM, OK),
}


def values(row: str) -> list[float | None]:
    return [{"0": 1.0, "X": 9.0, "-": None}[mark] for mark in row]


@pytest.mark.parametrize(
    ("datapoints", "row", "treatment", "expected"),
    [
        (datapoints, row, treatment, expected)
        for datapoints, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
        for row, states in table.items()
        for treatment, expected in zip(TREATMENTS, states, strict=True)
    ],
)
def test_missing_data_are_treated_as_the_tables_say(
    datapoints: int, row: str, treatment: str, expected: str | None
) -> None:
    rule = Rule("GreaterThanThreshold", 5.0, 3, datapoints, treatment)
    assert new_state(rule, values(row)) == expected


@pytest.mark.parametrize(
    ("comparison", "at", "expected"),
    [
        ("GreaterThanOrEqualToThreshold", 5.0, ALARM),
        ("GreaterThanThreshold", 5.0, OK),
        ("LessThanThreshold", 5.0, OK),
        ("LessThanOrEqualToThreshold", 5.0, ALARM),
    ],
)
def test_a_value_on_the_threshold(comparison: str, at: float, expected: str) -> None:
    assert new_state(Rule(comparison, 5.0, 1, 1), [None, None, at]) == expected


def test_one_breaching_point_of_three_is_not_enough_where_two_are_asked_for() -> None:
    rule = Rule("GreaterThanThreshold", 5.0, 3, 2)
    assert new_state(rule, [9.0, 9.0, 1.0, 9.0, 1.0]) == OK


def test_the_reason_names_the_data_and_the_threshold() -> None:
    rule = Rule("GreaterThanOrEqualToThreshold", 1.0, 1, 1, "notBreaching")
    assert reason(rule, ALARM, [("21/11/26 02:10:00", 3.0)], 0) == (
        "Threshold Crossed: 1 out of the last 1 datapoint [3.0 (21/11/26 02:10:00)] was greater "
        "than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert reason(rule, OK, [], 1) == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [NonBreaching]."
    )
