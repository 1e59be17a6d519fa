"""A linear layer on features: multinomial logistic regression, by full-batch L-BFGS."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# How strongly weights are drawn to 0, for features of variance 1; the folds choose among them.
DECAYS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
USUAL_DECAY = 0.03
ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class Features:
    """`views` is float32 (V, N, F): of N images in V views; `labels` is int64 (N,)."""

    views: Tensor
    labels: Tensor

    def without(self, rows: NDArray[np.int64]) -> "Features":
        """Return the features of all images but these."""
        kept = torch.ones(len(self.labels), dtype=torch.bool)
        kept[torch.from_numpy(rows)] = False
        return Features(self.views[:, kept], self.labels[kept])


@dataclass(frozen=True, slots=True)
class Head:
    """Weight float32 (classes, F) and bias (classes,); `loss` is that of its training."""

    weight: Tensor
    bias: Tensor
    loss: float

    def logits(self, views: Tensor) -> Tensor:
        """Return the mean logits (N, classes) over the views (V, N, F)."""
        return views.mean(dim=0) @ self.weight.T + self.bias


def fit_head(features: Features, classes: int, decay: float = USUAL_DECAY) -> Head:
    """Return the layer under which the labels are likeliest, its weights drawn to 0 by `decay`.

    Features are scaled to a variance of 1 for that, and the layer back to what they are.
    """
    rows = features.views.flatten(0, 1).double()
    labels = features.labels.repeat(len(features.views))
    mean, std = rows.mean(dim=0), rows.std(dim=0, correction=0).clamp(min=1e-6)
    scaled = (rows - mean) / std
    weight = torch.zeros(classes, rows.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def cost() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(scaled @ weight.T + bias, labels)
        loss = loss + decay / 2 * (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimiser.step(cost)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        loss = float(functional.cross_entropy(scaled @ weight.T + bias, labels))
        unscaled = weight / std
        return Head(unscaled.float(), (bias - unscaled @ mean).float(), loss)


def chosen_decay(
    features: Features, held_out: Sequence[NDArray[np.int64]], classes: int
) -> tuple[float, NDArray[np.float32]]:
    """Return the decay that does best on held-out images, and the logits (N, classes) by it.

    Each image's are of a layer that was fitted without its fold. Without folds it is the usual
    decay, and the logits are 0.
    """
    if not held_out:
        return USUAL_DECAY, np.zeros((len(features.labels), classes), dtype=np.float32)
    tried = {decay: _held_out(features, held_out, classes, decay) for decay in DECAYS}
    cost = {
        decay: float(functional.cross_entropy(logits, features.labels))
        for decay, logits in tried.items()
    }
    best = min(cost, key=lambda decay: cost[decay])
    logits: NDArray[np.float32] = tried[best].numpy()
    return best, logits


def _held_out(
    features: Features, held_out: Sequence[NDArray[np.int64]], classes: int, decay: float
) -> Tensor:
    logits = torch.zeros(len(features.labels), classes)
    for rows in held_out:
        head = fit_head(features.without(rows), classes, decay)
        unseen = torch.from_numpy(rows)
        logits[unseen] = head.logits(features.views[:, unseen])
    return logits
