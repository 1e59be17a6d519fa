"""The one check of a probability and of a probability vector."""

import math
from collections.abc import Sequence
from typing import Any

SUM_TOLERANCE = 1e-3
"""How far a sum may miss 1: room for four printed decimals, none for raw scores."""


def is_probability(value: Any) -> bool:
    """Return whether a value is a number from 0 to 1; NaN, booleans and strings are not."""
    return type(value) in (int, float) and 0 <= value <= 1


def probability_vector(value: Any, size: int | None = None) -> tuple[float, ...]:
    """Return a list of probabilities of mutually exclusive classes as floats, shape (size,).

    Raises ValueError, with the reason as a clause, unless it is a list or tuple of `size` (else
    two or more) numbers, each from 0 to 1, that add up to 1 within SUM_TOLERANCE.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"a list of probabilities is expected, not {value!r:.80}")
    return _checked(value, size)


def _checked(values: Sequence[Any], size: int | None) -> tuple[float, ...]:
    if len(values) != size if size is not None else len(values) < 2:
        size_text = "two or more" if size is None else str(size)
        raise ValueError(f"{size_text} probabilities are expected, not {len(values)}")
    wrong = next((value for value in values if not is_probability(value)), None)
    if wrong is not None or None in values:
        raise ValueError(f"a probability is a number from 0 to 1, not {wrong!r:.40}")
    total = math.fsum(values)
    if not math.isclose(total, 1, abs_tol=SUM_TOLERANCE):
        raise ValueError(f"the probabilities add up to {total:.6g}, not to 1")
    return tuple(map(float, values))
