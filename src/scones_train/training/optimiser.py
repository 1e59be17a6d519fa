"""Muon for the convolutions, Nesterov SGD for the rest, one schedule for both."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

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
        """Go on from what `state_dict` returned for the same network and number of steps."""
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self._done = state["done"]

    def step(self) -> None:
        """Update the parameters at the rate of this step, and forget the gradients."""
        factor = rate(self._done, self._steps)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self._done += 1


class Schedule(Annealed):
    """The optimisers of this project's own network."""

    def __init__(
        self,
        network: Network,
        *,
        steps: int,
        muon_lr: float,
        head_lr: float,
        bias_lr: float,
    ) -> None:
        filters = [p for p in network.groups.parameters() if p.ndim == 4]
        biases = [p for p in network.groups.parameters() if p.ndim == 1 and p.requires_grad]
        assert network.whiten.bias is not None  # noqa: S101 (narrows the type)
        rest = [
            {"params": [network.head.weight], "lr": head_lr},
            {"params": [*biases, network.whiten.bias], "lr": bias_lr},
        ]
        optimisers: list[Optimizer] = [
            Muon(filters, lr=muon_lr),
            SGD(rest, momentum=0.85, nesterov=True, weight_decay=0.0),
        ]
        super().__init__(optimisers, steps)


class FineTuning(Annealed):
    """AdamW on every weight of a network that knows something already."""

    def __init__(self, network: nn.Module, *, steps: int, lr: float) -> None:
        super().__init__([AdamW(network.parameters(), lr=lr, weight_decay=0.01)], steps)


def rate(step: int, steps: int, warmup: float = 0.15) -> float:
    """Return the fraction, 0 to 1, of the peak learning rate at a step counted from 0."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
