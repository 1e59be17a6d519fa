import re
from typing import Any

import pytest

from local_aws.stepfunctions.query_language import jsonpath
from local_aws.stepfunctions.query_language.intrinsics import (
    IntrinsicFailed,
    InvalidIntrinsic,
    evaluate,
    parse,
)

ORDER: Any = {
    "key": "bild ä.png",
    "braces": "{}",
    "sizes": [3, 1, 3],
    "rows": [{"k": "a", "n": 1}, {"k": "b", "n": 2}],
    "pair": {"a": 1, "b": [True, None]},
    "text": '{"x": "é"}',
    "blank": "",
}


def value_of(text: str) -> Any:
    return evaluate(parse(text), lambda path: jsonpath.find(path, ORDER))


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (
            r"States.Format('\{\"key\": \"{}\"\}', $.key)".replace('\\"', '"'),
            '{"key": "bild ä.png"}',
        ),
        (r"States.Format('that\'s {}', $.key)", "that's bild ä.png"),
        (r"States.Format('c:\\{}', 'x')", "c:\\x"),
        ("States.Format('{}-{}', $.braces, $.key)", "{}-bild ä.png"),
        ("States.Format('ключ {}', $.sizes[0])", "ключ 3"),
        ("States.Format('{}', $.pair)", "{a=1, b=[true, null]}"),
        ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
        ("States.Format('a, b) c {}', 'd, (e')", "a, b) c d, (e"),
        ("States.Format('{}', States.Format('<{}>', States.ArrayLength($.sizes)))", "<3>"),
        ("States.Format('{}', $.rows[?(@.k == 'b' && @.n > 1)].n)", "[2]"),
        ("States.Array()", []),
        ("States.Array(null, -1, 'x,y', $.sizes[*])", [None, -1, "x,y", [3, 1, 3]]),
        ("States.ArrayUnique($.sizes)", [3, 1]),
        ("States.ArrayUnique($.rows[0,0].k)", ["a"]),
        ("States.ArrayContains($.rows, $.rows[1])", True),
        ("States.ArrayContains(States.Array(1, 'x'), true)", False),
        ("States.ArrayPartition(States.ArrayRange(1, 5, 1), 2)", [[1, 2], [3, 4], [5]]),
        ("States.ArrayRange(9, 1, -4)", [9, 5, 1]),
        ("States.ArrayGetItem($.sizes, 1)", 1),
        ("States.JsonToString($.pair)", '{"a":1,"b":[true,null]}'),
        ("States.JsonToString(null)", "null"),
        ("States.StringToJson($.text)", {"x": "é"}),
        ("States.StringToJson($.blank)", None),
        (
            "States.JsonMerge($.pair, States.StringToJson('{\"a\":2}'), false)",
            {"a": 2, "b": [True, None]},
        ),
        ("States.Base64Decode(States.Base64Encode($.key))", "bild ä.png"),
        ("States.Hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("States.MathAdd(1.5, -3)", -1),
        ("States.StringSplit('a-b,,c', '-,')", ["a", "b", "c"]),
    ],
)
def test_a_call_has_the_value_that_the_guide_says(call: str, value: Any) -> None:
    assert value_of(call) == value


def test_random_numbers_and_ids() -> None:
    drawn = {value_of("States.MathRandom(1, 3)") for _ in range(60)}
    assert drawn == {1, 2}
    assert value_of("States.MathRandom(1, 900, 5)") == value_of("States.MathRandom(1, 900, 5)")
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", value_of("States.UUID()"))


@pytest.mark.parametrize(
    "call",
    [
        "States.Format('{} {}', 1)",
        "States.Format('{}', 1, 2)",
        "States.Format($.sizes, 1)",
        r"States.Format('open \d', 1)",
        "States.StringToJson('{')",
        "States.StringToJson('NaN')",
        "States.ArrayGetItem($.sizes, 3)",
        "States.ArrayGetItem($.sizes, -1)",
        "States.ArrayRange(1, 2000, 1)",
        "States.ArrayRange(1, 2, 0)",
        "States.ArrayPartition($.sizes, 0)",
        "States.ArrayLength($.key)",
        "States.Base64Decode('%')",
        "States.Hash('a', 'CRC')",
        "States.JsonMerge($.pair, $.pair, true)",
        "States.MathAdd('1', 2)",
        "States.MathRandom(3, 3)",
    ],
)
def test_a_call_that_cannot_be_evaluated_fails(call: str) -> None:
    with pytest.raises(IntrinsicFailed):
        value_of(call)


@pytest.mark.parametrize(
    "call",
    [
        "States.Nope(1)",
        "States.Format()",
        "States.Format('a'",
        "States.Format('a',)",
        "States.Format('a' 'b')",
        "States.Format('a)",
        "States.UUID(1)",
        "States.Array($.)",
        "States.Array(1) + 1",
        "States.ArrayLength(" * 11 + "$" + ")" * 11,
    ],
)
def test_what_is_not_a_call_is_refused(call: str) -> None:
    with pytest.raises(InvalidIntrinsic):
        parse(call)
