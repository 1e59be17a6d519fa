"""JSON that came from outside, as values that files, tables and other programs can take too."""

import json
import math
from typing import Any

MAX_DIGITS = 308
"""An integer of more has no float."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; raises ValueError for everything else.

    Beyond what `json.loads` refuses that is NaN and infinity, a number that no float holds, half a
    surrogate pair, which no encoding has, and nesting without end.
    """
    try:
        if isinstance(text, bytes):
            # Strictly: `json.loads` lets halves of pairs through.
            text = text.decode(json.detect_encoding(text))
        value = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
        )
        # In a text without one only an escape leads to one.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is larger than a number can be")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)
