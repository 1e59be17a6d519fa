import time

import pytest

from local_aws.logs.filter_patterns import PatternError, columns_of, compiled

JSON = '{"level": "ERROR", "n": 3, "ok": true, "none": null, "a": {"b": ["x", "y z"]}}'
COLUMNS = '127.0.0.1 - ann [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] it failed", True),
        ("ERROR", "error", False),
        ("ERROR failed", "[ERROR] it failed", True),
        ("ERROR lost", "[ERROR] it failed", False),
        ('"it failed"', "[ERROR] it failed", True),
        ("?ERROR ?WARN", "[WARN] slow", True),
        ("?ERROR ?WARN", "[INFO] fine", False),
        ("ERROR -timeout", "ERROR timeout", False),
        ("%E[A-Z]+R%", "an ERROR", True),
        ('{ $.level = "ERROR" }', JSON, True),
        ("{ $.level = ERROR }", JSON, True),
        ("{ $.level = E*R }", JSON, True),
        ('{ $.level != "ERROR" }', JSON, False),
        ("{ $.missing != 1 }", JSON, False),
        ("{ $.n > 2 && $.n <= 3 }", JSON, True),
        ("{ $.n = 3.0 }", JSON, True),
        ("{ $.n < 3 || $.ok IS TRUE }", JSON, True),
        ("{ $.none IS NULL }", JSON, True),
        ("{ $.other NOT EXISTS }", JSON, True),
        ("{ $.n NOT EXISTS }", JSON, False),
        ('{ $.a.b[1] = "y z" }', JSON, True),
        ("{ ($.n = 1 || $.n = 3) && $.level = %^ERR% }", JSON, True),
        ("{ $.n = 3 }", "no json", False),
        ("[ip, identity, user, time, request, status = 4*, size > 1000]", COLUMNS, True),
        ("[ip, ..., status = 404, size]", COLUMNS, True),
        ("[ip, ..., status != 404, size]", COLUMNS, False),
        ("[ip, user]", COLUMNS, False),
    ],
)
def test_a_pattern_finds_what_it_says(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $.a > x }", "{ ($.a = 1 }", "{ $.a IS BIG }", "%(%"],
)
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("%(a+)+$%", "a" * 40 + "!"),
        ("{ $.a = %(a+)+$% }", '{"a": "' + "a" * 40 + '!"}'),
        ("[a, b]", "[ " * 100_000),
        ("{ $.a = 1 }", '{"a": ' + "9" * 400 + "}"),
        ("{ $.a = 1 }", "[" * 100_000),
    ],
)
def test_a_message_that_is_made_to_hold_things_up_does_not_match(
    pattern: str, message: str
) -> None:
    began = time.monotonic()
    assert not compiled(pattern)(message)
    assert time.monotonic() - began < 30


def test_an_expression_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(PatternError):
        compiled("%" + "(" * 20_000 + "%")


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("[ip, user, size]", "10.0.0.1 me 512", {"ip": "10.0.0.1", "user": "me", "size": "512"}),
        ("[..., size]", "10.0.0.1 me 512", {"size": "512"}),
        ("[ip, size > 100]", "10.0.0.1 512", {"ip": "10.0.0.1", "size": "512"}),
        ("[ip]", "10.0.0.1 me", {}),
        ("{ $.a = 1 }", '{"a": 1}', None),
        ("ERROR", "ERROR", None),
    ],
)
def test_the_columns_of_a_message_have_the_patterns_names(
    pattern: str, message: str, expected: dict[str, str] | None
) -> None:
    assert columns_of(pattern, message) == expected
