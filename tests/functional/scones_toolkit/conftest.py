from pathlib import Path

import pytest

from tests.support.photos import draw_photos


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """A folder of images by class."""
    return draw_photos(tmp_path / "photos")
