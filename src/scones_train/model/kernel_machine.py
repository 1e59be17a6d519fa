"""A second opinion of another kind: a kernel machine on a description of the whole image.

A network that learnt from some hundred images errs where its likes err; a machine that sees
only which way the edges run in each part of the image (`edges`), or which patches there are
(`patches`), errs elsewhere. It has a closed form: kernel ridge regression on
landmarks, after Williams and Seeger's Nystroem method, 2000.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scones_train.data import ImageSet
from scones_train.model.edges import Edges
from scones_train.model.patches import Patches

RIDGE = 0.03
# Scores of two classes differ by 1 to -1; the factor makes them about as far apart as logits.
LOGITS = 4.0
# More images than this are all learnt from, through so many of them.
MOST_LANDMARKS = 1000
# Images described, and rows of the kernel computed, at a time.
PART, ROWS = 128, 2048

Description = Edges | Patches


@dataclass(frozen=True, slots=True)
class KernelMachine:
    """The fitted machine, float32: scores are `kernel(a) @ weights`.

    `a` is a description less `centre`, times `scale`, both (D,); `landmarks` is (M, D) of the
    same kind, `weights` (M, classes). The kernel is `exp(-|a - landmark|^2 / 2)`; with `mirror`,
    where mirror images are one, the sum of that and of the mirror image's, so that both have
    the same score.
    """

    description: Description
    centre: Tensor
    scale: Tensor
    landmarks: Tensor
    weights: Tensor
    mirror: bool

    @property
    def turned(self) -> Tensor | None:
        """Which number of an image each of its mirror image's is; None where they are two."""
        return self.description.mirrored() if self.mirror else None

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 (N, classes) for uint8 images (N, H, W, 3), about as large as logits."""
        a = (described(self.description, pixels) - self.centre) * self.scale
        found = [
            _kernel(part, self.landmarks, self.turned) @ self.weights
            for part in torch.split(a, ROWS)
        ]
        scores: NDArray[np.float32] = torch.cat(found).numpy()
        return scores

    def state(self) -> dict[str, Tensor]:
        """Return its tensors by name, which begins with what it looks at."""
        own = {name: getattr(self, name) for name in ("centre", "scale", "landmarks", "weights")}
        every = {**own, **self.description.state()}
        return {f"{self.description.name}.{name}": tensor for name, tensor in every.items()}


def fit_machine(
    images: ImageSet,
    classes: int,
    description: Description,
    *,
    mirror: bool,
    share: float = 1.0,
    most: int = MOST_LANDMARKS,
) -> tuple[KernelMachine, NDArray[np.float32]]:
    """Return the machine of these images, and how it would score each without its label.

    The scores are float32 (N, classes): each image's by the regression on all the others. They
    are made `share` times as large as logits are. With `mirror` an image's mirror image is
    learnt with it, and left out with it.

    Kernel ridge regression on the classes as -1/2 and 1/2 for two of them; exact up to
    `most` images, beyond them through evenly chosen ones. The same images in the same
    order give the same weights on one machine.
    """
    numbers = described(description, images.pixels)
    turned = description.mirrored() if mirror else None
    centre, scale = _scaling(
        numbers if turned is None else torch.cat((numbers, numbers[:, turned]))
    )
    a = (numbers - centre) * scale
    targets = torch.eye(classes)[torch.from_numpy(images.labels)] - 1 / classes
    count = min(len(images), most)
    landmarks = a[torch.arange(count) * len(images) // count]
    weights, unseen = ridge(a, landmarks, targets, turned)
    factor = LOGITS * share
    machine = KernelMachine(
        description, centre, scale, landmarks, (weights * factor).float(), mirror
    )
    scores: NDArray[np.float32] = (unseen * factor).float().numpy()
    return machine, scores


def _scaling(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is taken from descriptions (N, D), and what makes their mean square 1."""
    centre, spread = numbers.mean(0), numbers.std(0) + 1e-3
    unit = ((numbers - centre) / spread).square().sum(1).mean().sqrt()
    return centre, 1 / (spread * unit)


def described(description: Description, pixels: NDArray[np.uint8]) -> Tensor:
    """Return the descriptions, float32 (N, D), of uint8 images (N, H, W, 3)."""
    return torch.cat([description(part) for part in _parts(pixels)])


def _parts(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for first in range(0, len(pixels), PART):
        yield np.ascontiguousarray(pixels[first : first + PART])


def ridge(
    a: Tensor, landmarks: Tensor, targets: Tensor, turned: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the landmarks' weights (M, classes) that fit best, and each row's score without it.

    Both float64, through the landmarks' Cholesky factor, which keeps the squared kernel well
    conditioned. A row that weighs h in its own score f, for the target t, is scored
    (f - h t) / (1 - h) by the regression on the others (Allen's PRESS, 1974).
    """
    factor = _factor(landmarks, turned)

    def rows(part: Tensor) -> Tensor:
        near = _kernel(part, landmarks, turned).T.double()
        found: Tensor = torch.linalg.solve_triangular(factor, near, upper=False)
        return found

    parts = list(zip(torch.split(a, ROWS), torch.split(targets.double(), ROWS), strict=True))
    gram = RIDGE * torch.eye(len(landmarks), dtype=torch.float64)
    right = torch.zeros(len(landmarks), targets.shape[1], dtype=torch.float64)
    for part, wanted in parts:
        features = rows(part)
        gram += features @ features.T
        right += features @ wanted
    lower = torch.linalg.cholesky(gram)
    solved = torch.cholesky_solve(right, lower)
    # Computed anew rather than kept: of 50,000 images they would take 400 MB.
    unseen = [_without_itself(rows(part), lower, solved, wanted) for part, wanted in parts]
    weights: Tensor = torch.linalg.solve_triangular(factor.T, solved, upper=True)
    return weights, torch.cat(unseen)


def _factor(landmarks: Tensor, turned: Tensor | None) -> Tensor:
    """Return the lower Cholesky factor, float64 (M, M), of the landmarks' own kernel."""
    among = _kernel(landmarks, landmarks, turned).double()
    # Equal but for the rounding of what is summed in another order.
    among = (among + among.T) / 2
    among.diagonal().add_(1e-6)
    factor: Tensor = torch.linalg.cholesky(among)
    return factor


def _without_itself(rows: Tensor, lower: Tensor, solved: Tensor, wanted: Tensor) -> Tensor:
    own: Tensor = torch.linalg.solve_triangular(lower, rows, upper=False).square().sum(0)[:, None]
    return (rows.T @ solved - own * wanted) / (1 - own)


def _kernel(a: Tensor, b: Tensor, turned: Tensor | None) -> Tensor:
    """Return the kernel of `KernelMachine`, (rows of a, rows of b)."""
    near = torch.exp(a @ b.T - a.square().sum(1, keepdim=True) / 2 - b.square().sum(1) / 2)
    return near if turned is None else near + _kernel(a[:, turned], b, None)
