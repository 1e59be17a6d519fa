import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones_core.class_folders import HIDDEN, NO_CLASS
from scones_core.errors import TrainingError
from scones_train.channels import (
    NO_ENDING,
    ImageSet,
    Normalisation,
    load_channel,
    load_channels,
    passed_over,
)

CLASSES = ("bicycle", "motorcycle")


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    for index, name in enumerate(("motorcycle", "bicycle")):
        folder = tmp_path / name
        folder.mkdir()
        for number in (2, 1):
            colour = (100 * index, number, 0)
            Image.new("RGB", (20, 16), colour).save(folder / f"{number}.png")
    return tmp_path


def test_images_come_by_class_in_model_order_then_by_name(channel: Path) -> None:
    images = load_channel(channel, CLASSES)
    assert images.pixels.dtype == np.uint8
    assert images.pixels.shape == (4, 16, 20, 3)
    assert images.size == (16, 20)
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.pixels[:, 0, 0, :2].tolist() == [[100, 1], [100, 2], [0, 1], [0, 2]]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="absent"):
        load_channel(tmp_path / "absent", CLASSES)


def test_an_unknown_class_folder_is_refused(channel: Path) -> None:
    (channel / "scooter" / "2024").mkdir(parents=True)
    (channel / "scooter" / "2024" / "1.bmp").write_bytes(bytes(80))
    with pytest.raises(TrainingError, match="scooter"):
        load_channel(channel, CLASSES)


def test_an_unknown_folder_without_a_file_is_no_class(channel: Path) -> None:
    (channel / "scooter" / "2024").mkdir(parents=True)
    (channel / "tram").mkdir()
    (channel / "tram" / ".DS_Store").write_bytes(bytes(80))
    assert len(load_channel(channel, CLASSES)) == 4


def test_a_class_without_images_is_refused(channel: Path) -> None:
    for path in (channel / "motorcycle").iterdir():
        path.unlink()
    with pytest.raises(TrainingError, match="no image of the class 'motorcycle'"):
        load_channel(channel, CLASSES)


def test_an_unreadable_image_is_named(channel: Path) -> None:
    (channel / "bicycle" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"bad\.png"):
        load_channel(channel, CLASSES)


def test_an_image_of_another_size_is_named(channel: Path) -> None:
    Image.new("RGB", (8, 8)).save(channel / "motorcycle" / "small.png")
    with pytest.raises(TrainingError, match=r"small\.png is 8x8 .* 20x16"):
        load_channel(channel, CLASSES)


def test_normalisation_is_of_pixels_from_0_to_1_and_spares_flat_channels(channel: Path) -> None:
    normalisation = Normalisation.of(load_channel(channel, CLASSES))
    assert normalisation.mean == pytest.approx((50 / 255, 1.5 / 255, 0), abs=1e-5)
    assert normalisation.std[0] == pytest.approx(50 / 255, abs=1e-5)
    assert normalisation.std[2] == 1


def test_the_order_of_images_is_that_of_their_class_and_pixels_alone(images: ImageSet) -> None:
    before, labels = _contents(images), sorted(images.labels.tolist())
    again = images.rows(np.random.default_rng(1).permutation(len(images))).ordered()
    ordered = images.ordered()
    assert np.array_equal(ordered.pixels, again.pixels)
    assert np.array_equal(ordered.labels, again.labels)
    assert ordered.labels.tolist() == labels
    assert _contents(ordered) == before


def test_images_are_put_in_order_without_a_copy(images: ImageSet) -> None:
    pixels, labels = images.pixels, images.labels
    ordered = images.ordered()
    assert ordered.pixels is pixels
    assert ordered.labels is labels


def _contents(images: ImageSet) -> list[tuple[int, bytes]]:
    return sorted((int(y), p.tobytes()) for p, y in zip(images.pixels, images.labels, strict=True))


def test_two_channels_come_in_one_order_whichever_has_an_image(
    channel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for number, label in enumerate(CLASSES):
        (other / label).mkdir(parents=True)
        Image.new("RGB", (20, 16), (0, 0, 9 + number)).save(other / label / "1.png")
    both = load_channels([channel, other], CLASSES)
    assert len(both) == len(load_channel(channel, CLASSES)) + len(CLASSES)
    swapped = load_channels([other, channel], CLASSES).ordered()
    assert np.array_equal(both.ordered().pixels, swapped.pixels)
    assert np.array_equal(both.labels, swapped.labels)


def test_the_statistics_are_those_of_all_pixels_whatever_their_number() -> None:
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (3, 2000, 2000, 3), dtype=np.uint8)
    pixels[..., 2] //= 3
    found = Normalisation.of(ImageSet(pixels, np.zeros(3, np.int64)))
    plain = pixels.reshape(-1, 3) / 255
    assert found.mean == pytest.approx(plain.mean(axis=0), abs=1e-6)
    assert found.std == pytest.approx(plain.std(axis=0), abs=1e-6)


def test_one_coloured_pixel_makes_images_not_grey() -> None:
    grey = np.repeat(np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1), 3, axis=3)
    assert ImageSet(grey, np.zeros(3, np.int64)).grey
    grey[2, 3, 3, 1] += 1
    assert not ImageSet(grey, np.zeros(3, np.int64)).grey


def test_a_channel_is_read_as_people_fill_it(tmp_path: Path) -> None:
    for number, suffix in enumerate(("png", "PNG", "jpg", "JPG", "jpeg", "JPEG")):
        place = tmp_path / "van" / ("deep" if number % 2 else ".")
        place.mkdir(parents=True, exist_ok=True)
        kind = "PNG" if suffix.lower() == "png" else "JPEG"
        Image.new("RGB", (16, 16), (number, 0, 0)).save(place / f"{number}.{suffix}", kind)
    (tmp_path / "bus").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "bus" / "1.png")
    (tmp_path / "bus" / "._1.png").write_bytes(bytes(80))
    (tmp_path / "bus" / ".DS_Store").write_bytes(bytes(80))
    (tmp_path / ".ipynb_checkpoints").mkdir()

    images = load_channel(tmp_path, ["van", "bus"])

    assert images.labels.tolist() == [0] * 6 + [1]


def test_what_is_no_image_of_a_channel_is_counted_with_its_reason(channel: Path) -> None:
    assert passed_over(channel) == {}
    (channel / "bicycle" / "notes.txt").write_text("no picture")
    (channel / "motorcycle" / "deep").mkdir()
    (channel / "motorcycle" / "deep" / "scan.bmp").write_bytes(bytes(80))
    (channel / "motorcycle" / "._1.png").write_bytes(bytes(80))
    (channel / "labels.csv").write_text("file,label")
    assert passed_over(channel) == {NO_ENDING: 2, HIDDEN: 1, NO_CLASS: 1}
    assert len(load_channel(channel, CLASSES)) == 4
    assert passed_over(channel / "absent") == {}


def test_a_channel_in_pipe_mode_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train_0")
    with pytest.raises(TrainingError, match="channel train is given in Pipe mode"):
        load_channel(tmp_path / "train", ("bus", "van"))
