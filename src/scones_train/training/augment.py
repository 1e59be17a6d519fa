"""Augmentation of training images: flipped, shifted, partly covered, slightly recoloured."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

SHIFT = 4
CUTOUT = 12
JITTER = 0.1
# The share of views without their colour: what a vehicle is, its paint does not say.
GREY = 0.2
REFERENCE_SIDE = 32


def augment(images: Tensor, generator: Generator, *, grey: bool = False) -> Tensor:
    """Return one random view of each image; flipping is left to `flipped_in`.

    `images` is normalised float32 (N, 3, H, W), so that 0 is the mean colour that a cutout
    leaves. Distances are pixels of a 32-pixel image and grow with the size. `grey` images stay
    grey. The generator is of the processor, wherever the images are, so that chance is the same.
    """
    scale = images.shape[-1] / REFERENCE_SIDE
    images = shift(images, max(1, round(SHIFT * scale)), generator)
    images = recolour(images, generator, grey=grey)
    return cut_out(images, round(CUTOUT * scale), generator)


def flipped_in(epoch: int, first: Tensor) -> Tensor:
    """Return which images an epoch sees flipped: each is in every other epoch.

    `first`, bool (N,), names those flipped in even epochs. Two epochs in a row then show both
    sides of every image, which chance alone would not. After Jordan's airbench, 2024.
    """
    return first if epoch % 2 == 0 else ~first


def shift(images: Tensor, pixels: int, generator: Generator) -> Tensor:
    """Return the images, each moved by up to `pixels` in x and y; edges are reflected."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (pixels,) * 4, mode="reflect")
    offsets = torch.randint(0, 2 * pixels + 1, (2, count, 1), generator=generator)
    rows = (offsets[0] + torch.arange(height)).to(images.device)
    columns = (offsets[1] + torch.arange(width)).to(images.device)
    which = torch.arange(count, device=images.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def recolour(images: Tensor, generator: Generator, *, grey: bool = False) -> Tensor:
    """Return the images with a random gain and offset for each one and each channel.

    A share of GREY loses its colour. Gain and offset of `grey` images are the same in all
    channels.
    """
    shape = (len(images), 1 if grey else 3, 1, 1)
    gain = 1 + JITTER * torch.randn(shape, generator=generator)
    offset = JITTER * torch.randn(shape, generator=generator)
    seen = images * gain.to(images.device) + offset.to(images.device)
    if grey:
        return seen
    faded = torch.rand((len(images), 1, 1, 1), generator=generator) < GREY
    return torch.where(faded.to(images.device), seen.mean(1, keepdim=True), seen)


def cut_out(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Return the images with one square of each, partly outside perhaps, set to 0."""
    count, _, height, width = images.shape
    row = torch.randint(0, height, (count, 1), generator=generator)
    column = torch.randint(0, width, (count, 1), generator=generator)
    in_rows = _within(torch.arange(height) - row, side)
    in_columns = _within(torch.arange(width) - column, side)
    hidden = in_rows[:, :, None] & in_columns[:, None, :]
    return images.masked_fill(hidden[:, None].to(images.device), 0.0)


def _within(distance: Tensor, side: int) -> Tensor:
    return (distance >= -(side // 2)) & (distance < side - side // 2)
