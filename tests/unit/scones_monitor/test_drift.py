import math

import pytest

from scones_core.errors import MonitorError
from scones_monitor.drift import drift, ks, psi, verdict


def test_equal_distributions_do_not_drift() -> None:
    values = [i / 100 for i in range(100)]

    found = drift("confidence", values, values)

    assert (found.psi, found.ks, found.verdict) == (0, 0, "none")


def test_psi_is_the_sum_over_the_references_bins() -> None:
    # Two bins cut at the reference's median: shares 0.5, 0.5 become 0.25, 0.75.
    expected = -0.25 * math.log(0.25 / 0.5) + 0.25 * math.log(0.75 / 0.5)

    assert psi([1, 2, 3, 4], [1, 3, 4, 4], bins=2) == pytest.approx(expected)


def test_an_empty_bin_gives_a_large_but_finite_index() -> None:
    assert 1 < psi([1, 2, 3, 4], [4, 4, 4, 4], bins=2) < 10


def test_ks_is_the_largest_distance_of_the_two_distributions() -> None:
    assert ks([1, 2, 3, 4], [3, 4, 5, 6]) == pytest.approx(0.5)
    assert ks([1, 2], [3, 4]) == 1


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0.0, "none"), (0.0999, "none"), (0.1, "look"), (0.25, "look"), (0.2501, "act")],
)
def test_the_verdict_changes_at_a_tenth_and_a_quarter(index: float, expected: str) -> None:
    assert verdict(index) == expected


def test_drift_of_nothing_is_an_error() -> None:
    with pytest.raises(MonitorError, match="brightness"):
        drift("brightness", [], [1.0])
