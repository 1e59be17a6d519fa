import pytest

from tests.support.photos import draw_photos


@pytest.fixture
def photos(tmp_path):
    """A folder of images by class."""
    return draw_photos(tmp_path / "photos")
