"""The network: a small ResNet-9 whose first layer whitens image patches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from scones_train.dataset import Normalisation

WIDTHS = (64, 128, 128)
PATCH = 2
LOGIT_SCALE = 1 / 9
# The first logits are about 0.2: a network that begins by being sure must first unlearn that.
HEAD_SPREAD = 1 / 16
BATCH_NORM_MOMENTUM = 0.4
BATCH_NORM_EPSILON = 1e-5


def _norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with a learned bias; its scale stays 1, as the next filter has one."""
    norm = nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution whose first filters hand their input through unchanged."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight[:inputs])
    return convolution


class Group(nn.Module):
    """Convolution, 2x2 max pooling, norm, GELU; then two convolutions with a residual."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _convolution(inputs, outputs), _norm(outputs)
        self.conv2, self.norm2 = _convolution(outputs, outputs), _norm(outputs)
        self.conv3, self.norm3 = _convolution(outputs, outputs), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 (N, outputs, H // 2, W // 2) for float32 (N, inputs, H, W)."""
        x = functional.gelu(self.norm1(functional.max_pool2d(self.conv1(x), 2)))
        residual = functional.gelu(self.norm2(self.conv2(x)))
        return functional.gelu(self.norm3(self.conv3(residual)) + x)


class Network(nn.Module):
    """Logits of normalised images.

    `whiten` is fitted on training patches (`fit_whitening`) and its filters are never trained.
    """

    def __init__(self, classes: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        directions = 3 * PATCH * PATCH
        self.whiten = nn.Conv2d(3, 2 * directions, PATCH)
        self.whiten.weight.requires_grad_(False)
        nn.init.zeros_(cast(Tensor, self.whiten.bias))
        inputs = (2 * directions, *widths[:-1])
        self.groups = nn.ModuleList(Group(i, o) for i, o in zip(inputs, widths, strict=True))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        nn.init.normal_(self.head.weight, std=HEAD_SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for normalised float32 images (N, 3, H, W)."""
        x = functional.gelu(self.whiten(x))
        for group in self.groups:
            x = group(x)
        pooled = functional.adaptive_max_pool2d(x, 1).flatten(1)
        return cast(Tensor, self.head(pooled) * LOGIT_SCALE)

    def mirrored(self, x: Tensor) -> Tensor:
        """Return the mean logits of the images and of their mirror images, (N, classes)."""
        return (self.forward(x) + self.forward(x.flip(-1))) / 2


@dataclass(frozen=True, slots=True)
class Member:
    """A trained network, and the statistics of the images that it learnt from."""

    network: Network
    normalisation: Normalisation


def fit_whitening(network: Network, images: Tensor, epsilon: float = 5e-4) -> None:
    """Set the first layer to the whitening of the 2x2 patches of these images.

    `images` is normalised float32 (N, 3, H, W). Each principal direction is used twice, with
    both signs, since the GELU that follows keeps only one side.
    """
    patches = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
    rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * PATCH * PATCH)
    covariance = (rows.T @ rows / len(rows)).double()
    values, vectors = torch.linalg.eigh(covariance)
    filters = (vectors / torch.sqrt(values + epsilon)).T.float().reshape(-1, 3, PATCH, PATCH)
    with torch.no_grad():
        network.whiten.weight.copy_(torch.cat((filters, -filters)))
