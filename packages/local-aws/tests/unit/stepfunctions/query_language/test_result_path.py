from typing import Any

import pytest

from local_aws.stepfunctions.query_language.result_path import ResultPathMismatch, placed


@pytest.mark.parametrize(
    ("given", "path", "output"),
    [
        ({"a": 1}, "$", "R"),
        ({"a": 1}, "$.b.c", {"a": 1, "b": {"c": "R"}}),
        ({"a": {"b": 1}}, "$['a'][\"b\"]", {"a": {"b": "R"}}),
        ({"a": [1, {"n": 2}]}, "$.a[1].n", {"a": [1, {"n": "R"}]}),
        ([1, 2], "$[0]", ["R", 2]),
    ],
)
def test_a_result_goes_where_the_path_leads(given: Any, path: str, output: Any) -> None:
    assert placed(given, path, "R") == output


@pytest.mark.parametrize(
    ("given", "path"),
    [({"a": 1}, "$.a.b"), ([1], "$.a"), ({"a": [1]}, "$.a[1]"), ({}, "$.a[0]"), (None, "$.a")],
)
def test_an_input_without_such_a_place_fails_the_state(given: Any, path: str) -> None:
    with pytest.raises(ResultPathMismatch, match="Unable to apply step"):
        placed(given, path, "R")


def test_the_input_stays_as_it_was() -> None:
    given = {"a": {"b": 1}}
    placed(given, "$.a.b", "R")
    assert given == {"a": {"b": 1}}
