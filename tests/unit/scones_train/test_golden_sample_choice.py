import numpy as np

from scones_images import decode
from scones_train.channels import ImageSet
from scones_train.golden_sample_choice import MAX_SAMPLES, choose_golden_samples


def test_the_first_image_of_each_class_is_kept_pixel_by_pixel(images: ImageSet) -> None:
    answers = np.linspace(0, 1, 24, dtype=np.float32).reshape(12, 2)
    known = choose_golden_samples(images, answers)
    assert [image.probabilities for image in known] == [
        tuple(map(float, answers[row])) for row in (0, 1)
    ]
    for row, image in enumerate(known):
        assert image.content_type == "image/png"
        assert np.array_equal(decode(image.body), images.pixels[row])


def test_of_many_classes_only_the_first_are_kept() -> None:
    labels = np.arange(100, dtype=np.int64)
    images = ImageSet(np.zeros((100, 16, 16, 3), dtype=np.uint8), labels)
    assert len(choose_golden_samples(images, np.zeros((100, 100), dtype=np.float32))) == MAX_SAMPLES
