from typing import Any

import pytest

from local_aws.stepfunctions.query_language.jsonata import QueryFailed, evaluate, syntax_tree


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$n + 1", 2),
        ("$states.input.list[0]", "a"),
        ("$states.input.list[$ = 'b']", "b"),
        ("null", None),
        ("$none ? 1 : 2", 2),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$partition(7, 2)", [[7]]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$range(1, 0, 1)", []),
        ("$hash('a')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("$parse('[1, {\"a\": null}]')", [1, {"a": None}]),
        ("$n /* at the end */", 1),
        ("(\n  $m := $n;\n  $m * 3\n)", 3),
    ],
)
def test_an_expression_has_a_value_of_plain_json(expression: str, value: Any) -> None:
    bindings = {"n": 1, "states": {"input": {"list": ["a", "b"]}}}
    found = evaluate(expression, bindings)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("$none", "returned nothing (undefined)"),
        ("$states.input.none", "returned nothing (undefined)"),
        ("function($x){ $x }", "unsupported result type"),
        ("1 / 0", "threw an error"),
        ("$eval('1')", "is not supported"),
        ("$parse('{')", "threw an error"),
        ("$partition([1], 0)", "at least 1"),
        ("$range(1, 2000, 1)", "at most 1000"),
        ("$range(1, 2, 0)", "other than 0"),
        ("$hash('a', 'CRC')", "$hash knows"),
        ("( $f := function($n){ 1 + $f($n) }; $f(1) )", "threw an error"),
    ],
)
def test_an_expression_without_a_value_says_why(expression: str, says: str) -> None:
    with pytest.raises(QueryFailed) as failure:
        evaluate(expression, {"states": {"input": {}}})
    assert says in str(failure.value)


def test_a_seed_gives_the_same_number_each_time() -> None:
    assert evaluate("$random(3)", {}) == evaluate("$random(3)", {}) != evaluate("$random(4)", {})


def test_an_invalid_expression_is_reported_before_it_is_evaluated() -> None:
    assert syntax_tree("$a.b") is not None
    with pytest.raises(QueryFailed, match="Unexpected end of expression"):
        syntax_tree("$a.")


def test_a_seed_gives_the_number_that_it_gives_on_aws() -> None:
    """Measured: floci-io/floci#2662."""
    assert evaluate("$random(42)", {}) == 0.7275636800328681


def test_a_function_may_call_itself_a_hundred_levels_deep() -> None:
    """Measured: floci-io/floci#2737."""
    count = "( $f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(%d) )"
    assert evaluate(count % 10, {}) == 10
    with pytest.raises(QueryFailed):
        evaluate(count % 120, {})
