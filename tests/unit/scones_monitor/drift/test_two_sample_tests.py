import math
from collections.abc import Sequence

import numpy as np
import pytest

from scones_monitor.drift import two_sample_tests
from scones_monitor.drift.samples import Sample, sample_of
from scones_monitor.drift.two_sample_tests import DriftFigure, compare, drifted, holm

LABELS = ("bicycle", "motorcycle")


def answers(n: int, seed: int, *, shift: float = 0.0, labels: Sequence[str] = LABELS) -> Sample:
    """Return answers as a network gives them: most nearly certain, some not."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(n, len(labels)))
    logits[:, 0] += shift
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return sample_of(labels, exact, {"brightness": rng.normal(size=n)})


def by_name(found: Sequence[DriftFigure]) -> dict[str, DriftFigure]:
    return {figure.name: figure for figure in found}


def alarms(n: int, m: int, draws: int, round_to: int | None = None) -> float:
    """Return the share of comparisons without drift that are called drift."""
    count = 0
    for seed in range(draws):
        pair = [answers(size, 2 * seed + i) for i, size in enumerate((n, m))]
        if round_to is not None:
            pair = [
                Sample(
                    answers=each.answers,
                    confidences=each.confidences.round(round_to),
                    probabilities={k: v.round(round_to) for k, v in each.probabilities.items()},
                    inputs={k: v.round(round_to) for k, v in each.inputs.items()},
                )
                for each in pair
            ]
        count += drifted(compare(pair[0], pair[1])) == "drift"
    return count / draws


# Of 100 draws at 5 %, 11 or more are a chance of 1 %; the seeds are fixed.
@pytest.mark.parametrize(("n", "m"), [(20, 20), (100, 100), (400, 30)])
def test_without_drift_at_most_five_percent_of_comparisons_are_alarms(n: int, m: int) -> None:
    assert alarms(n, m, 100) <= 0.10


def test_tied_values_raise_no_more_alarms() -> None:
    assert alarms(100, 50, 60, round_to=1) <= 0.10


def test_a_shift_of_the_answers_is_drift_with_its_effect_and_interval() -> None:
    found = by_name(compare(answers(400, 0), answers(100, 1, shift=4)))
    figure = found["probability of motorcycle"]
    assert figure.verdict == "drift"
    assert figure.p_value is not None
    assert figure.p_value < 0.001
    assert (figure.n_reference, figure.n_current) == (400, 100)
    assert figure.interval is not None
    assert figure.interval[0] < figure.statistic < figure.interval[1]
    assert found["brightness"].verdict == "none"
    assert found["class mix"].verdict == "drift"


def test_two_classes_have_one_figure_of_probability() -> None:
    names = [figure.name for figure in compare(answers(50, 0), answers(50, 1))]
    assert names == ["confidence", "class mix", "probability of motorcycle", "brightness"]


def test_many_classes_share_a_figure_beyond_the_most_frequent() -> None:
    labels = [f"class {number}" for number in range(1000)]
    found = compare(answers(60, 0, labels=labels), answers(60, 1, labels=labels))
    assert len(found) == two_sample_tests.MAX_CLASSES + 4
    assert "probability of other classes" in by_name(found)


def test_a_trifle_is_no_drift_however_many_images_there_are() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=50_000), rng.normal(0.06, size=50_000)
    exact = np.full((50_000, 2), 0.5)
    found = by_name(
        compare(sample_of(LABELS, exact, {"b": before}), sample_of(LABELS, exact, {"b": now}))
    )
    assert (found["b"].p_value or 0) < 0.001
    assert found["b"].statistic < two_sample_tests.MIN_EFFECT
    assert found["b"].verdict == "none"


@pytest.mark.parametrize("sizes", [(0, 0), (0, 50), (50, 1), (19, 50)])
def test_fewer_than_twenty_images_get_no_verdict(sizes: tuple[int, int]) -> None:
    found = compare(answers(sizes[0], 0), answers(sizes[1], 1))
    assert drifted(found) == "too_few"
    for figure in found:
        assert figure.verdict == "too_few"
        assert figure.p_value is None
        assert figure.interval is None


def test_unknown_values_are_left_out_and_not_counted() -> None:
    now = answers(50, 1)
    now.inputs["brightness"][:35] = math.nan
    found = by_name(compare(answers(50, 0), now))
    assert found["brightness"].n_current == 15
    assert found["brightness"].verdict == "too_few"
    assert found["confidence"].verdict == "none"


def test_a_quantity_of_one_sample_alone_has_no_figure() -> None:
    bare = sample_of(LABELS, np.full((30, 2), 0.5))
    assert "brightness" not in by_name(compare(answers(30, 0), bare))


def test_a_new_size_of_the_images_is_drift() -> None:
    exact = np.full((40, 2), 0.5)
    before = sample_of(LABELS, exact, {"size": [1024.0] * 40})
    now = sample_of(LABELS, exact, {"size": [1024.0] * 20 + [4096.0] * 20})
    assert by_name(compare(before, now))["size"].verdict == "drift"
    assert by_name(compare(before, before))["size"].verdict == "none"


def test_the_same_samples_give_the_same_figures() -> None:
    assert compare(answers(60, 0), answers(60, 1)) == compare(answers(60, 0), answers(60, 1))


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_the_effect_holds_the_true_one() -> None:
    # N(0, 1) against N(0.5, 1): the distribution functions differ by 2 * Phi(0.25) - 1 at most.
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        before, now = rng.normal(size=150), rng.normal(0.5, size=60)
        low, high = two_sample_tests._ks_interval(
            two_sample_tests.ks_statistic(before, now), 150, 60
        )
        held += low <= 0.1974 <= high
    assert held >= 190


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="brightness has the shape"):
        sample_of(LABELS, np.full((3, 2), 0.5), {"brightness": [1.0]})
