import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import SettingsError
from scones_images import ImageError, decode
from scones_toolkit.simulation.images import KINDS, ImageSimulator, Mix, parse_mix


def png(shade: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(shade).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


BODIES = {"bicycle": png(1), "motorcycle": png(2)}
POOL = {name: [lambda body=body: body] for name, body in BODIES.items()}
EQUAL = dict.fromkeys(POOL, 1.0)


def test_the_kinds_and_classes_come_in_their_shares() -> None:
    mix = Mix({"bicycle": 3, "motorcycle": 1}, broken=0.1, blurred=0.1, dark=0.1, foreign=0.1)
    simulate = ImageSimulator(mix, POOL, seed=0)

    made = [simulate(number) for number in range(200)]

    kinds = Counter(image.kind for image in made)
    assert all(0.05 < kinds[kind] / 200 < 0.16 for kind in KINDS[1:])
    labels = Counter(image.label for image in made if image.label)
    assert 0.65 < labels["bicycle"] / labels.total() < 0.85


def test_an_image_follows_from_seed_and_number_alone() -> None:
    mix = Mix(EQUAL, broken=0.2, blurred=0.2, dark=0.2, foreign=0.2)

    forward = [ImageSimulator(mix, POOL, 7)(number) for number in range(12)]
    backward = [ImageSimulator(mix, POOL, 7)(number) for number in reversed(range(12))]

    assert forward == backward[::-1]
    assert forward != [ImageSimulator(mix, POOL, 8)(number) for number in range(12)]


def test_broken_images_cannot_be_decoded_and_have_no_class() -> None:
    simulate = ImageSimulator(Mix(EQUAL, broken=1), POOL, 0)

    made = [simulate(number) for number in range(40)]

    assert {image.label for image in made} == {""}
    assert len({image.body[:20] for image in made}) >= 4
    for image in made:
        with pytest.raises(ImageError):
            decode(image.body)


def test_dark_images_are_darker_and_keep_their_class() -> None:
    simulate = ImageSimulator(Mix(EQUAL, dark=1), POOL, 0)

    for number in range(6):
        image = simulate(number)
        assert decode(image.body).mean() < 0.8 * decode(BODIES[image.label]).mean()


def test_blurred_images_have_less_detail() -> None:
    simulate = ImageSimulator(Mix(EQUAL, blurred=1), POOL, 0)

    for number in range(6):
        image = simulate(number)
        assert decode(image.body).std() < 0.8 * decode(BODIES[image.label]).std()


def test_foreign_images_have_the_size_of_others_and_no_class() -> None:
    image = ImageSimulator(Mix(EQUAL, foreign=1), POOL, 0)(3)

    assert image.label == ""
    assert decode(image.body).shape == (32, 32, 3)


@pytest.mark.parametrize("shares", [{"dark": -0.1}, {"broken": 1.1}, {"foreign": float("nan")}])
def test_a_share_out_of_range_is_named(shares: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=f"--{next(iter(shares))} is a share"):
        Mix(EQUAL, **shares)


def test_shares_above_one_together_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"1\.2 together"):
        Mix(EQUAL, dark=0.6, broken=0.6)


@pytest.mark.parametrize("text", ["bus=1", "bicycle", "bicycle=x", "bicycle=1,,"])
def test_a_mix_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--mix"):
        parse_mix(text, ["bicycle", "motorcycle"])


@pytest.mark.parametrize("text", ["bicycle=0", "bicycle=-1,motorcycle=2", "bicycle=inf"])
def test_weights_that_choose_nothing_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--mix needs weights"):
        Mix(parse_mix(text, ["bicycle", "motorcycle"]))
