"""No test here has a GPU: the device `meta`, whose tensors have no values, stands for one."""

import pytest
import torch
from torch.nn import functional
from torch.optim import AdamW

from scones_core.errors import TrainingError
from scones_train.model.resnet import ResNet18
from scones_train.model.small_network import Network
from scones_train.training import optimiser
from scones_train.training.augment import augment
from scones_train.training.device import device_of, uses_bfloat16
from scones_train.training.optimiser import Annealed, fine_tuning_schedule, scratch_schedule
from scones_train.training.pixels import Pixels

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@needs_no_gpu
def test_a_gpu_that_is_not_there_is_refused_and_else_the_processor_taken() -> None:
    assert device_of("auto").type == device_of("cpu").type == "cpu"
    with pytest.raises(TrainingError, match="there is no GPU"):
        device_of("cuda")


def test_a_precision_that_was_asked_for_is_taken() -> None:
    cpu = torch.device("cpu")
    assert uses_bfloat16("bfloat16", cpu)
    assert not uses_bfloat16("float32", cpu)


ELSEWHERE = torch.device("meta")


def a_step(network: ResNet18 | Network, schedule: Annealed) -> None:
    """Take one step of training; a tensor that stayed on the processor is an error."""
    pixels = Pixels(
        torch.zeros(8, 32, 32, 3, dtype=torch.uint8, device=ELSEWHERE),
        torch.zeros(3, device=ELSEWHERE),
        torch.ones(3, device=ELSEWHERE),
    )
    rows = pixels.rows(torch.arange(8), torch.arange(8) % 2 == 0)
    logits = network(augment(rows, torch.Generator().manual_seed(0)))
    targets = torch.zeros(8, dtype=torch.int64, device=ELSEWHERE)
    functional.cross_entropy(logits, targets).backward()
    schedule.step()
    assert network.answers(rows).device == ELSEWHERE


def test_a_step_from_scratch_leaves_nothing_on_the_processor() -> None:
    network = Network(3).to(ELSEWHERE)
    a_step(network, scratch_schedule(network, steps=2, scale=1))


def test_a_step_of_fine_tuning_leaves_nothing_on_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The fused step is there for devices that compute, and this one does not.
    monkeypatch.setattr(
        optimiser, "AdamW", lambda *given, **more: AdamW(*given, **more | {"fused": False})
    )
    network = ResNet18(3, side=(64, 64), horizontal_flip=True).to(ELSEWHERE)
    a_step(network, fine_tuning_schedule(network, steps=2, scale=1))


def test_what_lies_on_two_devices_is_found() -> None:
    with pytest.raises(RuntimeError, match="expected device"):
        torch.zeros(2, device=ELSEWHERE) + torch.zeros(2)
