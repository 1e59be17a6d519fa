"""Classifier: what every network of this project is, images in, a logit for each class out."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scones_train.channels import Normalisation


class Classifier(nn.Module):
    """A network whose `forward` gives float32 logits (N, classes) of normalised (N, 3, H, W).

    `horizontal_flip` says that an image and its mirror image have the same class, and are
    answered by the mean of both: true of vehicles, not of digits.
    """

    horizontal_flip: bool = True

    def answers(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes) that the trained network answers with."""
        if not self.horizontal_flip:
            return cast(Tensor, self(x))
        upright, flipped = self(torch.cat((x, x.flip(-1)))).chunk(2)
        return cast(Tensor, (upright + flipped) / 2)

    def on_epoch(self, epoch: int) -> None:
        """Adapt to the start of an epoch of the training, counted from 1."""


class PretrainedClassifier(Classifier):
    """A pretrained network in two parts: `frozen` stays as it is, `trained` is fine-tuned.

    Images are resized to `side`, height and width. Batch norms are folded into the convolutions
    (`fold_norms`): their statistics stay those of the pretraining. The last layer, `head`,
    begins at 0.
    """

    side: tuple[int, int]
    head: nn.Linear
    normalisation: ClassVar[Normalisation]

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for normalised float32 images (N, 3, H, W)."""
        return self.trained(self.frozen(x))

    @abstractmethod
    def frozen(self, x: Tensor) -> Tensor:
        """Return float32 features (N, C, h, w) for normalised images (N, 3, H, W)."""

    @abstractmethod
    def trained(self, features: Tensor) -> Tensor:
        """Return float32 logits (N, classes) for the features of `frozen`."""

    @abstractmethod
    def trained_layers(self) -> Iterator[nn.Module]:
        """Yield the modules of `trained` whose weights are fine-tuned, without the head."""

    def resized(self, x: Tensor) -> Tensor:
        """Return the images, resized bilinearly to `side`."""
        if x.shape[-2:] != self.side:
            x = functional.interpolate(x, size=self.side, mode="bilinear", antialias=False)
        return x.contiguous(memory_format=torch.channels_last)


def fold_norms(network: nn.Module) -> None:
    """Fold each batch norm into the convolution registered just before it, in place.

    The norm becomes an identity; the network, in evaluation mode, answers the same.
    """
    for module in network.modules():
        for (name, layer), (next_name, norm) in pairwise(list(module.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, next_name, nn.Identity())


def new_head(features: int, classes: int) -> nn.Linear:
    """Return a last layer whose weights and bias are 0."""
    head = nn.Linear(features, classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
