"""JSONata and variables in state machines.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws

ECHO = "def handler(event, context): return event\n"
FAILING = "class Odd(Exception): ...\ndef handler(event, context): raise Odd('no')\n"


@pytest.fixture(scope="module")
def echo(aws: Aws) -> str:
    return aws.function(ECHO)


def flow(**states: Any) -> dict[str, Any]:
    """Return a state machine in JSONata that begins with its first state."""
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def ran(aws: Aws, definition: dict[str, Any], event: Any = None) -> dict[str, Any]:
    return aws.run(aws.state_machine(definition), event)


def output(aws: Aws, definition: dict[str, Any], event: Any = None) -> Any:
    outcome = ran(aws, definition, event)
    assert outcome["status"] == "SUCCEEDED", outcome
    return json.loads(outcome["output"])


def answered(aws: Aws, expression: str, event: Any = None) -> Any:
    """Return what an expression is in a state's Output."""
    state = {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}
    return output(aws, flow(S=state), event)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.items[price > 1].name", "b"),
        ("$sum($states.input.items.price)", 3),
        ("{'n': $count($states.input.items), 'none': null}", {"n": 2, "none": None}),
        ("$states.input.quoted & '!'", 'say "hi" \\ there!'),
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(1, 7, 3)", [1, 4, 7]),
        ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("$parse('{\"a\": [1]}').a", [1]),
        ("$length($uuid())", 36),
        ("$random(7) = $random(7)", True),
        ("$states.context.State.Name", "S"),
        ("($half := function($x){ $x / 2 }; $half(3))", 1.5),
    ],
)
def test_an_expression_has_jsonatas_value(aws: Aws, expression: str, value: Any) -> None:
    items = [{"name": "a", "price": 1}, {"name": "b", "price": 2}]
    assert answered(aws, expression, {"items": items, "quoted": 'say "hi" \\ there'}) == value


def test_arguments_result_and_output_of_a_task(aws: Aws, echo: str) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {
            "FunctionName": echo,
            "Payload": {"twice": "{% $states.input.n * 2 %}", "plain": "$.n", "list": ["{% 1 %}"]},
        },
        "Output": {"got": "{% $states.result.Payload %}", "was": "{% $states.input.n %}"},
        "End": True,
    }
    assert output(aws, flow(S=task), {"n": 2}) == {
        "got": {"twice": 4, "plain": "$.n", "list": [1]},
        "was": 2,
    }


def test_a_choice_takes_the_first_condition_that_is_true(aws: Aws) -> None:
    rules = [
        {"Condition": "{% $states.input.n > 10 %}", "Next": "Many"},
        {
            "Condition": "{% $states.input.n > 1 %}",
            "Assign": {"seen": "{% $states.input.n %}"},
            "Output": "{% 'some' %}",
            "Next": "Some",
        },
    ]
    definition = flow(
        Pick={"Type": "Choice", "Choices": rules, "Default": "None"},
        Many={"Type": "Succeed", "Output": "many"},
        Some={"Type": "Succeed", "Output": "{% $states.input & ' ' & $string($seen) %}"},
        None_={"Type": "Succeed"},
    )
    definition["States"]["None"] = {"Type": "Succeed", "Output": "none"}
    del definition["States"]["None_"]
    machine = aws.state_machine(definition)
    found = [json.loads(aws.run(machine, {"n": n})["output"]) for n in (11, 2, 0)]
    assert found == ["many", "some 2", "none"]


def test_a_rule_that_leads_to_the_default_assigns_and_puts_out_its_own(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"""
    rule = {
        "Condition": "{% $states.input.n > 1 %}",
        "Assign": {"by": "rule"},
        "Output": "of the rule",
        "Next": "Same",
    }
    default = {"Default": "Same", "Assign": {"by": "default"}, "Output": "of the default"}
    definition = flow(
        Pick={"Type": "Choice", "Choices": [rule], **default},
        Same={"Type": "Succeed", "Output": "{% $by & ', ' & $states.input %}"},
    )
    machine = aws.state_machine(definition)
    found = [json.loads(aws.run(machine, {"n": n})["output"]) for n in (2, 1)]
    assert found == ["rule, of the rule", "default, of the default"]


def test_a_map_over_items_and_a_parallel(aws: Aws) -> None:
    times = {"Type": "Pass", "Output": "{% $states.input.v * $factor + $states.input.i %}"}
    inner = {"StartAt": "P", "States": {"P": {**times, "End": True}}}
    mapped = {
        "Type": "Map",
        "Items": "{% $states.input.numbers %}",
        "MaxConcurrency": 2,
        "ItemSelector": {
            "v": "{% $states.context.Map.Item.Value %}",
            "i": "{% $states.context.Map.Item.Index %}",
        },
        "ItemProcessor": inner,
        "Output": {"sum": "{% $sum($states.result) %}", "all": "{% $states.result %}"},
        "Next": "Both",
    }
    plus = {"Type": "Pass", "Output": "{% $states.input.sum + $factor %}", "End": True}
    branch, other = ({"StartAt": name, "States": {name: plus}} for name in "QR")
    both = {"Type": "Parallel", "Branches": [branch, other], "End": True}
    definition = flow(
        Start={"Type": "Pass", "Assign": {"factor": 10}, "Next": "Map"}, Map=mapped, Both=both
    )
    assert output(aws, definition, {"numbers": [1, 2, 3]}) == [73, 73]


def test_an_error_is_caught_with_its_output(aws: Aws) -> None:
    name = aws.function(FAILING)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": name},
        "Catch": [
            {
                "ErrorEquals": ["Odd"],
                "Assign": {"error": "{% $states.errorOutput.Error %}"},
                "Output": {"was": "{% $states.input %}"},
                "Next": "After",
            }
        ],
        "End": True,
    }
    after = {"Type": "Succeed", "Output": "{% $merge([$states.input, {'error': $error}]) %}"}
    found = output(aws, flow(S=task, After=after), "given")
    assert found == {"was": "given", "error": "Odd"}


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("$states.input.nothing", "returned nothing (undefined)"),
        ("1 / 'a'", "threw an error"),
        ("function($x){ $x }", "unsupported result type"),
        ("$eval('1')", "$eval is not supported"),
    ],
)
def test_an_expression_without_a_value_fails_the_execution(
    aws: Aws, expression: str, says: str
) -> None:
    state = {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}
    outcome = ran(aws, flow(S=state), {})
    assert (outcome["status"], outcome["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert says in outcome["cause"]
    history = aws.client("stepfunctions").get_execution_history(
        executionArn=outcome["executionArn"]
    )["events"]
    assert "EvaluationFailed" in [event["type"] for event in history]


def test_a_failed_expression_of_a_task_can_be_caught(aws: Aws, echo: str) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": echo, "Payload": "{% $states.input.none %}"},
        "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "After"}],
        "End": True,
    }
    assert output(aws, flow(S=task, After={"Type": "Succeed", "Output": "caught"}), {}) == "caught"


def test_times_and_messages_may_be_expressions(aws: Aws) -> None:
    definition = flow(
        Wait={"Type": "Wait", "Seconds": "{% $states.input.s %}", "Next": "Fail"},
        Fail={"Type": "Fail", "Error": "{% 'E' & '1' %}", "Cause": "{% $states.input.why %}"},
    )
    outcome = ran(aws, definition, {"s": 0, "why": "it is so"})
    assert (outcome["error"], outcome["cause"]) == ("E1", "it is so")


def test_variables_in_jsonpath_are_assigned_from_the_result_and_read_by_path(
    aws: Aws, echo: str
) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": echo, "Payload.$": "$"},
        "Assign": {"kept.$": "$.Payload.list", "fixed": {"a": ["x"]}, "id.$": "$$.State.Name"},
        "ResultPath": None,
        "Next": "Use",
    }
    use = {
        "Type": "Pass",
        "Parameters": {
            "second.$": "$kept[1]",
            "all.$": "$kept",
            "deep.$": "$fixed.a[0]",
            "text.$": "States.Format('{}-{}', $id, $.n)",
            "input.$": "$.n",
        },
        "End": True,
    }
    definition = {"StartAt": "Task", "States": {"Task": task, "Use": use}}
    assert output(aws, definition, {"n": 1, "list": ["p", "q"]}) == {
        "second": "q",
        "all": ["p", "q"],
        "deep": "x",
        "text": "Task-1",
        "input": 1,
    }


def test_an_assignment_sees_the_values_before_it(aws: Aws) -> None:
    definition = flow(
        First={"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "Swap"},
        Swap={
            "Type": "Pass",
            "Assign": {"x": "{% $y %}", "y": "{% $x %}"},
            "Output": {"then": "{% $x %}"},
            "Next": "Last",
        },
        Last={"Type": "Pass", "Output": "{% [$states.input.then, $x, $y] %}", "End": True},
    )
    assert output(aws, definition) == [1, 2, 1]


def test_an_inner_variable_ends_with_its_flow(aws: Aws) -> None:
    inner = {
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "Assign": {"inner": 1}, "End": True}},
    }
    definition = flow(
        Map={"Type": "Map", "Items": [1], "ItemProcessor": inner, "Next": "Last"},
        Last={"Type": "Pass", "Output": "{% $exists($inner) %}", "End": True},
    )
    assert output(aws, definition) is False


def test_what_was_assigned_is_in_the_history(aws: Aws) -> None:
    state = {"Type": "Pass", "Assign": {"quoted": 'a "b"', "n": "{% 1 + 1 %}"}, "End": True}
    outcome = ran(aws, flow(S=state))
    events = aws.client("stepfunctions").get_execution_history(
        executionArn=outcome["executionArn"]
    )["events"]
    exited = next(e["stateExitedEventDetails"] for e in events if "stateExitedEventDetails" in e)
    assert {k: json.loads(v) for k, v in exited["assignedVariables"].items()} == {
        "quoted": 'a "b"',
        "n": 2,
    }


def test_a_variable_has_at_most_256_kib(aws: Aws) -> None:
    pad = "{% $pad('', 300000, 'x') %}"
    outcome = ran(aws, flow(S={"Type": "Pass", "Assign": {"large": pad}, "End": True}))
    assert outcome["error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"Output": "{% $states. %}"}, "INVALID_JSONATA_EXPRESSION"),
        ({"InputPath": "$.x"}, "field 'InputPath' is only supported for the 'JSONPath'"),
        ({"Parameters": {"a": 1}}, "field 'Parameters' is only supported for the 'JSONPath'"),
    ],
)
def test_a_definition_with_a_wrong_expression_is_refused(
    aws: Aws, state: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError) as refusal:
        aws.state_machine(flow(S={"Type": "Pass", "End": True, **state}))
    assert refusal.value.response["Error"]["Code"] == "InvalidDefinition"
    assert says in refusal.value.response["Error"]["Message"]


def test_an_inner_variable_may_not_have_an_outer_ones_name(aws: Aws) -> None:
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Assign": {"x": 1}, "End": True}}}
    definition = flow(
        First={"Type": "Pass", "Assign": {"x": 0}, "Next": "Map"},
        Map={"Type": "Map", "Items": [1], "ItemProcessor": inner, "End": True},
    )
    with pytest.raises(ClientError, match="assigned in an outer scope"):
        aws.state_machine(definition)


def test_single_states_may_be_in_jsonata(aws: Aws) -> None:
    plain = {"Type": "Pass", "Parameters": {"a.$": "$.n"}, "Next": "New"}
    new = {
        "Type": "Pass",
        "QueryLanguage": "JSONata",
        "Output": "{% $states.input.a + 1 %}",
        "End": True,
    }
    definition = {"StartAt": "Old", "States": {"Old": plain, "New": new}}
    assert output(aws, definition, {"n": 1}) == 2
