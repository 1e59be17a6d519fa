"""ResNet-18, with the names that torchvision gives its weights, so that its files load.

After He et al., Deep Residual Learning for Image Recognition, 2015; names and layers as of
https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from scones_train.data import Normalisation
from scones_train.model.classifier import Classifier

WIDTHS = (64, 128, 256, 512)
FEATURES = WIDTHS[-1]
# Of ImageNet, on which public weights were trained.
NORMALISATION = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Block(nn.Module):
    """Two 3x3 convolutions with norms beside a shortcut; the first may halve the image."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 (N, outputs, H / stride, W / stride) for (N, inputs, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(Classifier):
    """Logits of images, normalised as ImageNet is; the last layer `fc` begins at 0."""

    def __init__(self, classes: int, *, mirror: bool = True) -> None:
        super().__init__()
        self.mirror = mirror
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        for number, (inputs, outputs) in enumerate(pairwise((WIDTHS[0], *WIDTHS)), start=1):
            layer = nn.Sequential(
                Block(inputs, outputs, 1 if number == 1 else 2), Block(outputs, outputs, 1)
            )
            self.add_module(f"layer{number}", layer)
        self.fc = nn.Linear(FEATURES, classes)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def blocks(self) -> Iterator[Block]:
        """Yield the eight blocks in order."""
        return (module for module in self.modules() if isinstance(module, Block))

    def features(self, x: Tensor) -> Tensor:
        """Return float32 (N, 512) for normalised float32 images (N, 3, H, W)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for block in self.blocks():
            x = block(x)
        # As a mean over positions: on a GPU an adaptive pool's gradient is not deterministic.
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for normalised float32 images (N, 3, H, W)."""
        return cast(Tensor, self.fc(self.features(x)))


def backbone_shapes() -> dict[str, torch.Size]:
    """Return the shape of every weight but the last layer's, by its name."""
    with torch.device("meta"):
        state = ResNet18(1).state_dict()
    return {name: value.shape for name, value in state.items() if not name.startswith("fc.")}
