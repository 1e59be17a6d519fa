"""Definitions and ARNs that AWS refuses, and how the fields of those that it takes are read."""

import json
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code

END: dict[str, Any] = {"Type": "Pass", "End": True}


def flow(*, jsonata: bool = False, **states: Any) -> dict[str, Any]:
    language = {"QueryLanguage": "JSONata"} if jsonata else {}
    return {"StartAt": next(iter(states)), "States": states, **language}


def ended(aws: Aws, definition: dict[str, Any], given: Any = None) -> tuple[str, Any]:
    """Return an execution's status, and its output or else the name of its error."""
    found = aws.run(aws.state_machine(definition), given)
    return found["status"], json.loads(found["output"]) if "output" in found else found["error"]


def test_a_definition_is_read_alike_after_a_refused_one(aws: Aws) -> None:
    wrong = {"ErrorEquals": ["States.NoSuchError"], "Next": "Z"}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Catch": [wrong],
        "Arguments": {"FunctionName": "f"},
        "End": True,
    }
    create = aws.client("stepfunctions").create_state_machine
    text = json.dumps(flow(jsonata=True, T=task, Z={"Type": "Succeed"}))
    refused = error_code(create, name=unique("m"), roleArn=aws.role, definition=text)
    assert refused == "InvalidDefinition"
    own = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 + 1 %}", "Next": "B"}
    plain = {**END, "Parameters": {"n.$": "$"}}
    assert ended(aws, flow(A=own, B=plain)) == ("SUCCEEDED", {"n": 2})
    inner = {**flow(P={**END, "Parameters": {"n.$": "$"}}), "ProcessorConfig": {"Mode": "INLINE"}}
    around = {"Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "ItemProcessor": inner}
    assert ended(aws, flow(M={**around, "End": True})) == ("SUCCEEDED", [{"n": 1}])


def test_a_definition_that_is_not_json_has_its_own_code(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html"""
    states = aws.client("stepfunctions")
    (found,) = states.validate_state_machine_definition(definition="{no")["diagnostics"]
    assert found["code"] == "INVALID_JSON_DESCRIPTION"


def test_only_an_asterisk_is_a_wildcard_of_a_choice(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"""
    patterns = {r"a\*b": "a*b", "x?[ab]*": "x?[ab]-1", r"c\\*": r"c\d"}
    others = {r"a\*b": "acb", "x?[ab]*": "xxa", r"c\\*": "cd"}
    for pattern, right in patterns.items():
        rule = {"Variable": "$", "StringMatches": pattern, "Next": "Yes"}
        choice = {"Type": "Choice", "Choices": [rule], "Default": "No"}
        yes, no = {**END, "Result": True}, {**END, "Result": False}
        machine = aws.state_machine(flow(C=choice, Yes=yes, No=no))
        for given, matches in ((right, True), (others[pattern], False)):
            assert json.loads(aws.run(machine, given)["output"]) is matches


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Fail", "Error": "{% 1 %}"},
        {"Type": "Wait", "Seconds": "{% -1 %}", "End": True},
        {"Type": "Wait", "Timestamp": "{% 5 %}", "End": True},
        {
            "Type": "Map",
            "Items": [1],
            "MaxConcurrency": "{% 'two' %}",
            "ItemProcessor": flow(P=END),
            "End": True,
        },
    ],
)
def test_an_expression_gives_a_value_of_its_fields_type(aws: Aws, state: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html"""
    assert ended(aws, flow(jsonata=True, S=state)) == ("FAILED", "States.QueryEvaluationError")


def test_a_result_without_a_place_has_an_error_that_can_be_caught(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    error = "States.ResultPathMatchFailure"
    alone = {**END, "Result": 1, "ResultPath": "$.a.b"}
    assert ended(aws, flow(P=alone), {"a": 1}) == ("FAILED", error)
    branch = flow(P=END)
    caught = {"ErrorEquals": [error], "Next": "Z"}
    both = {"Type": "Parallel", "Branches": [branch], "ResultPath": "$.a.b", "Catch": [caught]}
    after = {**END, "OutputPath": "$.Error"}
    assert ended(aws, flow(B={**both, "End": True}, Z=after), {"a": 1}) == ("SUCCEEDED", error)


def test_an_arn_that_is_none_is_named(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html"""
    states = aws.client("stepfunctions")
    for call in (states.describe_execution, states.stop_execution, states.get_execution_history):
        assert error_code(call, executionArn="nothing") == "InvalidArn"
    text = json.dumps(flow(P=END))
    create = states.create_state_machine
    refused = error_code(create, name=unique("m"), roleArn="nobody", definition=text)
    assert refused == "InvalidArn"
