from typing import Any

import pytest
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType

from local_aws.dynamodb.numbers import (
    add,
    parse_condition,
    require_number,
    require_numbers,
    subtract,
)


@pytest.mark.parametrize(
    "text", ["0", "-0", "1", "1.50", ".5", "1e125", "-9.9E+125", "1E-130", "9" * 38, "1" + "0" * 99]
)
def test_a_number_is_taken(text: str) -> None:
    require_number(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "numeric"),
        ("nan", "numeric"),
        ("Infinity", "numeric"),
        ("1_000", "numeric"),
        ("\u0663", "numeric"),
        (" 1", "numeric"),
        ("0x1", "numeric"),
        (5, "numeric"),
        ("1" * 5_000, "numeric"),
        ("1E+126", "overflow"),
        ("-1e999999999", "overflow"),
        ("1e-131", "underflow"),
        ("1" * 39, "38 significant digits"),
    ],
)
def test_what_is_no_number_is_refused(text: Any, says: str) -> None:
    with pytest.raises(MockValidationException, match=says):
        require_number(text)


@pytest.mark.parametrize(
    "body",
    [
        {"Item": {"a": {"N": "x"}}},
        {"Item": {"a": {"L": [{"M": {"b": {"NS": ["1", "x"]}}}]}}},
        {"ExpressionAttributeValues": {":x": {"N": "nan"}}},
    ],
)
def test_a_number_is_looked_for_in_the_whole_request(body: dict[str, Any]) -> None:
    with pytest.raises(MockValidationException, match="numeric"):
        require_numbers(body)
    require_numbers({"Item": {"N": {"S": "x"}, "NS": {"S": "y"}}})


def number(text: str) -> DynamoType:
    return DynamoType({"N": text})


def fail(*_: object) -> Any:
    raise AssertionError("moto is not asked")


def test_numbers_are_added_with_all_their_digits() -> None:
    assert add(fail, number("9" * 37), number("1e1")).value == "1" + "0" * 36 + "9"
    assert subtract(fail, number("1e2"), number("0.1")).value == "99.9"
    with pytest.raises(MockValidationException, match="overflow"):
        add(fail, number("9e125"), number("9e125"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("#n"), "attribute name: #n"),
        (KeyError(":y"), "attribute value: :y"),
        (ValueError("Bad comparison a ="), "Syntax error; Bad comparison a ="),
        (RecursionError("too deep"), "Syntax error"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused(error: Exception, says: str) -> None:
    def parse(_: object) -> Any:
        raise error

    with pytest.raises(MockValidationException, match=says):
        parse_condition(parse, None)
