import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scones_core.settings import QualitySettings
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.evaluation.quality_gate import (
    ScoredModel,
    below_active,
    below_limits,
    below_on_classes,
    binomial,
    in_common,
    mcnemar,
)

LIMITS = QualitySettings(min_accuracy=0.9, max_calibration_error=0.1, min_coverage=0.5)


def model(
    correct: NDArray[np.bool_],
    confidence: float | NDArray[np.float64] = 0.95,
    threshold: float = 0.9,
    first: int = 0,
) -> ScoredModel:
    """A model that answers some images right, all with one confidence or one each."""
    correct = np.asarray(correct)
    confidences = np.broadcast_to(np.asarray(confidence, dtype=np.float32), correct.shape)
    labels = np.zeros(len(correct), dtype=np.int64)
    first_class = np.where(correct, confidences, 1 - confidences)
    probabilities = np.stack([first_class, 1 - first_class], axis=1).astype(np.float32)
    names = tuple(str(first + row) for row in range(len(correct)))
    return ScoredModel(ImagePredictions(names, labels, probabilities), threshold)


def right(count: int, of: int) -> NDArray[np.bool_]:
    return np.arange(of) < count


def test_a_model_within_its_limits_passes() -> None:
    assert below_limits(model(right(95, 100)), LIMITS) == []


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        (model(right(89, 100), 0.9), "accuracy is 0.8900"),
        (model(right(100, 100), 0.8, threshold=0.7), "calibration error is 0.2000"),
        (model(right(95, 100), threshold=0.96), "coverage is 0.0000"),
    ],
)
def test_each_limit_is_named_with_what_was_found(candidate: ScoredModel, named: str) -> None:
    clauses = below_limits(candidate, LIMITS)
    assert len(clauses) == 1
    assert named in clauses[0]


@pytest.mark.parametrize(
    ("lost", "won", "p"), [(0, 0, 1.0), (5, 0, 1 / 32), (4, 1, 6 / 32), (8, 2, 56 / 1024)]
)
def test_mcnemar_is_the_binomial_tail(lost: int, won: int, p: float) -> None:
    assert mcnemar(lost, won) == pytest.approx(p)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_a_probability_and_falls_with_each_loss(lost: int, won: int) -> None:
    assert 0 < mcnemar(lost, won) <= 1
    assert mcnemar(lost + 1, won) <= mcnemar(lost, won + 1)


def test_a_model_is_not_below_itself() -> None:
    same = model(right(90, 100))
    assert below_active(same, same, 0.05) == []


def test_four_more_mistakes_may_be_chance_and_six_are_not() -> None:
    active = model(right(100, 100))
    assert below_active(model(right(96, 100)), active, 0.05) == []
    refused = below_active(model(right(94, 100)), active, 0.05)
    assert "6 wrong" in refused[0]
    assert "McNemar" in refused[0]


def test_a_lost_coverage_beyond_chance_is_refused() -> None:
    active = model(right(95, 100), np.where(right(90, 100), 0.97, 0.8))
    slightly = model(right(95, 100), np.where(right(89, 100), 0.97, 0.8))
    clearly = model(right(95, 100), np.where(right(70, 100), 0.97, 0.8))
    assert below_active(slightly, active, 0.05) == []
    assert any("coverage is 0.7000" in clause for clause in below_active(clearly, active, 0.05))


def test_a_worse_calibration_beyond_chance_is_refused() -> None:
    active = model(right(190, 200), 0.95)
    overconfident = model(right(170, 200), 0.999)
    clauses = below_active(overconfident, active, 0.05)
    assert any("calibration error is 0.1490" in clause for clause in clauses)


def test_only_images_that_both_were_tested_on_are_compared() -> None:
    mine, its = in_common(model(right(50, 100)), model(right(0, 100), first=60))
    assert len(mine.predictions) == len(its.predictions) == 40
    assert mine.predictions.images == its.predictions.images


def with_trams(hits: int, of: int) -> ScoredModel:
    """A model of three classes that gets so many of the third one's images right."""
    probabilities = np.zeros((of, 3), dtype=np.float32)
    probabilities[np.arange(of), np.where(right(hits, of), 2, 0)] = 1
    labels = np.full(of, 2, dtype=np.int64)
    return ScoredModel(ImagePredictions(tuple(map(str, range(of))), labels, probabilities), 0.9)


BOTH = ("bicycle", "motorcycle")
THREE = (*BOTH, "tram")


@pytest.mark.parametrize(("hits", "of", "share"), [(0, 2, 0.5), (1, 2, 0.5), (2, 2, 0.1)])
def test_the_binomial_is_the_chance_of_so_many_hits_or_fewer(
    hits: int, of: int, share: float
) -> None:
    expected = {0: 0.25, 1: 0.75, 2: 1.0}[hits]
    assert binomial(hits, of, share) == pytest.approx(expected)


def test_a_new_class_has_to_reach_the_limit_by_itself_beyond_chance() -> None:
    assert below_on_classes(with_trams(17, 20), THREE, BOTH, LIMITS) == []
    (clause,) = below_on_classes(with_trams(10, 20), THREE, BOTH, LIMITS)
    assert "20 test images of the new class tram is 0.5000" in clause
    assert below_on_classes(with_trams(10, 20), THREE, THREE, LIMITS) == []


def test_a_new_class_with_hardly_a_test_image_is_refused() -> None:
    (clause,) = below_on_classes(with_trams(9, 9), THREE, BOTH, LIMITS)
    assert "9 images of tram" in clause
    assert "10 are needed" in clause


def test_a_class_that_the_candidate_lost_is_named() -> None:
    (clause,) = below_on_classes(model(right(9, 10)), BOTH, THREE, LIMITS)
    assert clause == "it does not know tram, which the active release does"
