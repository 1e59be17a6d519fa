import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """A folder of images by class: `bicycle` is bright above, `motorcycle` below."""
    random = np.random.default_rng(0)
    for label in ("bicycle", "motorcycle"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(24):
            pixels = random.integers(0, 100, (16, 16, 3), dtype=np.uint8)
            pixels[slice(0, 8) if label == "bicycle" else slice(8, 16)] += 150
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return str(tmp_path / "photos")
