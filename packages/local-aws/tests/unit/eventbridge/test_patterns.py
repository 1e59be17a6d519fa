"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""

import itertools
import json
from typing import Any

import pytest

from local_aws.eventbridge.patterns import PatternError, alternatives, matches, parse_pattern

# A pattern of the field `f`, values of it that match, and values that do not.
MATCHES: list[tuple[Any, list[Any], list[Any]]] = [
    (["a", 1], ["a", 1, 1.0, ["x", "a"], [["a"]]], ["b", "1", True, None, [], {}]),
    ([True], [True, [False, True]], [1, "true", False]),
    ([None], [None, [None]], ["", [], 0]),
    ([{"exists": True}], ["a", None, [1], 0], [[], {}, {"g": 1}]),
    ([{"exists": False}], [[], {"g": 1}], ["a", None]),
    ([{"prefix": "a"}], ["a", "ab", ["x", "ab"]], ["A", "ba", 1, None]),
    ([{"prefix": {"equals-ignore-case": "aB"}}], ["Abc"], ["cab", 1]),
    ([{"suffix": ".png"}], ["a.png"], ["a.PNG", "png"]),
    ([{"suffix": {"equals-ignore-case": ".png"}}], ["a.PNG"], ["png"]),
    ([{"equals-ignore-case": "a"}], ["A"], ["ab", 1]),
    ([{"wildcard": "a/*.png"}], ["a/.png", "a/b/c.png", "a/\n.png"], ["a.png", 1]),
    ([{"wildcard": "a\\*\\\\*"}], ["a*\\b"], ["ax\\b"]),
    ([{"cidr": "10.0.0.0/24"}], ["10.0.0.7"], ["10.0.1.7", "x", 1]),
    ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["::1", "10.0.0.1"]),
    ([{"numeric": [">", 0, "<=", 5]}], [5, 0.1], [0, 6, "1", True]),
    ([{"numeric": ["=", 3]}], [3, 3.0], [4]),
    ([{"anything-but": "a"}], ["b", 1, None, ["a", "b"]], ["a", [], {}]),
    ([{"anything-but": ["a", "b"]}], ["c"], ["b"]),
    ([{"anything-but": [1, 2]}], [3, "1"], [1, 2.0]),
    ([{"anything-but": {"prefix": ["a", "b"]}}], ["c", 1], ["ab", "b"]),
    ([{"anything-but": {"suffix": "a"}}], ["ab"], ["ba"]),
    ([{"anything-but": {"wildcard": "*/a/*"}}], ["b/c"], ["b/a/c"]),
    ([{"anything-but": {"equals-ignore-case": ["A"]}}], ["b"], ["a"]),
    ({"g": ["a"]}, [{"g": "a"}, [{"g": "b"}, {"g": "a"}]], ["a", {"g": "b"}, {"h": {"g": "a"}}]),
]


@pytest.mark.parametrize("case", range(len(MATCHES)))
def test_a_pattern_matches_what_it_describes(case: int) -> None:
    asked, fitting, others = MATCHES[case]
    pattern = parse_pattern(json.dumps({"f": asked}))
    assert [value for value in fitting if not matches(pattern, {"f": value})] == []
    assert [value for value in others if matches(pattern, {"f": value})] == []


def test_a_field_that_is_missing_matches_only_what_asks_for_that() -> None:
    for asked in (["a"], [None], [{"anything-but": "a"}], [{"prefix": ""}]):
        assert not matches(parse_pattern(json.dumps({"f": asked})), {})
    assert matches(parse_pattern('{"f": [{"exists": false}]}'), {})


def test_alternatives_of_fields() -> None:
    pattern = parse_pattern('{"$or": [{"a": ["x"]}, {"b": {"c": [1]}}]}')
    assert matches(pattern, {"a": "x"})
    assert matches(pattern, {"b": {"c": 1}})
    assert not matches(pattern, {"a": "y", "b": {"c": 2}})


REFUSED_MATCHERS: tuple[dict[str, object], ...] = (
    {"EXISTS": True},
    {"NUMERIC": ["=", 1]},
    {"nope": 1},
    {"exists": "true"},
    {"prefix": 1},
    {"prefix": ["a"]},
    {"prefix": {"wildcard": "a"}},
    {"suffix": None},
    {"suffix": [".png"]},
    {"wildcard": 1},
    {"wildcard": ["*"]},
    {"wildcard": "a**"},
    {"wildcard": "a\\b"},
    {"wildcard": "a\\"},
    {"wildcard": "*:*:*:*:*:event-bus/*"},
    {"equals-ignore-case": ["a"]},
    {"equals-ignore-case": {"prefix": "a"}},
    {"cidr": "no"},
    {"cidr": "10.0.0.1"},
    {"cidr": "10.0.0.0/33"},
    {"cidr": "10.0.0.256/8"},
    {"cidr": ["10.0.0.0/8"]},
    {"numeric": 1},
    {"numeric": []},
    {"numeric": ["!", 1]},
    {"numeric": [">", "1"]},
    {"numeric": [">"]},
    {"numeric": [">", 1, ">", 2]},
    {"numeric": ["<", 1, "<", 2]},
    {"numeric": [">", 1, "<"]},
    {"numeric": [">", 2, "<", 1]},
    {"numeric": ["=", True]},
    {"numeric": ["=", 5_000_000_001]},
    {"anything-but": None},
    {"anything-but": True},
    {"anything-but": []},
    {"anything-but": ["a", None]},
    {"anything-but": ["a", 1]},
    {"anything-but": [{"wildcard": "*a"}]},
    {"anything-but": {"exists": True}},
    {"anything-but": {"prefix": ""}},
    {"anything-but": {"suffix": ["a", ""]}},
    {"anything-but": {"prefix": [1]}},
    {"anything-but": {"suffix": {"equals-ignore-case": "a"}}},
    {"anything-but": {"wildcard": None}},
    {"anything-but": {"wildcard": "**"}},
    {"anything-but": {"equals-ignore-case": [1]}},
)
REFUSED = [
    "42",
    '"f"',
    "[]",
    "null",
    "{",
    "{}",
    '{"f": 42}',
    '{"f": "a"}',
    '{"f": null}',
    '{"f": {}}',
    '{"f": []}',
    '{"f": [["a"]]}',
    '{"f": [{}]}',
    '{"f": [{"prefix": "a", "suffix": "b"}]}',
    '{"f": {"exists": true}}',
    '{"$or": [{"f": ["a"]}]}',
    '{"$or": [{"f": ["a"]}, {"f": 1}]}',
    *(json.dumps({"f": [matcher]}) for matcher in REFUSED_MATCHERS),
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(text)


def test_no_pattern_matches_everything() -> None:
    assert matches(parse_pattern(None), {"f": 1})


def test_many_wildcards_take_no_time_without_end() -> None:
    pattern = parse_pattern(json.dumps({"f": [{"wildcard": "*a*b*c*d*e*f*g*h*!"}]}))
    assert not matches(pattern, {"f": "abcdefgh" * 5000})
    assert matches(pattern, {"f": "abcdefgh" * 5000 + "!"})


def test_each_object_of_a_list_stands_for_it_in_turn() -> None:
    event = {"a": [{"b": 1}, {"b": 2}], "c": [3, 4]}
    assert list(alternatives(event)) == [
        {"a": {"b": 1}, "c": [3, 4]},
        {"a": {"b": 2}, "c": [3, 4]},
    ]


def test_an_event_without_such_lists_is_itself() -> None:
    event = {"a": [1, 2], "b": {"c": []}}
    assert list(alternatives(event)) == [event]


def test_a_hostile_event_takes_no_time_without_end() -> None:
    event = {str(n): [{"x": i} for i in range(20)] for n in range(6)}
    assert len(list(itertools.islice(alternatives(event), 2000))) == 1000
