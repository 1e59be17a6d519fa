"""What every network of this project is: images in, a logit for each class out."""

from typing import cast

from torch import Tensor, nn


class Classifier(nn.Module):
    """A network whose `forward` gives float32 logits (N, classes) of normalised (N, 3, H, W).

    `mirror` says that an image and its mirror image are one and the same thing, and are answered
    by the mean of both: true of vehicles, and not of digits.
    """

    mirror: bool = True

    def mirrored(self, x: Tensor) -> Tensor:
        """Return the mean logits of the images and of their mirror images, (N, classes)."""
        return cast(Tensor, (self(x) + self(x.flip(-1))) / 2)

    def begin(self, epoch: int) -> None:
        """Take notice that an epoch of the training, counted from 1, begins."""

    def answers(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes) that the network is asked for once it is trained."""
        return self.mirrored(x) if self.mirror else cast(Tensor, self(x))
