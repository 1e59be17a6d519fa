import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones_core.probabilities import is_probability, probability_vector


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 0.25])
def test_numbers_from_0_to_1_are_probabilities(value: float) -> None:
    assert is_probability(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None, [0.5]])
def test_anything_else_is_none(value: Any) -> None:
    assert not is_probability(value)


def test_a_vector_becomes_floats_in_its_order() -> None:
    found = probability_vector([1, 0])

    assert found == (1.0, 0.0)
    assert all(type(value) is float for value in found)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0.5,0.5", "a list"),
        ({"a": 0.5, "b": 0.5}, "a list"),
        (None, "a list"),
        ([], "two or more"),
        ([1.0], "two or more"),
        ([0.5, None], "from 0 to 1, not None"),
        ([0.5, "0.5"], "from 0 to 1, not '0.5'"),
        ([True, False], "not True"),
        ([math.nan, 1.0], "not nan"),
        ([2.0, -1.0], "not 2.0"),
        ([0.5, 0.4], "add up to 0.9"),
    ],
)
def test_what_is_no_vector_is_refused_with_the_reason(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probability_vector(value)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="3 probabilities are expected, not 2"):
        probability_vector([0.5, 0.5], 3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2000).filter(lambda v: sum(v) > 0))
def test_a_softmax_of_any_number_of_classes_that_was_rounded_to_floats_passes(
    scores: list[float],
) -> None:
    total = math.fsum(scores)
    assert len(probability_vector([score / total for score in scores])) == len(scores)


def test_four_printed_decimals_of_a_thousand_classes_pass() -> None:
    values = [round(1 / 1000, 4)] * 1000
    assert len(probability_vector(values, 1000)) == 1000
