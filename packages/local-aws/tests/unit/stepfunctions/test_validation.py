from typing import Any

import pytest

from local_aws.stepfunctions.validation import (
    problems_of,
    reused_variables,
    unsupported_features,
)


def test_unsupported_features_are_found_at_any_depth() -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob"}
    deep = {"States": {"P": {**task, "Resource": "arn:aws:states:us-east-1:1:activity:a"}}}
    definition = {
        "States": {
            "Par": {"Type": "Parallel", "Branches": [{"States": {}}, deep]},
            "Map": {"Type": "Map", "ItemProcessor": {"States": {"V": task}}},
        }
    }
    found = list(unsupported_features(definition))
    assert len(found) == 2
    assert "State P" in found[0] and "State V" in found[1]


@pytest.mark.parametrize("definition", [None, 3, [], {}, {"States": []}, {"States": {"A": 1}}])
def test_what_is_no_definition_has_no_features(definition: Any) -> None:
    assert list(unsupported_features(definition)) == []


def refused(state: dict[str, Any], machine_type: str = "STANDARD") -> str:
    found = unsupported_features({"States": {"S": state}}, machine_type)
    return next(iter(found), "")


def csv(**config: Any) -> dict[str, Any]:
    return distributed(ItemReader={"ReaderConfig": {"InputType": "CSV", **config}})


def distributed(**more: Any) -> dict[str, Any]:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}
    return {"Type": "Map", "ItemProcessor": processor, **more}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (distributed(ItemReader={"ReaderConfig": {"InputType": "PARQUET"}}), "PARQUET"),
        (
            distributed(ItemReader={"ReaderConfig": {"ItemsPointer": "/a", "InputType": "JSONL"}}),
            "ItemsPointer",
        ),
        (distributed(ItemReader={"ReaderConfig": {"ManifestType": "ATHENA_DATA"}}), "ATHENA_DATA"),
        (distributed(ItemReader={"ReaderConfig": {"CSVDelimiter": "x"}}), "CSVDelimiter"),
        (distributed(ItemReader={"ReaderConfig": {"InputType": "CSV"}}), "CSVHeaderLocation is"),
        (csv(CSVHeaderLocation="GIVEN"), "CSVHeaders are required"),
        (csv(CSVHeaderLocation="FIRST_ROW", CSVHeaders=["a"]), "GIVEN only"),
        (distributed(ItemBatcher={"BatchInput": {}}), "MaxItemsPerBatch"),
        (distributed(ResultWriter={}), "ResultWriter"),
        (distributed(ResultWriter={"Resource": "r"}), "Parameters"),
        (distributed(ResultWriter={"WriterConfig": {"Transformation": "x"}}), "COMPACT"),
        (distributed(ResultWriter={"WriterConfig": {"OutputType": "JSONL"}}), "JSONL"),
        ({"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}}, "DISTRIBUTED only"),
        ({"Type": "Task", "Resource": "arn:aws:states:r:1:activity:a"}, "activity"),
        ({"Type": "Task", "Resource": "arn:aws:states:::http:invoke"}, "http"),
    ],
)
def test_what_a_state_must_not_have_is_named(state: dict[str, Any], said: str) -> None:
    assert said in refused(state) and "State S" in refused(state)


def test_an_express_state_machine_must_not_wait_for_others() -> None:
    sync = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    assert not refused(sync)
    assert ".sync" in refused(sync, "EXPRESS")
    assert not refused(distributed())
    assert "DISTRIBUTED" in refused(distributed(), "EXPRESS")
    child = distributed()
    child["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS"
    child["ItemProcessor"]["States"] = {"T": sync}
    assert "State T" in refused(child)


@pytest.mark.parametrize("place", ["Assign", "Catch", "Choices"])
def test_a_name_that_an_outer_flow_has_is_reported(place: str) -> None:
    given: Any = {"x": 1} if place == "Assign" else [{"Assign": {"x": 1}}]
    inner = {"States": {"P": {"Assign": {"x.$": "$"}}}}
    flow = {"States": {"A": {place: given}, "M": {"Branches": [inner]}}}
    assert list(reused_variables(flow)) == ["The variable x is assigned in an outer scope as well."]
    assert list(reused_variables({"States": {"M": {"Branches": [inner, inner]}}})) == []


END: dict[str, Any] = {"Type": "Succeed"}


def on(**more: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Next": "Z", **more}


@pytest.mark.parametrize(
    ("states", "code", "location"),
    [
        ({"A": on(Next="A")}, "MISSING_END_STATE", "/States"),
        ({"A": END, "B": on(), "Z": END}, "MISSING_TRANSITION_TARGET", "/States/B"),
        ({"A": on(Next="Q"), "Z": END}, "MISSING_TRANSITION_TARGET", "/States/A/Next"),
        ({"Z": END}, "MISSING_TRANSITION_TARGET", "/StartAt"),
        (
            {"A": {"Type": "Choice", "Choices": [{"Next": "Q"}], "Default": "Z"}, "Z": END},
            "MISSING_TRANSITION_TARGET",
            "/States/A/Choices[0]/Next",
        ),
        (
            {"A": {"Type": "Choice", "Choices": [], "Default": "Q"}, "Z": END},
            "MISSING_TRANSITION_TARGET",
            "/States/A/Default",
        ),
        (
            {"A": {"Type": "Task", "Resource": "r", "End": True, "Catch": [{"Next": "Q"}]}},
            "MISSING_TRANSITION_TARGET",
            "/States/A/Catch[0]/Next",
        ),
        ({"A": on(Retry=[]), "Z": END}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": on(Sesonds=1), "Z": END}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": on(End=True), "Z": END}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Pass"}, "Z": END}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Succeed", "End": True}}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Fail", "Next": "Z"}, "Z": END}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Wait", "End": True}}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Nap", "End": True}}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({"A": {"Type": "Parallel", "End": True}}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
        ({}, "SCHEMA_VALIDATION_FAILED", "/"),
        ({"A": 3}, "SCHEMA_VALIDATION_FAILED", "/States/A"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_flow_that_cannot_be_walked_is_named_with_its_place(
    states: dict[str, Any], code: str, location: str, nested: bool
) -> None:
    flow: dict[str, Any] = {"StartAt": "A", "States": states}
    if nested:
        outer = {"Type": "Map", "ItemProcessor": flow, "End": True}
        flow, location = (
            {"StartAt": "M", "States": {"M": outer}},
            f"/States/M/ItemProcessor{location}",
        )
    found = {(problem.code, problem.location.removesuffix("/")) for problem in problems_of(flow)}
    assert (code, location.removesuffix("/")) in found


def test_a_sound_flow_has_no_problem() -> None:
    branch = {"StartAt": "B", "States": {"B": {"Type": "Fail"}}}
    rule = {"Variable": "$.n", "NumericEquals": 1}
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "P"}, {"Not": rule, "Next": "W"}]}
    states = {
        "C": choice,
        "P": {
            "Type": "Parallel",
            "Branches": [branch],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
            "Retry": [],
            "Next": "Z",
        },
        "W": {"Type": "Wait", "SecondsPath": "$.s", "Comment": "c", "Next": "Z"},
        "Z": {"Type": "Pass", "Result": 1, "End": True},
    }
    flow = {"Comment": "c", "StartAt": "C", "States": states, "TimeoutSeconds": 5}
    assert list(problems_of(flow)) == []


def test_a_state_machines_own_fields_are_checked() -> None:
    flow = {"StartAt": "Z", "States": {"Z": END}, "Timeout": 5}
    (problem,) = problems_of(flow)
    assert "'Timeout' is not supported" in str(problem)


@pytest.mark.parametrize("seconds", [0, -1, 100_000_000, 10**18])
def test_an_execution_has_a_time_that_there_is(seconds: int) -> None:
    flow = {"StartAt": "Z", "States": {"Z": END}, "TimeoutSeconds": seconds}
    assert ["TimeoutSeconds" in str(problem) for problem in problems_of(flow)] == [True]


@pytest.mark.parametrize("field", ["ToleratedFailureCount", "ToleratedFailurePercentage"])
def test_an_inline_map_may_have_a_tolerance(field: str) -> None:
    inner = {"StartAt": "Z", "States": {"Z": END}}
    state = {"Type": "Map", "ItemProcessor": inner, field: 5, "End": True}
    assert list(problems_of({"StartAt": "M", "States": {"M": state}})) == []


def said_of(state: dict[str, Any], **machine: Any) -> list[str]:
    """Return what is wrong with a state machine of one state, with its code and place."""
    flow = {"StartAt": "S", "States": {"S": state}, **machine}
    return [str(problem) for problem in problems_of(flow)]


TASK: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage",
    "Parameters": {"QueueUrl.$": "$.url", "MessageBody": "m"},
    "End": True,
}


def test_a_state_has_the_language_of_the_state_machine_or_its_own() -> None:
    own = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "End": True}
    assert said_of(own) == []
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": 1, "End": True}}}
    around = {"Type": "Map", "QueryLanguage": "JSONata", "ItemProcessor": inner, "End": True}
    (said,) = said_of(around)
    assert "is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata'" in said
    assert said.endswith("at /States/S/ItemProcessor/States/P")
    assert said_of(around, QueryLanguage="JSONata") == []
    (said,) = said_of(
        {**own, "QueryLanguage": "JSONPath"} | {"Output": 1}, QueryLanguage="JSONata"
    )[:1]
    assert "can not be 'JSONPath' if set to 'JSONata' for whole state machine" in said
    branch = {**inner, "QueryLanguage": "JSONata"}
    found = said_of({"Type": "Parallel", "Branches": [branch], "End": True})
    assert "Field 'QueryLanguage' is not supported at /States/S/Branches[0]" in found[0]
    assert "JSONPath or JSONata" in said_of({**own, "QueryLanguage": "jsonata"})[0]


def test_a_name_is_that_of_one_state_only_in_the_whole_state_machine() -> None:
    inner = {"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}
    found = said_of({"Type": "Parallel", "Branches": [inner], "End": True})
    assert found == [
        "DUPLICATE_STATE_NAME: Duplicate State name: S at /States/S/Branches[0]/States/S"
    ]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"TimeoutSeconds": 0}, "TimeoutSeconds"),
        ({"TimeoutSeconds": 1.5}, "TimeoutSeconds"),
        ({"HeartbeatSeconds": True}, "HeartbeatSeconds"),
        ({"Retry": [{"ErrorEquals": ["States.ALL", "A"]}]}, "only element"),
        ({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]}, "last element"),
        ({"Retry": [{"MaxAttempts": 1}]}, "at least one error's name"),
        ({"Retry": [{"ErrorEquals": ["A"], "BackoffRate": 0.5}]}, "BackoffRate"),
        ({"Retry": [{"ErrorEquals": ["A"], "MaxAttempts": -1}]}, "MaxAttempts"),
        (
            {"Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 3, "MaxDelaySeconds": 3}]},
            "greater than 'IntervalSeconds'",
        ),
        ({"Retry": [{"ErrorEquals": ["A"], "JitterStrategy": "HALF"}]}, "JitterStrategy"),
        ({"Assign": {"states": 1}}, "cannot be the name of a variable"),
        ({"Assign": {"1st.$": "$"}}, "cannot be the name of a variable"),
        ({"ResultPath": "$.a[*]"}, "reference path"),
        ({"ResultPath": "$$.Execution"}, "reference path"),
        ({"ResultSelector": {"a.$": 1}}, "valid JSONPath"),
        ({"ResultSelector": {"a": [{"b.$": "plain"}]}}, "valid JSONPath"),
        ({"Parameters": {"QueueUrl": "q"}}, 'field "MessageBody" is required'),
        ({"Parameters": {**TASK["Parameters"], "Boby": "m"}}, 'field "Boby" is not supported'),
        ({"Resource": "arn:aws:states:::sqs:receiveMessage"}, "is not recognized"),
        ({"Resource": "arn:aws:states:::sqs:sendMessage.sync"}, "is not recognized"),
        ({"Resource": "arn:aws:states:::aws-sdk:s3:putAllObjects"}, "is not recognized"),
    ],
)
def test_the_value_of_a_field_is_checked(more: dict[str, Any], says: str) -> None:
    assert said_of(TASK) == []
    found = said_of({**TASK, **more})
    assert found and says in found[0]


def test_the_names_of_an_sdk_integrations_parameters_begin_with_a_capital() -> None:
    action = "arn:aws:states:::aws-sdk:sfn:startExecution"
    task = {**TASK, "Resource": action, "Parameters": {"StateMachineArn": "a", "Input.$": "$"}}
    assert said_of(task) == []


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"Variable": "$.n", "NumericEquals": "1"}, "NumericEquals"),
        ({"Variable": "$.n", "BooleanEquals": "true"}, "BooleanEquals"),
        ({"Variable": "$.n", "TimestampLessThan": "noon"}, "TimestampLessThan"),
        ({"Variable": "$.n", "StringEqualsPath": "n"}, "StringEqualsPath"),
        ({"And": [{"Variable": "$.n", "IsNull": True, "Next": "Z"}]}, "top level"),
        ({"Condition": "{% true %}"}, "only supported for the 'JSONata'"),
    ],
)
def test_the_rules_of_a_choice_are_checked(rule: dict[str, Any], says: str) -> None:
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "Z"}]}
    found = list(problems_of({"StartAt": "C", "States": {"C": choice, "Z": END}}))
    assert says in str(found[0])


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"Type": "Wait", "Seconds": -1, "End": True}, "Seconds"),
        ({"Type": "Wait", "Seconds": 10**9, "End": True}, "Seconds"),
        ({"Type": "Fail", "Error": "a", "ErrorPath": "$.a"}, "only one of 'Error'"),
        ({"Type": "Choice", "Choices": []}, "at least one rule"),
    ],
)
def test_other_states_are_checked_too(state: dict[str, Any], says: str) -> None:
    assert says in " ".join(said_of(state))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"ToleratedFailurePercentage": 101}, "from 0 to 100"),
        ({"MaxConcurrency": -1}, "MaxConcurrency"),
        ({"Parameters": {}, "ItemSelector": {}}, "only one of 'Parameters'"),
        ({}, "'ExecutionType' is required"),
    ],
)
def test_the_fields_of_a_map_are_checked(more: dict[str, Any], says: str) -> None:
    inner = {"StartAt": "Z", "States": {"Z": END}, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}
    found = said_of({"Type": "Map", "ItemProcessor": inner, "End": True, **more})
    assert says in " ".join(found)


@pytest.mark.parametrize(
    ("expression", "code", "says"),
    [
        ("1 +", "INVALID_JSONATA_EXPRESSION", "Unexpected end of expression at /States/S/Output/v"),
        ("phone", "UNSUPPORTED_JSONATA_EXPRESSION", "'phone' at the top level"),
        ("$sum([1, $.n])", "UNSUPPORTED_JSONATA_EXPRESSION", "'$' at the top level"),
        ("$$.n", "UNSUPPORTED_JSONATA_EXPRESSION", "'$$'"),
        ("$states.errorOutput", "UNSUPPORTED_JSONATA_EXPRESSION", "'$states.errorOutput'"),
    ],
)
def test_an_expression_is_checked_with_the_definition(
    expression: str, code: str, says: str
) -> None:
    state = {"Type": "Pass", "Output": {"v": f"{{% {expression} %}}"}, "End": True}
    (found,) = said_of(state, QueryLanguage="JSONata")
    assert code in found and says in found


def test_what_an_expression_may_refer_to_depends_on_its_field() -> None:
    catcher = {
        "ErrorEquals": ["States.ALL"],
        "Next": "S",
        "Output": "{% $states.errorOutput.Cause %}",
    }
    state = {
        **TASK,
        "Arguments": {"QueueUrl": "{% $states.input.urls[$ != ''][0] %}", "MessageBody": "m"},
        "Output": "{% $states.result.MessageId %}",
        "Assign": {"n": "{% $map($states.result.a, function($v) { $v.n + m }) %}"},
        "Catch": [catcher],
    }
    del state["Parameters"]
    assert said_of(state, QueryLanguage="JSONata") == []
    early = {**state, "Arguments": "{% $states.result %}"}
    assert "'$states.result'" in said_of(early, QueryLanguage="JSONata")[0]
