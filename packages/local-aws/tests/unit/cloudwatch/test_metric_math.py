from typing import Any

import pytest

from local_aws.cloudwatch.metric_math import MathError, Scope, evaluate

TIMES = (0, 60, 120)
SHARE = (
    "IF(FILL(accepted, 0) + FILL(review, 0) >= 20, "
    "100 * FILL(review, 0) / (FILL(accepted, 0) + FILL(review, 0)), 0)"
)


def scope(**series: Any) -> Scope:
    return Scope(series, TIMES, 60, tuple(series))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", {0: 11.0, 60: 22.0}),
        ("m1 - m2 * 2", {0: -19.0, 60: -38.0}),
        ("(m1 - 3) ^ 2", {0: 4.0, 60: 1.0, 120: 0.0}),
        ("-m1", {0: -1.0, 60: -2.0, 120: -3.0}),
        ("2 ^ 3 ^ 0", {0: 2.0, 60: 2.0, 120: 2.0}),
        ("m1 / (m1 - 2)", {0: -1.0, 120: 3.0}),
        ("m1 > 1 AND m2 < 15", {0: 0.0, 60: 0.0}),
        ("m1 == 1 || m1 == 3", {0: 1.0, 60: 0.0, 120: 1.0}),
        ("FILL(m2, 5)", {0: 10.0, 60: 20.0, 120: 5.0}),
        ("FILL(m2, REPEAT)", {0: 10.0, 60: 20.0, 120: 20.0}),
        ("FILL(m3, REPEAT)", {60: 5.0, 120: 5.0}),
        ("FILL(m4, LINEAR)", {0: 1.0, 60: 2.0, 120: 3.0}),
        ("FILL(m3, LINEAR)", {60: 5.0, 120: 5.0}),
        ("IF(m1 > 1, m1)", {60: 2.0, 120: 3.0}),
        ("IF(m1 > 1, m1, 0)", {0: 0.0, 60: 2.0, 120: 3.0}),
        ("SUM([m1, m2])", {0: 11.0, 60: 22.0, 120: 3.0}),
        ("MAX([m1, m2])", {0: 10.0, 60: 20.0, 120: 3.0}),
        ("SUM([m1, m2]) / AVG(m1)", {0: 5.5, 60: 11.0, 120: 1.5}),
        ("MIN(METRICS())", {0: 1.0, 60: 2.0, 120: 3.0}),
        ("m1 / PERIOD(m1) * 60", {0: 1.0, 60: 2.0, 120: 3.0}),
        ("DIFF(m1)", {60: 1.0, 120: 1.0}),
        ("RUNNING_SUM(m1)", {0: 1.0, 60: 3.0, 120: 6.0}),
        ("CEIL(m1 * 1e308)", {0: 1e308}),
        ("FLOOR(1e308 * 10)", {}),
        ("SUM([REPEAT, LINEAR])", {}),
        ("STDDEV([REPEAT, m2])", {}),
    ],
)
def test_an_expression_is_computed_in_each_period(
    expression: str, expected: dict[int, float]
) -> None:
    known = scope(
        m1={0: 1.0, 60: 2.0, 120: 3.0}, m2={0: 10.0, 60: 20.0}, m3={60: 5.0}, m4={0: 1.0, 120: 3.0}
    )
    assert evaluate(expression, known) == expected


def test_the_share_of_reviews_needs_twenty_images() -> None:
    few = scope(accepted={0: 10.0}, review={0: 9.0, 60: 30.0})
    assert evaluate(SHARE, few) == {0: 0.0, 60: 100.0, 120: 0.0}
    many = scope(accepted={0: 60.0}, review={0: 40.0})
    assert evaluate(SHARE, many)[0] == 40.0


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("m1 +", "the end is not expected"),
        ("m1 m2", "m2 is not expected"),
        ("(m1", r"\) is missing"),
        ("m1 ; m2", "; cannot be read"),
        ("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND is not known here"),
        ("m9", "no metric has the id m9"),
        ("[m1, m1]", "gives 2 series"),
        ("FILL(m1)", "2 arguments are needed, not 1"),
    ],
)
def test_what_cannot_be_computed_is_said(expression: str, said: str) -> None:
    with pytest.raises(MathError, match=said):
        evaluate(expression, scope(m1={0: 1.0}))
