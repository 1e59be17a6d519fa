"""EfficientNet-Lite0, the network of the default recipe.

After Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
and https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: no
squeeze-and-excitation, ReLU6, stem and head not scaled.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from scones_train.channels import Normalisation
from scones_train.model.classifier import PretrainedClassifier, new_head

# Of each stage: expansion, channels, blocks, kernel, stride of its first block.
STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
STEM, FEATURES = 32, 1280
# Stem and so many blocks stay as they are. Of five they are a third of the arithmetic; with
# eight frozen the out-of-fold accuracy fell from 0.962 to 0.956.
FROZEN_BLOCKS = 5
NORMALISATION = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class ConvNorm(nn.Module):
    """A convolution with TensorFlow's "same" padding, a batch norm, and ReLU6 if `active`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        # For even sides: with a stride of 2 there is one pixel less at the top and the left.
        total = kernel - stride
        self.padding = (total // 2, total - total // 2) * 2 if total % 2 else (0, 0, 0, 0)
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=0 if total % 2 else total // 2,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 (N, outputs, H / stride, W / stride) for (N, inputs, H, W)."""
        if any(self.padding):
            x = functional.pad(x, self.padding)
        x = self.norm(self.conv(x))
        # In place, as nothing else reads it: new memory costs more than the comparison.
        return functional.relu6(x, inplace=True) if self.active else x


class Block(nn.Module):
    """An inverted residual: expansion, depthwise convolution, projection."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = ConvNorm(inputs, inner) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.project = ConvNorm(inner, outputs, active=False)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 (N, outputs, H / stride, W / stride) for (N, inputs, H, W)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(PretrainedClassifier):
    """Logits of images normalised to -1 to 1; sides are multiples of 32."""

    normalisation = NORMALISATION

    def __init__(self, classes: int, *, side: tuple[int, int], horizontal_flip: bool) -> None:
        super().__init__()
        self.side, self.horizontal_flip = side, horizontal_flip
        self.stem = ConvNorm(3, STEM, 3, 2)
        blocks, inputs = list[Block](), STEM
        for expansion, outputs, count, kernel, stride in STAGES:
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(Block(inputs, outputs, expansion, kernel, step))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = ConvNorm(inputs, FEATURES)
        self.head = new_head(FEATURES, classes)

    def frozen(self, x: Tensor) -> Tensor:
        """Return float32 features (N, 40, h / 8, w / 8) for normalised images (N, 3, H, W)."""
        features: Tensor = self.blocks[:FROZEN_BLOCKS](self.stem(self.resized(x)))
        return features

    def trained(self, features: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for the features of `frozen`."""
        x = self.last(self.blocks[FROZEN_BLOCKS:](features))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits

    def trained_layers(self) -> Iterator[nn.Module]:
        """Yield the pointwise convolutions of the blocks above the frozen ones, and the last one.

        Depthwise convolutions have few weights and take most of the backward pass.
        """
        for block in list(self.blocks)[FROZEN_BLOCKS:]:
            assert isinstance(block, Block)  # noqa: S101 (narrows the type)
            yield from (block.expand, block.project)
        yield self.last


_RENAMED = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "last.conv."),
    (r"^_bn1\.", "last.norm."),
    (r"^_fc\.", "head."),
    (r"^_blocks\.(\d+)\._(expand|depthwise|project)_conv\.", r"blocks.\1.\2.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)


def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights by this module's names; the file's are those of efficientnet-pytorch."""
    found = {}
    for name, value in state.items():
        for pattern, replacement in _RENAMED:
            name, count = re.subn(pattern, replacement, name)  # noqa: PLW2901
            if count:
                break
        found[name] = value
    return found
