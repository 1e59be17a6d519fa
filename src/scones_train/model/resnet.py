"""ResNet-18, with the names that torchvision gives its weights, so that its files load.

After He et al., Deep Residual Learning for Image Recognition, 2015; names and layers as of
https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from scones_train.channels import Normalisation
from scones_train.model.classifier import PretrainedClassifier, new_head

WIDTHS = (64, 128, 256, 512)
# Of ImageNet, on which public weights were trained.
NORMALISATION = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Block(nn.Module):
    """Two 3x3 convolutions with norms and a shortcut; the first may halve the image."""

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


class ResNet18(PretrainedClassifier):
    """Logits of images, normalised as ImageNet is. The last of its four layers is trained."""

    normalisation = NORMALISATION

    def __init__(self, classes: int, *, side: tuple[int, int], horizontal_flip: bool) -> None:
        super().__init__()
        self.side, self.horizontal_flip = side, horizontal_flip
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        for number, (inputs, outputs) in enumerate(pairwise((WIDTHS[0], *WIDTHS)), start=1):
            layer = nn.Sequential(
                Block(inputs, outputs, 1 if number == 1 else 2), Block(outputs, outputs, 1)
            )
            self.add_module(f"layer{number}", layer)
        self.head = new_head(WIDTHS[-1], classes)

    def frozen(self, x: Tensor) -> Tensor:
        """Return float32 features (N, 256, h / 16, w / 16) for normalised images (N, 3, H, W)."""
        x = functional.relu(self.bn1(self.conv1(self.resized(x))))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for number in (1, 2, 3):
            x = cast(nn.Module, getattr(self, f"layer{number}"))(x)
        return x

    def trained(self, features: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for the features of `frozen`."""
        x: Tensor = cast(nn.Module, self.layer4)(features)
        return cast(Tensor, self.head(x.mean(dim=(2, 3))))

    def trained_layers(self) -> Iterator[nn.Module]:
        """Yield the last layer but the head."""
        yield cast(nn.Module, self.layer4)


def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights by this module's names; the file's are torchvision's."""
    return {re.sub(r"^fc\.", "head.", name): value for name, value in state.items()}
