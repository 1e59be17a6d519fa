import sys
from typing import Any

import pytest

from local_aws.core.bounded_calls import BoundedCalls, TooCostly
from local_aws.stepfunctions.query_language.bounded_expressions import is_bounded
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


@pytest.mark.parametrize(
    "expression",
    [
        "$contains('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /(a+)+$/)",
        # The library looks at the time of the first value of an object only.
        "{'a': 1, 'b': ($f := function($n){ $f($n + 1) }; $f(1))}",
        "($d := function($x, $n){ $n = 0 ? $x : $d([[$x], [$x]], $n - 1) }; $d('a', 40))",
        "$pad('', 3000000000)",
    ],
)
def test_an_expression_that_runs_away_is_ended(expression: str) -> None:
    bounded = BoundedCalls("local_aws.stepfunctions.query_language.jsonata:evaluated", 2)
    with pytest.raises(TooCostly):
        bounded(expression, {})


def test_an_expression_that_fills_the_memory_fails_its_state() -> None:
    with pytest.raises(QueryFailed, match="threw an error: It takes more than"):
        evaluate("$length($pad('', 3000000000))", {})


def test_data_that_is_nested_deeply_is_no_danger_to_a_threads_stack() -> None:
    assert sys.getrecursionlimit() == 1_000


@pytest.mark.parametrize(
    ("expression", "bounded"),
    [
        ("$states.input.a & '-' & $substring($uuid(), 0, 4)", True),
        ("$exists($a.b) and $c > 5 ? {'x': [$y, -1]} : null", True),
        ("$a.b[0]", False),
        ("$a.b.$uppercase($)", False),
        ("$a.(b & c)", False),
        ("$a{b: c}", False),
        ("$a^(b)", False),
        ("[1..5]", False),
        ("($a := $a & $a; $a)", False),
        ("$contains($a, /b/)", False),
        ("$map($a, function($v){ $v })", False),
        ("$a.*", False),
        (" & ".join(["$a"] * 500), False),
    ],
)
def test_what_repeats_or_multiplies_is_not_bounded(expression: str, bounded: bool) -> None:
    assert is_bounded(expression, syntax_tree(expression)) is bounded
