from collections.abc import Callable

import pytest

from scones_monitor import statistics
from scones_monitor.join import Joined

Rows = Callable[..., Joined]
LABELS = ("bicycle", "motorcycle")


@pytest.fixture
def rows(row: Rows) -> list[Joined]:
    return [
        row("bicycle", 0.99, "bicycle"),
        row("bicycle", 0.98, "motorcycle"),
        row("motorcycle", 0.97, "motorcycle"),
        row("motorcycle", 0.60, "bicycle", "review"),
        row("motorcycle", 0.80, "motorcycle", "review"),
        row("bicycle", 0.99),
        row(None, None, "bicycle", "failed"),
    ]


def test_accuracy_is_over_classified_images_of_known_truth(rows: list[Joined]) -> None:
    assert statistics.accuracy(rows) == (3, 5)
    assert statistics.accuracy(rows).value == pytest.approx(0.6)


def test_precision_is_over_the_accepted_ones_of_known_truth(rows: list[Joined]) -> None:
    assert statistics.precision(rows) == (2, 3)


def test_coverage_is_accepted_of_classified(rows: list[Joined]) -> None:
    assert statistics.coverage(rows) == (4, 6)


def test_a_share_of_nothing_is_unknown() -> None:
    assert statistics.accuracy([]).value is None
    assert statistics.accuracy([]).interval is None


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    # By hand: (0.955 + 0.0096036) / 1.0192073 = 0.946425, and 0.0302931 / 1.0192073 = 0.029722.
    found = statistics.wilson_interval(191, 200)

    assert found.low == pytest.approx(0.91675, abs=5e-5)
    assert found.high == pytest.approx(0.97614, abs=5e-5)


def test_the_wilson_interval_ends_at_0_and_1() -> None:
    assert statistics.wilson_interval(10, 10).high == 1
    assert statistics.wilson_interval(10, 10).low == pytest.approx(0.72246, abs=5e-5)
    assert statistics.wilson_interval(0, 10).low == 0


def test_confusion_has_truth_in_rows_and_answers_in_columns(rows: list[Joined]) -> None:
    assert statistics.confusion(rows, LABELS) == ((1, 1), (1, 2))


def test_a_histogram_keeps_the_upper_edge_in_the_last_bin() -> None:
    assert statistics.confidence_histogram([0.5, 0.74, 0.75, 1.0], [0.5, 0.75, 1.0]) == [2, 2]


def test_percentiles_are_interpolated(row: Rows) -> None:
    values = [row("bicycle", value / 100) for value in range(101)]

    found = statistics.percentiles_by_class(values, LABELS)

    assert found["bicycle"] == pytest.approx({5: 0.05, 25: 0.25, 50: 0.5, 75: 0.75, 95: 0.95})
    assert found["motorcycle"] == {}


def test_a_confidence_at_the_threshold_is_not_below_it() -> None:
    assert statistics.share_below([0.96, 0.97, 0.98], 0.97) == (1, 3)


@pytest.mark.parametrize(
    ("probabilities", "bits"),
    [((0.5, 0.5), 1.0), ((1.0, 0.0), 0.0), ((0.25,) * 4, 2.0), ((0.75, 0.25), 0.8112781)],
)
def test_entropy_is_in_bits(probabilities: tuple[float, ...], bits: float) -> None:
    assert statistics.entropy(probabilities) == pytest.approx(bits)
