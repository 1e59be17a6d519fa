import numpy as np
import pytest

from scones_images.distortions import CORRUPTIONS, DISTORTIONS, SEVERITIES, distort
from scones_images.statistics import image_statistics


def photo(height: int = 32, width: int = 32) -> np.ndarray:
    """Return an image with areas, edges and fine detail, in colours of middle brightness."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(f * rows * 6) * np.cos(f * columns * 5) for f in (1.0, 2.0, 3.5)]
    return (np.stack([0.35 + 0.2 * each + 0.2 * rows for each in waves], axis=2) * 255).astype(
        np.uint8
    )


def moved(name: str, severity: int) -> float:
    """Return the mean square change of a distortion, over several draws."""
    clean = photo()
    draws = [distort(clean, name, severity, np.random.default_rng(seed)) for seed in range(8)]
    return float(np.mean([np.square(each.astype(float) - clean).mean() for each in draws]))


def test_there_are_nineteen_corruptions_and_two_kinds_of_darkness() -> None:
    assert len(CORRUPTIONS) == 19
    assert set(DISTORTIONS) - set(CORRUPTIONS) == {"darken", "night"}


# Saturation falls for the first two severities, and rises for the others.
@pytest.mark.parametrize("name", sorted(set(DISTORTIONS) - {"saturate"}))
def test_each_severity_changes_more_than_the_one_before(name: str) -> None:
    changes = [moved(name, severity) for severity in SEVERITIES]
    assert changes[0] > 0
    assert changes == sorted(changes)


@pytest.mark.parametrize("name", sorted(DISTORTIONS))
@pytest.mark.parametrize("shape", [(32, 32), (40, 24), (1, 1), (3, 2)])
def test_shape_and_type_stay_for_any_size(name: str, shape: tuple[int, int]) -> None:
    found = distort(photo(*shape), name, 5, np.random.default_rng(0))
    assert found.shape == (*shape, 3)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("name", sorted(DISTORTIONS))
def test_the_same_seed_gives_the_same_pixels_and_leaves_the_original(name: str) -> None:
    clean = photo()
    before = clean.copy()
    first, second = (distort(clean, name, 3, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(clean, before)


@pytest.mark.parametrize(
    ("name", "statistic", "higher"),
    [
        ("gaussian_noise", "sharpness", True),
        ("impulse_noise", "sharpness", True),
        ("gaussian_blur", "sharpness", False),
        ("defocus_blur", "sharpness", False),
        ("motion_blur", "sharpness", False),
        ("zoom_blur", "sharpness", False),
        ("brightness", "brightness", True),
        ("snow", "brightness", True),
        ("fog", "contrast", False),
        ("contrast", "contrast", False),
        ("saturate", "saturation", True),
        ("darken", "brightness", False),
        ("night", "saturation", None),
    ],
)
def test_a_distortion_moves_the_statistic_of_its_name(
    name: str, statistic: str, higher: bool | None
) -> None:
    before = image_statistics(photo())[statistic]
    after = image_statistics(distort(photo(), name, 4, np.random.default_rng(0)))[statistic]
    assert after != pytest.approx(before, rel=0.01)
    assert higher is None or (after > before) == higher


def test_a_black_image_stays_finite() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    for name in DISTORTIONS:
        assert distort(black, name, 5, np.random.default_rng(0)).shape == black.shape


@pytest.mark.parametrize(
    ("pixels", "name", "severity", "reason"),
    [
        (photo(), "rain", 1, "'rain' is not one of the distortions"),
        (photo(), "fog", 0, "a severity is from 1 to 5, not 0"),
        (photo(), "fog", 6, "a severity is from 1 to 5, not 6"),
        (photo()[..., 0], "fog", 1, "uint8 of"),
        (photo() / 255, "fog", 1, "uint8 of"),
        (photo()[:0], "fog", 1, "uint8 of"),
    ],
)
def test_what_is_no_image_or_no_distortion_is_refused(
    pixels: np.ndarray, name: str, severity: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        distort(pixels, name, severity, np.random.default_rng(0))
