from typing import Any

import pytest

from local_aws.cloudwatch.metric_math import MathError
from local_aws.cloudwatch.metric_queries import MAX_POINTS, Query, run


def asked(expression: str, seconds: int, period: int = 60) -> dict[str, Any]:
    return run([Query("e", period, expression=expression)], lambda *_: {}, 0, seconds)


def test_as_many_points_as_a_request_may_have_are_computed() -> None:
    assert len(asked("1", MAX_POINTS * 60)["e"]) == MAX_POINTS


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("1", (MAX_POINTS + 1) * 60), ("1", 10**12), ("+".join("1" * 300), 60_000 * 60)],
    ids=["one more", "millennia", "a long expression"],
)
def test_more_than_can_be_computed_in_memory_and_time_is_refused(
    expression: str, seconds: int
) -> None:
    with pytest.raises(MathError, match="ask for a shorter time"):
        asked(expression, seconds)


def test_an_expression_of_too_many_characters_is_refused() -> None:
    with pytest.raises(MathError, match="2,048 characters"):
        asked("1+" * 1024 + "1", 60)
