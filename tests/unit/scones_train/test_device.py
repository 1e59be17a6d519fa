"""No test here has a GPU: what PyTorch knows of one without it is checked by its fake tensors."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from scones_core.errors import TrainingError
from scones_train.augment import augment
from scones_train.device import device_of, uses_bfloat16
from scones_train.model import Network, fit_whitening
from scones_train.optimiser import FineTuning, Schedule
from scones_train.pixels import Pixels
from scones_train.resnet import ResNet18

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@needs_no_gpu
def test_a_gpu_that_is_not_there_is_refused_and_else_the_processor_taken():
    assert device_of("auto").type == device_of("cpu").type == "cpu"
    with pytest.raises(TrainingError, match="there is no GPU"):
        device_of("cuda")


def test_a_precision_that_was_asked_for_is_taken():
    cpu = torch.device("cpu")
    assert uses_bfloat16("bfloat16", cpu)
    assert not uses_bfloat16("float32", cpu)


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Tensors without values that are on `cuda`; one that is used elsewhere is an error."""
    with FakeTensorMode():
        yield torch.device("cuda")


def _step(network, schedule, device):
    pixels = Pixels(
        torch.zeros(8, 32, 32, 3, dtype=torch.uint8, device=device),
        torch.zeros(3, device=device),
        torch.ones(3, device=device),
    )
    chance = torch.Generator().manual_seed(0)
    rows = pixels.rows(torch.arange(8), torch.arange(8) % 2 == 0)
    logits = network(augment(rows, chance))
    loss = functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64, device=device))
    loss.backward()
    schedule.step()
    return logits


def test_a_step_from_scratch_leaves_nothing_on_the_processor(on_a_gpu):
    network = Network(3).to(on_a_gpu)
    fit_whitening(network, torch.randn(4, 3, 32, 32, device=on_a_gpu))
    schedule = Schedule(network, steps=2, muon_lr=0.1, head_lr=0.1, bias_lr=0.1)
    assert _step(network, schedule, on_a_gpu).device.type == "cuda"
    assert network.answers(torch.zeros(2, 3, 32, 32, device=on_a_gpu)).device.type == "cuda"


def test_a_step_of_fine_tuning_leaves_nothing_on_the_processor(on_a_gpu):
    network = ResNet18(3).to(on_a_gpu)
    schedule = FineTuning(network, steps=2, lr=0.001)
    assert _step(network, schedule, on_a_gpu).device.type == "cuda"
