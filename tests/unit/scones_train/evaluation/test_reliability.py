from xml.etree import ElementTree

import numpy as np
import pytest

from scones_train.evaluation.metrics import expected_calibration_error
from scones_train.evaluation.reliability import reliability, to_svg

PROBABILITIES = np.array([[0.9, 0.1], [0.92, 0.08], [0.4, 0.6], [0.0, 1.0]])
LABELS = np.array([0, 1, 1, 1], dtype=np.int64)


def test_bins_hold_what_was_answered_with_their_confidence() -> None:
    bins = reliability(PROBABILITIES, LABELS, bins=5)
    assert [each.images for each in bins] == [1, 3]
    assert bins[0].confidence == pytest.approx(0.6)
    assert bins[1].accuracy == pytest.approx(2 / 3)


def test_the_calibration_error_is_the_mean_difference_in_the_bins() -> None:
    random = np.random.default_rng(4)
    first = random.random(500)
    probabilities = np.stack([first, 1 - first], axis=1)
    labels = random.integers(0, 2, 500)
    bins = reliability(probabilities, labels)
    differences = sum(each.images * abs(each.confidence - each.accuracy) for each in bins) / 500
    assert differences == pytest.approx(expected_calibration_error(probabilities, labels))


def test_the_diagram_has_a_circle_for_each_bin_where_it_belongs() -> None:
    bins = reliability(PROBABILITIES, LABELS, bins=5)
    root = ElementTree.fromstring(to_svg(bins, "four images"))  # noqa: S314 (our own text)
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2
    assert float(circles[0].attrib["cy"]) < float(circles[1].attrib["cy"])
    assert float(circles[0].attrib["r"]) < float(circles[1].attrib["r"])
