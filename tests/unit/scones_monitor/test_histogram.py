from collections.abc import Callable

import pytest

from scones_monitor.axes import certainty
from scones_monitor.histogram import bin_edges, stacked
from scones_monitor.join import Joined


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.93, 0.97, 0.9999])
def test_no_bin_holds_both_sides_of_the_threshold(threshold: float) -> None:
    edges = bin_edges(threshold, 2)

    assert any(edge == pytest.approx(certainty(threshold)) for edge in edges)
    assert edges == sorted(edges)
    assert edges[0] == pytest.approx(certainty(0.5))
    assert edges[-1] >= certainty(1.0)


def test_every_classified_image_of_known_truth_stands_in_one_bar(
    row: Callable[..., Joined],
) -> None:
    rows = [row("a", c, "a") for c in (0.5, 0.6, 0.97, 1.0)]
    rows += [row("a", 0.6, "b"), row(None, None, "b", "failed")]

    wrong, right = stacked(rows, bin_edges(0.97, 2))

    assert (wrong.name, sum(wrong.counts)) == ("wrong", 1)
    assert (right.name, sum(right.counts)) == ("right", 4)


def test_the_bars_show_decisions_where_no_truth_is_known(row: Callable[..., Joined]) -> None:
    edges = bin_edges(0.97, 2)
    rows = [row("a", 0.97), row("a", 0.9699, None, "review")]

    review, accepted = stacked(rows, edges)

    cut = edges.index(certainty(0.97))
    assert (review.name, review.counts.index(1)) == ("review", cut - 1)
    assert (accepted.name, accepted.counts.index(1)) == ("accepted", cut)
