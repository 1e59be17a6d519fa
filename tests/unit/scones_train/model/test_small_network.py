import pytest
import torch
from torch.nn import functional

from scones_train.model.small_network import MAX_DIRECTIONS, Network, fit_whitening, stem_of


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (33, 47)])
def test_any_size_from_the_smallest_on_gives_a_logit_per_class(size: tuple[int, int]) -> None:
    assert Network(5).eval()(torch.randn(2, 3, *size)).shape == (2, 5)


def test_the_default_network_stays_small() -> None:
    assert sum(value.numel() for value in Network(2).parameters()) < 1_000_000


def test_the_first_layer_makes_patches_uncorrelated() -> None:
    torch.manual_seed(0)
    smooth = functional.avg_pool2d(torch.randn(64, 3, 36, 36), 5, stride=1)
    network = Network(2)
    fit_whitening(network, smooth, epsilon=1e-9)
    output = functional.conv2d(smooth, network.whiten.weight)[:, :12]
    rows = output.permute(0, 2, 3, 1).reshape(-1, 12)
    assert torch.allclose(rows.T @ rows / len(rows), torch.eye(12), atol=0.02)


def test_an_image_and_its_flip_get_one_answer() -> None:
    network, image = Network(2).eval(), torch.randn(3, 3, 20, 20)
    with torch.no_grad():
        assert torch.allclose(network.answers(image), network.answers(image.flip(-1)), atol=1e-5)


def test_an_untrained_network_is_unsure() -> None:
    torch.manual_seed(1)
    fresh = Network(2)
    images = torch.randn(64, 3, 32, 32)
    fit_whitening(fresh, images)
    with torch.no_grad():
        confidence = fresh(images).softmax(dim=1).max(dim=1).values
    assert confidence.mean() < 0.8


@pytest.mark.parametrize(
    ("size", "stem"),
    [((28, 28), 1), ((64, 64), 1), ((96, 128), 2), ((224, 224), 4), ((300, 512), 4)],
)
def test_the_stem_leaves_some_sixty_positions_a_side(size: tuple[int, int], stem: int) -> None:
    assert stem_of(size) == stem


def test_a_large_patch_is_whitened_by_the_directions_that_vary_most() -> None:
    torch.manual_seed(0)
    smooth = functional.avg_pool2d(torch.randn(32, 3, 68, 68), 5, stride=1)
    network = Network(2, stem=4)
    fit_whitening(network, smooth, epsilon=1e-9)
    output = functional.conv2d(smooth, network.whiten.weight, stride=4)
    assert output.shape == (32, 2 * MAX_DIRECTIONS, 16, 16)
    rows = output[:, :MAX_DIRECTIONS].permute(0, 2, 3, 1).reshape(-1, MAX_DIRECTIONS)
    assert torch.allclose(rows.T @ rows / len(rows), torch.eye(MAX_DIRECTIONS), atol=0.05)


def test_a_network_without_flips_answers_each_side_by_itself() -> None:
    network, image = Network(2, horizontal_flip=False).eval(), torch.randn(3, 3, 20, 20)
    with torch.no_grad():
        assert torch.equal(network.answers(image), network(image))


def test_the_first_layers_bias_is_learnt_in_the_first_epochs_alone() -> None:
    network = Network(2, widths=(8, 8, 8))
    assert network.whiten.bias is not None
    learnt = []
    for epoch in range(1, 6):
        network.on_epoch(epoch)
        learnt.append(network.whiten.bias.requires_grad)
    assert learnt == [True, True, True, False, False]
    # A training that goes on after an interruption begins there.
    fresh = Network(2, widths=(8, 8, 8))
    fresh.on_epoch(4)
    assert fresh.whiten.bias is not None
    assert not fresh.whiten.bias.requires_grad
