import io

import numpy as np
import pytest
from PIL import Image

from scones_etl.report import contact_sheet, evenly


@pytest.mark.parametrize(("count", "size"), [(1, (68, 68)), (10, (662, 68)), (23, (662, 200))])
def test_a_sheet_has_rows_of_ten(count: int, size: tuple[int, int]) -> None:
    colours = np.random.default_rng(0).integers(0, 200, (count, 3), dtype=np.uint8)
    images = [np.broadcast_to(colour, (32, 32, 3)).copy() for colour in colours]

    with Image.open(io.BytesIO(contact_sheet(images))) as sheet:
        assert sheet.size == size
        for number, colour in enumerate(colours):
            row, column = divmod(number, 10)
            assert sheet.getpixel((34 + 66 * column, 34 + 66 * row)) == tuple(colour)


def test_images_of_any_shape_fit_their_cell() -> None:
    wide = np.zeros((10, 500, 3), dtype=np.uint8)

    with Image.open(io.BytesIO(contact_sheet([wide]))) as sheet:
        assert sheet.size == (68, 68)
        assert sheet.getpixel((65, 2)) == (0, 0, 0)
        assert sheet.getpixel((65, 10)) == (255, 255, 255)


def test_the_chosen_images_are_spread_over_all() -> None:
    assert evenly(3) == [0, 1, 2]
    assert evenly(10, 4) == [0, 2, 5, 7]
    assert len(set(evenly(101))) == 100
