"""The optimisers of both recipes, and the schedule of their learning rates."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from scones_train.model.classifier import PretrainedClassifier
from scones_train.model.small_network import Network

# The quintic of Keller Jordan's Muon: it pushes every singular value towards 1 in few steps.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int) -> Tensor:
    """Return a near-orthogonal matrix of the same row and column space, by Newton-Schulz.

    `matrix` is float32 (rows, columns), and so is the result, whose singular values are about
    0.7 to 1.2. The steps are taken by the matrix's small square, with which each of them
    commutes: that halves the arithmetic.
    """
    a, b, c = QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    square, factor = x @ x.T, torch.eye(len(x), device=x.device)
    for _ in range(steps):
        step = torch.addmm(square, square, square, beta=b, alpha=c)
        step.diagonal().add_(a)
        factor, square = step @ factor, step @ square @ step
    x = factor @ x
    return x if wide else x.T


class Muon(Optimizer):
    """Momentum whose update is orthogonalised, for filters kept at a fixed norm.

    Every parameter is one matrix: its first dimension by all the others. A step rescales it
    to a root-mean-square filter norm of 1, so `lr` is relative to the weights.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.6,
        steps: int = 3,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "steps": steps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; a closure is not supported."""
        if closure is not None:
            raise ValueError("Muon takes no closure.")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101 (narrows the type; `step` has checked)
        state = self.state[parameter]
        if "buffer" not in state:
            state["buffer"] = torch.zeros_like(gradient)
        buffer = state["buffer"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(buffer, alpha=group["momentum"])
        parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
        update = orthogonalise(direction.reshape(len(direction), -1), group["steps"])
        parameter.add_(update.view_as(parameter), alpha=-group["lr"])


class Annealed:
    """Optimisers whose rates rise and fall together, by `rate`."""

    def __init__(self, optimisers: list[Optimizer], steps: int) -> None:
        self._optimisers = optimisers
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["peak"] = group["lr"]
        self._steps, self._done = steps, 0

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on, of plain values and tensors."""
        return {"done": self._done, "optimisers": [each.state_dict() for each in self._optimisers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from what `state_dict` returned for the same network and number of steps."""
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self._done = state["done"]

    def step(self) -> None:
        """Update the parameters at the rate of this step, and clear the gradients."""
        factor = rate(self._done, self._steps)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self._done += 1


# Peak learning rates of `scratch`: convolutions by Muon, the last layer and biases by SGD.
MUON_RATE, HEAD_RATE, BIAS_RATE = 0.25, 0.67, 0.05
# Peak learning rate of `pretrained`, and how many times it the last layer has.
FINE_TUNING_RATE, HEAD_FACTOR, DECAY = 1e-3, 10, 0.01


def scratch_schedule(network: Network, *, steps: int, scale: float) -> Annealed:
    """Return Muon for the convolutions and Nesterov SGD for the rest, for so many steps."""
    filters = [p for p in network.groups.parameters() if p.ndim == 4]
    biases = [p for p in network.groups.parameters() if p.ndim == 1 and p.requires_grad]
    assert network.whiten.bias is not None  # noqa: S101 (narrows the type)
    rest = [
        {"params": [network.head.weight], "lr": HEAD_RATE * scale},
        {"params": [*biases, network.whiten.bias], "lr": BIAS_RATE * scale},
    ]
    optimisers: list[Optimizer] = [
        Muon(filters, lr=MUON_RATE * scale),
        SGD(rest, momentum=0.85, nesterov=True, weight_decay=0.0),
    ]
    return Annealed(optimisers, steps)


def fine_tuning_schedule(network: PretrainedClassifier, *, steps: int, scale: float) -> Annealed:
    """Return AdamW for the weights that require gradients, for so many steps."""
    head = list(network.head.parameters())
    own = {id(parameter) for parameter in head}
    body = [p for p in network.parameters() if p.requires_grad and id(p) not in own]
    groups = [
        {"params": body, "lr": FINE_TUNING_RATE * scale},
        {"params": head, "lr": FINE_TUNING_RATE * HEAD_FACTOR * scale},
    ]
    return Annealed([AdamW(groups, weight_decay=DECAY, fused=True)], steps)


def rate(step: int, steps: int, warmup: float = 0.15) -> float:
    """Return the fraction, 0 to 1, of the peak learning rate at a step counted from 0."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
