import pytest
import torch
from torch.nn import functional

from scones_train.model.efficientnet import EfficientNetLite0
from scones_train.model.small_network import Network
from scones_train.training.optimiser import (
    Muon,
    fine_tuning_schedule,
    orthogonalise,
    rate,
    scratch_schedule,
)


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (10, 10)])
def test_an_orthogonalised_matrix_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalise(matrix, steps=5)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_muon_keeps_filters_near_their_norm_and_goes_downhill() -> None:
    weight = torch.nn.Parameter(torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(2)))
    target = torch.ones_like(weight)
    optimiser = Muon([weight], lr=0.1)

    def loss() -> torch.Tensor:
        value: torch.Tensor = -(weight * target).sum() / weight.norm()
        return value

    before = loss().item()
    for _ in range(20):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert loss().item() < before - 1
    assert weight.norm().item() == pytest.approx(6**0.5, rel=0.2)


def test_the_rate_rises_to_one_and_falls_to_nothing() -> None:
    rates = [rate(step, 100) for step in range(100)]
    peak = rates.index(max(rates))
    assert rates[peak] == 1
    assert rates[0] < 0.1
    assert 10 < peak < 20
    assert rates[-1] < 0.01
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_a_schedule_trains_everything_but_the_whitening() -> None:
    torch.manual_seed(0)
    network = Network(2, widths=(8, 8, 8))
    before = {name: value.clone() for name, value in network.named_parameters()}
    schedule = scratch_schedule(network, steps=4, scale=0.5)
    for _ in range(3):
        loss = functional.cross_entropy(network(torch.randn(8, 3, 16, 16)), torch.arange(8) % 2)
        loss.backward()
        schedule.step()
    moved = {n for n, value in network.named_parameters() if not torch.equal(value, before[n])}
    expected = {name for name, value in network.named_parameters() if value.requires_grad}
    assert moved == expected
    assert "whiten.weight" not in moved


def test_fine_tuning_gives_the_head_ten_times_the_rate_and_leaves_frozen_weights_out() -> None:
    with torch.device("meta"):
        network = EfficientNetLite0(2, side=(32, 32), horizontal_flip=True)
    network.requires_grad_(requires_grad=False)
    network.last.requires_grad_(requires_grad=True)
    network.head.requires_grad_(requires_grad=True)
    (optimiser,) = fine_tuning_schedule(network, steps=4, scale=2)._optimisers
    body, head = optimiser.param_groups
    assert (body["peak"], head["peak"]) == (0.002, 0.02)
    assert len(body["params"]) == len(list(network.last.parameters()))
    assert [id(p) for p in head["params"]] == [id(p) for p in network.head.parameters()]
