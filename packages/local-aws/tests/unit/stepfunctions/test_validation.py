from typing import Any

import pytest

from local_aws.stepfunctions.validation import (
    of_expressions,
    problems_of,
    reused_variables,
    unsupported_features,
)


def test_unsupported_features_are_found_at_any_depth():
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob"}
    deep = {"States": {"P": {"Type": "Pass", "QueryLanguage": "JSONata", "InputPath": "$"}}}
    definition = {
        "States": {
            "Par": {"Type": "Parallel", "Branches": [{"States": {}}, deep]},
            "Map": {"Type": "Map", "ItemProcessor": {"States": {"V": task}}},
        }
    }
    found = list(unsupported_features(definition))
    assert len(found) == 2
    assert "JSONata" in found[0] and "State V" in found[1]


@pytest.mark.parametrize("definition", [None, 3, [], {}, {"States": []}, {"States": {"A": 1}}])
def test_what_is_no_definition_has_no_features(definition):
    assert list(unsupported_features(definition)) == []


def refused(state, machine_type="STANDARD"):
    found = unsupported_features({"States": {"S": state}}, machine_type)
    return next(iter(found), "")


def distributed(**more):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}
    return {"Type": "Map", "ItemProcessor": processor, **more}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (distributed(ItemReader={"ReaderConfig": {"InputType": "PARQUET"}}), "PARQUET"),
        (
            distributed(ItemReader={"ReaderConfig": {"ItemsPointer": "/a", "InputType": "CSV"}}),
            "ItemsPointer",
        ),
        (distributed(ItemReader={"ReaderConfig": {"ManifestType": "ATHENA_DATA"}}), "ATHENA_DATA"),
        (distributed(ItemReader={"ReaderConfig": {"CSVDelimiter": "x"}}), "CSVDelimiter"),
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
def test_what_a_state_must_not_have_is_named(state, said):
    assert said in refused(state) and "State S" in refused(state)


def test_an_express_state_machine_must_not_wait_for_others():
    sync = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    assert not refused(sync)
    assert ".sync" in refused(sync, "EXPRESS")
    assert not refused(distributed())
    assert "DISTRIBUTED" in refused(distributed(), "EXPRESS")
    child = distributed()
    child["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS"
    child["ItemProcessor"]["States"] = {"T": sync}
    assert "State T" in refused(child)


@pytest.mark.parametrize(
    ("state", "language", "says"),
    [
        ({"InputPath": "$"}, "JSONata", "InputPath is not supported in JSONata"),
        ({"Arguments": {}}, "JSONPath", "Arguments is not supported in JSONPath"),
        ({"Output": {"a": ["{% ( %}"]}}, "JSONata", "is no JSONata"),
        ({"Choices": [{"Condition": "{% 1 + %}"}]}, "JSONata", "is no JSONata"),
    ],
)
def test_fields_of_the_other_language_and_wrong_expressions_are_refused(
    state: dict[str, Any], language: str, says: str
) -> None:
    (sentence,) = of_expressions("S", state, language)
    assert says in sentence and "S" in sentence


def test_what_is_right_in_its_language_is_taken() -> None:
    right = {"Output": "{% $states.input %}", "Assign": {"a": "plain"}}
    assert list(of_expressions("S", right, "JSONata")) == []
    assert list(of_expressions("S", {"InputPath": "$", "Assign": {"a.$": "$"}}, "JSONPath")) == []


def test_expressions_of_inner_flows_are_reported_with_their_own_states() -> None:
    inner = {"StartAt": "P", "States": {"P": {"Output": "{% ( %}"}}}
    assert list(of_expressions("M", {"ItemProcessor": inner}, "JSONata")) == []


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
        flow, location = {"StartAt": "M", "States": {"M": outer}}, f"/States/M[0]{location}"
    found = {(problem.code, problem.location.removesuffix("/")) for problem in problems_of(flow)}
    assert (code, location.removesuffix("/")) in found


def test_a_sound_flow_has_no_problem() -> None:
    branch = {"StartAt": "B", "States": {"B": {"Type": "Fail"}}}
    choice = {"Type": "Choice", "Choices": [{"Next": "P"}, {"Next": "W"}]}
    states = {
        "C": choice,
        "P": {
            "Type": "Parallel",
            "Branches": [branch],
            "Catch": [{"Next": "Z"}],
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


@pytest.mark.parametrize("field", ["ToleratedFailureCount", "ToleratedFailurePercentage"])
def test_an_inline_map_may_have_a_tolerance(field: str) -> None:
    inner = {"StartAt": "Z", "States": {"Z": END}}
    state = {"Type": "Map", "ItemProcessor": inner, field: 5, "End": True}
    assert list(problems_of({"StartAt": "M", "States": {"M": state}})) == []
