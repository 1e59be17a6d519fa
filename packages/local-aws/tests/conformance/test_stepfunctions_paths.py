"""JSONPath, intrinsic functions, Choice and Wait in state machines.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import datetime
import json
from typing import Any

import pytest

from local_aws.testing.aws import Aws

ROWS = {"rows": [{"n": 1, "ü": "a"}, {"n": 2, "ü": "b"}], "name": 'say "é" \\ {}'}


def ran(aws: Aws, given: Any, **states: Any) -> dict[str, Any]:
    definition = {"StartAt": next(iter(states)), "States": states}
    return aws.run(aws.state_machine(definition), given)


def output(aws: Aws, given: Any, **states: Any) -> Any:
    ended = ran(aws, given, **states)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def passing(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.rows[0].n", 1),
        ("$.rows[*].n", [1, 2]),
        ("$.rows[0:1].n", [1]),
        ("$.rows[?(@.n > 1 && @.ü == 'b')].n", [2]),
        ('$.rows[?(@.ü == "a")].ü', ["a"]),
        ("$.rows[0]['ü']", "a"),
        ("$..n", [1, 2]),
        ("$.rows[?(@.n > 9)]", []),
    ],
)
def test_each_field_reads_a_path_alike(aws: Aws, path: str, value: Any) -> None:
    assert output(aws, ROWS, P=passing(InputPath=path)) == value
    assert output(aws, ROWS, P=passing(OutputPath=path)) == value
    assert output(aws, ROWS, P=passing(Parameters={"v.$": path})) == {"v": value}
    assigned = {"Type": "Pass", "Assign": {"v.$": path}, "Next": "Q"}
    assert output(aws, ROWS, P=assigned, Q=passing(Parameters={"v.$": "$v"})) == {"v": value}
    branch = {"StartAt": "B", "States": {"B": passing()}}
    parallel = {
        "Type": "Parallel",
        "Branches": [branch],
        "ResultSelector": {"v.$": path.replace("$", "$[0]", 1)},
        "End": True,
    }
    assert output(aws, ROWS, P=parallel) == {"v": value}


def test_a_choice_reads_paths_and_fails_at_an_absent_one(aws: Aws) -> None:
    def chosen(**rule: Any) -> dict[str, Any]:
        choice = {"Type": "Choice", "Choices": [{**rule, "Next": "Y"}], "Default": "N"}
        states = {"C": choice, "Y": passing(Result="yes"), "N": passing(Result="no")}
        return ran(aws, ROWS, **states)

    assert json.loads(chosen(Variable="$.rows[1].n", NumericEquals=2)["output"]) == "yes"
    assert json.loads(chosen(Variable="$.rows[5]", IsPresent=False)["output"]) == "yes"
    present = {"Variable": "$.absent", "IsPresent": True}
    condition = {"And": [present, {"Variable": "$.absent", "StringEquals": "x"}]}
    assert json.loads(chosen(**condition)["output"]) == "no"
    for test in ({"StringEquals": "x"}, {"IsNull": True}, {"NumericGreaterThan": 1}):
        ended = chosen(Variable="$.absent", **test)
        assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
        assert "$.absent" in ended["cause"]


def test_a_function_reads_escapes_and_other_letters_as_the_definition_has_them(aws: Aws) -> None:
    parameters = {
        "ключ.$": r"States.Format('\{\'{}\'\} é', $.name)",
        "null.$": "States.JsonToString(null)",
        "nested.$": "States.ArrayLength(States.Array($.rows[*].ü, null))",
    }
    assert output(aws, ROWS, P=passing(Parameters=parameters)) == {
        "ключ": "{'" + ROWS["name"] + "'} é",  # type: ignore[operator]
        "null": "null",
        "nested": 2,
    }


def test_a_function_that_fails_can_be_caught_where_a_state_has_catch(aws: Aws) -> None:
    broken = {"v.$": "States.ArrayGetItem($.rows, 9)"}
    ended = ran(aws, ROWS, P=passing(Parameters=broken))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.IntrinsicFailure")
    assert "States.ArrayGetItem($.rows, 9)" in ended["cause"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "never", "Payload": broken},
        "Catch": [{"ErrorEquals": ["States.IntrinsicFailure"], "Next": "C"}],
        "End": True,
    }
    caught = output(aws, ROWS, T=task, C=passing())
    assert caught["Error"] == "States.IntrinsicFailure"


@pytest.mark.parametrize("hours", [0, 2, -9])
def test_a_wait_ends_at_its_time_in_any_offset(aws: Aws, hours: int) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    until = datetime.datetime.now(zone) + datetime.timedelta(seconds=1.4)
    wait = {"Type": "Wait", "TimestampPath": "$.at", "End": True}
    ended = ran(aws, {"at": until.isoformat()}, W=wait)
    assert ended["status"] == "SUCCEEDED", ended
    # The API gives milliseconds.
    assert -0.001 <= (ended["stopDate"] - until).total_seconds() < 10


RULES = (
    {"Variable": "$.n", "NumericEquals": 1},
    {"And": [{"Variable": "$.n", "NumericEquals": 1}, {"Variable": "$.n", "IsPresent": True}]},
    {"Not": {"Variable": "$.n", "NumericEquals": 2}},
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_a_choice_assigns_variables(aws: Aws, rule: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html"""
    seven = {"Variable": "$.n", "NumericEquals": 7, "Assign": {"x": "seven"}, "Next": "Shown"}
    choice = {
        "Type": "Choice",
        "Choices": [
            seven,
            {**rule, "Assign": {"x.$": "$.n", "y": "rule"}, "Next": "Shown"},
        ],
        "Assign": {"x": "default", "y.$": "$.n"},
        "Default": "Shown",
    }
    shown = passing(Parameters={"x.$": "$x", "y.$": "$y", "n.$": "$.n"})
    assert output(aws, {"n": 1}, Choice=choice, Shown=shown) == {"x": 1, "y": "rule", "n": 1}
    otherwise = {**choice, "Choices": [seven]}
    found = output(aws, {"n": 1}, Choice=otherwise, Shown=shown)
    assert found == {"x": "default", "y": 1, "n": 1}
