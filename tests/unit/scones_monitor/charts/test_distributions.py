import io

import numpy as np
import pytest
from PIL import Image

from scones_monitor.charts.axes import certainty
from scones_monitor.charts.distributions import (
    Stack,
    bin_edges,
    confidence_histogram,
    input_histogram,
    reliability_diagram,
)
from scones_monitor.charts.matrix import confusion_matrix
from scones_monitor.charts.png import SCALE, to_png
from scones_monitor.statistics import Bin, Share


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.93, 0.97, 0.9999])
def test_no_bin_holds_both_sides_of_the_threshold(threshold: float) -> None:
    edges = bin_edges(threshold, 2)

    assert any(edge == pytest.approx(certainty(threshold)) for edge in edges)
    assert edges == sorted(edges)
    assert edges[0] == pytest.approx(certainty(0.5))
    assert edges[-1] >= certainty(1.0)


def test_every_image_stands_in_one_bar() -> None:
    stacks = [Stack("review", [0.6, 0.9699]), Stack("accepted", [0.97, 0.99, 1.0])]

    html = confidence_histogram(stacks, 0.97, 2).markup()

    assert "2 review; 3 accepted. The threshold is 97" in html
    assert html.count('class="bar review"') == 2
    assert html.count('class="bar accepted"') == 3


def test_reliability_shows_each_range_with_its_interval_and_n() -> None:
    drawing = reliability_diagram([Bin(0.62, Share(5, 10)), Bin(0.97, Share(90, 90))])

    html = drawing.markup()
    assert html.count('class="whisker"') == 2
    assert "n = 90" in html
    assert "100 labelled images" in html


def test_an_input_statistic_is_drawn_over_that_of_the_reference() -> None:
    html = input_histogram("brightness", np.linspace(0, 1, 50), np.linspace(0.5, 1, 9), 2).markup()

    assert "50 images, 9 of the reference." in html
    assert 'class="line second"' in html
    assert input_histogram("size", [32.0], [], 0).markup().count('class="line second"') == 0


def test_the_cells_hold_the_counts_in_the_order_of_the_labels() -> None:
    html = confusion_matrix([[3, 1], [0, 0]], ("bicycle", "motorcycle")).markup()

    assert "bicycle answered as motorcycle: 1 of 4" in html
    assert "75.0\u202f%" in html
    assert html.count('class="cell-count"') == 4


def test_many_classes_lose_their_figures_and_keep_their_tooltips() -> None:
    counts = np.zeros((40, 40), np.int64)
    counts[7, 3] = 1

    html = confusion_matrix(counts.tolist(), [f"class number {i}" for i in range(40)]).markup()

    assert "cell-count" not in html
    assert html.count("<rect") == 1600
    assert "class number 7 answered as class number 3: 1 of 1" in html


def test_a_drawing_is_the_same_as_png() -> None:
    drawing = confidence_histogram([Stack("accepted", [0.99] * 9)], 0.97, 2)

    with Image.open(io.BytesIO(to_png(drawing))) as image:
        assert image.size == (drawing.frame.width * SCALE, (drawing.frame.height + 30) * SCALE)
        colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert (0x1F, 0x6F, 0xB2) in colours
