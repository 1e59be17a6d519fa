import torch

from scones_train.training.augment import augment, cut_out, flipped_in, recolour, shift


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=seeded(7)) + 1


def test_a_view_keeps_the_shape_and_repeats_with_its_seed() -> None:
    images = pictures(8)
    first = augment(images, seeded())
    assert first.shape == images.shape
    assert torch.equal(first, augment(images, seeded()))
    assert not torch.equal(first, augment(images, seeded(1)))


def test_a_view_leaves_the_original_as_it_was() -> None:
    images = pictures(8)
    before = images.clone()
    augment(images, seeded())
    assert torch.equal(images, before)


def test_two_epochs_in_a_row_show_both_sides_of_every_image() -> None:
    first = torch.tensor([True, False, True, False])
    even, odd = (flipped_in(epoch, first) for epoch in (2, 3))
    assert torch.equal(even, first)
    assert torch.equal(odd, ~even)


def test_images_without_colour_get_none() -> None:
    grey = pictures(8)[:, :1].repeat(1, 3, 1, 1)
    seen = augment(grey, seeded(), grey=True)
    assert torch.equal(seen[:, 0], seen[:, 2])
    assert not torch.equal(recolour(grey, seeded()), recolour(grey, seeded(), grey=True))


def test_some_views_lose_their_colour() -> None:
    seen = recolour(pictures(1000), seeded())
    faded = (seen[:, 0] == seen[:, 1]).all(dim=(1, 2)) & (seen[:, 1] == seen[:, 2]).all(dim=(1, 2))
    assert 150 < int(faded.sum()) < 250


def test_a_shift_moves_pixels_by_at_most_its_distance() -> None:
    image = torch.zeros(50, 3, 32, 32)
    image[:, :, 16, 16] = 1
    places = shift(image, 4, seeded())[:, 0].nonzero()[:, 1:]
    assert len(places) == 50
    assert (places - 16).abs().max() == 4
    assert len({tuple(place) for place in places.tolist()}) > 20


def test_a_cutout_hides_one_square_in_all_channels() -> None:
    hidden = cut_out(pictures(), 12, seeded()) == 0
    assert torch.equal(hidden[:, 0], hidden[:, 2])
    area = hidden[:, 0].sum(dim=(1, 2))
    assert area.max() == 12 * 12
    assert area.min() >= 36
