"""DynamoDB's numbers: what is one, its range and digits, and how two are added.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

import re
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType

from local_aws.core.patching import patch

MAX_DIGITS = 38
_LARGEST = Decimal("9.9999999999999999999999999999999999999E+125")
_SMALLEST = Decimal("1E-130")
_FORM = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_MAX_CHARACTERS = 1_000
_ARITHMETIC = Context(prec=MAX_DIGITS)
_TYPE = "moto.dynamodb.models.dynamo_type.DynamoType"
_ADDS = "adds no number with an exponent, and 28 digits only"


def require_number(text: Any) -> None:
    """Raise MockValidationException for a text that is no number of DynamoDB's."""
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS or not _FORM.fullmatch(text):
        raise MockValidationException(
            f"The parameter cannot be converted to a numeric value: {str(text)[:256]}"
        )
    _require_range(Decimal(text))


def canonical(text: str) -> str:
    """Return a number as DynamoDB writes it: without an exponent and zeros that say nothing."""
    number = Decimal(text)
    return f"{number.normalize(_ARITHMETIC):f}" if number else "0"


def _require_range(number: Decimal) -> None:
    size = number.copy_abs()
    if size > _LARGEST:
        raise MockValidationException(
            "Number overflow. Attempting to store a number with magnitude larger than supported "
            "range"
        )
    if size and size < _SMALLEST:
        raise MockValidationException(
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range"
        )
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS:
        raise MockValidationException(
            f"Attempting to store more than {MAX_DIGITS} significant digits in a Number"
        )


def require_numbers(body: Any) -> None:
    """Raise MockValidationException for a value in a request that is no number and has to be."""
    for text in _numbers(body):
        require_number(text)


def _numbers(body: Any) -> Iterator[Any]:
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if len(value) == 1 and isinstance(value.get("N"), str):
                yield value["N"]
            elif len(value) == 1 and isinstance(value.get("NS"), list):
                yield from value["NS"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


@patch(f"{_TYPE}.__add__", why=_ADDS)
def add(original: Any, first: Any, second: Any) -> Any:
    """Return the sum of two numbers."""
    if first.type != second.type or not first.is_number():
        return original(first, second)
    return _made(_ARITHMETIC.add(Decimal(first.value), Decimal(second.value)))


@patch(f"{_TYPE}.__sub__", why=_ADDS)
def subtract(original: Any, first: Any, second: Any) -> Any:
    """Return the difference of two numbers."""
    if first.type != second.type or not first.is_number():
        return original(first, second)
    return _made(_ARITHMETIC.subtract(Decimal(first.value), Decimal(second.value)))


def _made(number: Decimal) -> DynamoType:
    _require_range(number)
    return DynamoType({"N": canonical(str(number))})


@patch(
    "moto.dynamodb.comparisons.ConditionExpressionParser.parse",
    why="fails with an error of its own at an expression that it cannot read",
)
def parse_condition(original: Any, parser: Any) -> Any:
    """Return a condition's tree; raises MockValidationException for none."""
    try:
        return original(parser)
    except KeyError as error:
        kind = "name" if str(error.args[0]).startswith("#") else "value"
        raise MockValidationException(
            f"Invalid ConditionExpression: An expression attribute {kind} used in expression is "
            f"not defined; attribute {kind}: {error.args[0]}"
        ) from error
    except (AssertionError, IndexError, RecursionError, ValueError) as error:
        raise MockValidationException(
            f"Invalid ConditionExpression: Syntax error; {str(error)[:256]}"
        ) from error
