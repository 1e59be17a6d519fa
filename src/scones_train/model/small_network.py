"""Small network: a ResNet-9 whose first layer whitens image patches."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from scones_train.model.classifier import Classifier

WIDTHS = (64, 128, 128)
PATCH = 2
# Principal directions of a patch that the first layer keeps; a 2x2 patch has no more than 12.
MAX_DIRECTIONS = 24
# The groups do best with some 30 to 60 positions a side; larger images are taken by the patch.
USUAL_SIDE = 56
# Pixels that the whitening is fitted on; more of them change nothing.
WHITENING_PIXELS = 1 << 21
LOGIT_SCALE = 1 / 9
# Epochs in which the bias of the first layer is learnt.
STEM_EPOCHS = 3
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


class Network(Classifier):
    """Logits of normalised images.

    `whiten` is fitted on training patches (`fit_whitening`) and its filters are never trained.
    A `stem` of 1 takes every 2x2 patch of an image; a larger one patches of so many pixels a
    side next to each other, which shrinks the image by as much.
    """

    def __init__(
        self,
        classes: int,
        widths: Sequence[int] = WIDTHS,
        *,
        stem: int = 1,
        horizontal_flip: bool = True,
    ) -> None:
        super().__init__()
        self.horizontal_flip = horizontal_flip
        patch = max(PATCH, stem)
        directions = min(3 * patch * patch, MAX_DIRECTIONS)
        self.whiten = nn.Conv2d(3, 2 * directions, patch, stride=stem)
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
        return cast(Tensor, self.head(_pooled(x)) * LOGIT_SCALE)

    def on_epoch(self, epoch: int) -> None:
        """Keep the first layer as it is once it has found its bias: a twelfth of a step."""
        cast(Tensor, self.whiten.bias).requires_grad_(epoch <= STEM_EPOCHS)


def stem_of(size: tuple[int, int]) -> int:
    """Return the stem for images of a height and width: 1 up to 79 pixels, 4 for 224."""
    return 1 << max(0, round(math.log2(min(size) / USUAL_SIDE)))


def _pooled(x: Tensor) -> Tensor:
    """Return the largest value of each channel, (N, C), of (N, C, H, W)."""
    if x.device.type == "cpu":
        return functional.adaptive_max_pool2d(x, 1).flatten(1)
    # Its gradient on a GPU has no deterministic form, and PyTorch would refuse it.
    return x.amax(dim=(2, 3))


def fit_whitening(network: Network, images: Tensor, epsilon: float = 5e-4) -> None:
    """Set the first layer to the whitening of the patches that it takes of these images.

    `images` is normalised float32 (N, 3, H, W). Each principal direction is used twice, with
    both signs, since the GELU that follows keeps only one side; those that vary least are left
    out where a patch has more of them than the layer.
    """
    (patch, _), (step, _) = network.whiten.kernel_size, network.whiten.stride
    patches = images.unfold(2, patch, step).unfold(3, patch, step)
    rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * patch * patch)
    covariance = (rows.T @ rows / len(rows)).double().cpu()
    values, vectors = torch.linalg.eigh(covariance)
    kept = len(network.whiten.weight) // 2
    filters = (vectors / torch.sqrt(values + epsilon)).T[-kept:].float()
    filters = filters.reshape(-1, 3, patch, patch)
    with torch.no_grad():
        network.whiten.weight.copy_(torch.cat((filters, -filters)))
