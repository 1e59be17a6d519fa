import numpy as np
import pytest

from scones_train.evaluation.occlusion import DRAWN_SIDE, GAP, draw_occlusion, occlusion


def quarter(images: np.ndarray) -> np.ndarray:
    """Answer by the brightness of the upper left quarter alone."""
    height, width = images.shape[1] // 2, images.shape[2] // 2
    bright = images[:, : max(1, height), : max(1, width)].mean(axis=(1, 2, 3)) / 255
    odds = np.exp(8 * bright - 4)
    return np.stack((odds / (1 + odds), 1 / (1 + odds)), axis=1).astype(np.float32)


def lit(side: int = 32) -> np.ndarray:
    image = np.zeros((side, side, 3), dtype=np.uint8)
    image[: side // 2, : side // 2] = 255
    return image


def test_the_part_that_the_model_looks_at_speaks_for_the_answer() -> None:
    parts = occlusion(quarter, lit())
    assert parts.shape == (32, 32)
    assert parts[:14, :14].min() > 0.05
    assert np.abs(parts[22:, 22:]).max() < 1e-5


def test_the_same_part_speaks_against_the_other_class() -> None:
    assert occlusion(quarter, lit(), label=1)[:14, :14].max() < -0.05


def test_a_class_that_is_all_but_certain_keeps_finite_parts() -> None:
    def certain(images: np.ndarray) -> np.ndarray:
        return np.tile(np.array([1, 0], np.float32), (len(images), 1))

    assert not occlusion(certain, lit()).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 24), (33, 7)])
def test_every_pixel_of_an_image_of_any_size_has_a_value(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    parts = occlusion(quarter, image)
    assert parts.shape == size
    assert np.isfinite(parts).all()


def test_the_drawing_shows_the_image_and_next_to_it_the_parts_in_colour() -> None:
    image = lit()
    drawn = np.asarray(draw_occlusion(image, occlusion(quarter, image)))
    assert drawn.shape == (DRAWN_SIDE, 2 * DRAWN_SIDE + GAP, 3)
    assert (drawn[10, 10] == 255).all()
    right = drawn[:, DRAWN_SIDE + GAP :].astype(int)
    red, _, blue = right[80, 80]
    assert red - blue > 100
    # Where nothing decided there is no colour.
    assert np.ptp(right[300, 300]) <= 2


def test_what_speaks_against_the_answer_is_blue() -> None:
    image = lit()
    drawn = np.asarray(draw_occlusion(image, occlusion(quarter, image, label=1))).astype(int)
    red, _, blue = drawn[80, DRAWN_SIDE + GAP + 80]
    assert blue - red > 100
