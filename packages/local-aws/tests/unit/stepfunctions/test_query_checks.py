from typing import Any

import pytest

from local_aws.stepfunctions.query_checks import of_expressions, reused_variables


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


def test_expressions_of_inner_flows_are_told_with_their_own_states() -> None:
    inner = {"StartAt": "P", "States": {"P": {"Output": "{% ( %}"}}}
    assert list(of_expressions("M", {"ItemProcessor": inner}, "JSONata")) == []


@pytest.mark.parametrize("place", ["Assign", "Catch", "Choices"])
def test_a_name_that_a_flow_around_has_is_told(place: str) -> None:
    given: Any = {"x": 1} if place == "Assign" else [{"Assign": {"x": 1}}]
    inner = {"States": {"P": {"Assign": {"x.$": "$"}}}}
    flow = {"States": {"A": {place: given}, "M": {"Branches": [inner]}}}
    assert list(reused_variables(flow)) == ["The variable x is assigned in an outer scope as well."]
    assert list(reused_variables({"States": {"M": {"Branches": [inner, inner]}}})) == []
