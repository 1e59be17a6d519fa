import numpy as np
import pytest

from scones_train.model.edges import DIRECTIONS, NUMBERS, SCALES, Edges

FINEST = SCALES[0][1][0]


def finest(found):
    """The histograms of the first image in the smallest cells of its larger size."""
    return found[0, : DIRECTIONS * FINEST**2].reshape(DIRECTIONS, FINEST, FINEST)


def test_an_edge_is_counted_in_its_own_direction_and_place():
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    pixels[0, :, 16:] = 255
    found = finest(Edges.of((32, 32))(pixels))
    strongest = found.sum(dim=(1, 2))
    assert int(strongest.argmax()) == 0
    assert float(strongest[DIRECTIONS // 2]) == 0
    assert found[0, :, 3:5].min() > 0
    assert found[0, :, [0, 1, 6, 7]].max() == 0


def test_larger_cells_and_the_smaller_image_know_the_edge_as_well():
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    pixels[0, 16:] = 255
    found, first = Edges.of((32, 32))(pixels)[0], 0
    for cells in (cells for _, grids in SCALES for cells in grids):
        part = found[first : first + DIRECTIONS * cells**2].reshape(DIRECTIONS, -1)
        assert int(part.sum(dim=1).argmax()) == DIRECTIONS // 4
        first += part.numel()
    assert first == len(found) == NUMBERS


def test_a_mirror_images_histograms_are_those_of_the_image_in_another_order():
    pixels = np.random.default_rng(3).integers(0, 256, (4, 32, 28, 3), dtype=np.uint8)
    describe = Edges.of((32, 28))
    there = describe(np.ascontiguousarray(pixels[:, :, ::-1]))
    assert there == pytest.approx(describe(pixels)[:, describe.mirrored()], abs=1e-5)
    turned = describe.mirrored()
    assert turned[turned].tolist() == list(range(NUMBERS))


def test_an_image_of_one_colour_has_no_edges():
    pixels = np.full((2, 20, 28, 3), 77, dtype=np.uint8)
    found = Edges.of((20, 28))(pixels)
    assert found.shape == (2, NUMBERS)
    assert float(found.max()) < 0.05


@pytest.mark.parametrize("size", [(16, 20), (28, 28), (224, 224)])
def test_every_size_is_described_by_as_many_numbers(size):
    pixels = np.random.default_rng(2).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    describe = Edges.of(size)
    assert describe(pixels).shape == (1, NUMBERS)
    for scale in describe.scales:
        assert scale.rows.shape[1] == size[0]
        assert scale.rows.sum(dim=1) == pytest.approx(1)
