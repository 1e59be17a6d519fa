from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scones_core.errors import TrainingError
from scones_train.channels import ImageSet
from scones_train.model.classifier import Classifier
from scones_train.model.small_network import Network
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.cross_validation import total_steps
from scones_train.training.fit import EpochReport, Loop, TrainingCallbacks, fit
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.optimiser import Annealed
from scones_train.training.scratch import FromScratch


@pytest.fixture
def lit(lit_images: ImageSet) -> ImageSet:
    return lit_images


def trained(
    images: ImageSet, reports: list[EpochReport] | None = None, **settings: Any
) -> tuple[Network, NDArray[np.float32]]:
    trainer = FromScratch(images, Hyperparameters(recipe="scratch", **settings))
    seen: list[EpochReport] = [] if reports is None else reports
    callbacks = TrainingCallbacks(on_epoch=seen.append)
    rows = np.arange(len(images))
    network = trainer.fit(rows, callbacks, Checkpoint())
    return network, trainer.predict(network, rows)


def test_a_seed_gives_the_same_answers_again_and_another_gives_others(lit: ImageSet) -> None:
    _, first = trained(lit, epochs=2, batch_size=8)
    assert np.array_equal(first, trained(lit, epochs=2, batch_size=8)[1])
    assert not np.array_equal(first, trained(lit, epochs=2, batch_size=8, seed=1)[1])


def test_every_epoch_is_reported_and_the_loss_falls(lit: ImageSet) -> None:
    reports: list[EpochReport] = []
    _, logits = trained(lit, reports, epochs=5, batch_size=8)
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    assert reports[-1].train_loss < reports[0].train_loss
    assert (logits.argmax(axis=1) == lit.labels).mean() >= 0.9


@pytest.mark.parametrize(
    ("bound", "taken", "in_all"),
    [(3, 3, 3 + 3 * 3), (1, 1, 1 + 3 * 1), (0, 6, 6 + 3 * 4), (1000, 6, 6 + 3 * 4)],
)
def test_a_bound_of_fewer_steps_than_an_epoch_has_holds(
    lit: ImageSet, bound: int, taken: int, in_all: int
) -> None:
    settings = Hyperparameters(recipe="scratch", epochs=1, batch_size=4, max_steps=bound, folds=3)
    steps: list[None] = []
    callbacks = TrainingCallbacks(on_step=lambda: steps.append(None))
    FromScratch(lit, settings).fit(np.arange(len(lit)), callbacks, Checkpoint())
    assert (len(steps), total_steps(len(lit), settings)) == (taken, in_all)


def test_a_loss_that_is_no_number_ends_the_training(lit: ImageSet) -> None:
    with pytest.raises(TrainingError, match="The loss is nan in epoch 1"):
        trained(lit, epochs=2, batch_size=8, learning_rate_scale=1e38)


class Linear(Classifier):
    """The smallest network that `fit` trains."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.layer(x))


def updated(parts: int) -> NDArray[np.float32]:
    """Return the weights of a linear classifier after four steps of two batches of seven."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(14, 5, generator=generator)
    targets = torch.arange(14) % 3
    network = Linear(5, 3)
    torch.nn.init.zeros_(network.layer.weight)
    torch.nn.init.zeros_(network.layer.bias)
    schedule = Annealed([torch.optim.SGD(network.parameters(), lr=1.0)], steps=4)

    def batches(_: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return zip(inputs.split(7), targets.split(7), strict=True)

    loop = Loop(network, network, batches, schedule, generator, parts=parts)
    settings = Hyperparameters(epochs=2, batch_size=7, precision="float32")
    fit(loop, settings, 14, TrainingCallbacks(), Checkpoint())
    return network.layer.weight.detach().numpy()


def test_a_batch_in_unequal_parts_updates_as_the_whole_batch() -> None:
    whole = updated(1)
    assert np.abs(whole).max() > 0.1
    assert np.allclose(updated(3), whole, atol=1e-6)


def test_fewer_images_than_a_batch_make_one_batch(lit: ImageSet) -> None:
    _, logits = trained(lit, epochs=1, batch_size=64)
    assert logits.shape == (24, 2)
    assert np.isfinite(logits).all()


def test_without_flips_an_image_and_its_flip_may_differ(lit: ImageSet) -> None:
    flipped = ImageSet(lit.pixels[:, :, ::-1].copy(), lit.labels)
    for horizontal_flip, alike in ((0, False), (1, True)):
        settings = Hyperparameters(
            recipe="scratch", epochs=3, batch_size=8, horizontal_flip=horizontal_flip
        )
        trainer, rows = FromScratch(lit, settings), np.arange(len(lit))
        network = trainer.fit(rows, TrainingCallbacks(), Checkpoint())
        answers = trainer.predict(network, rows)
        turned = FromScratch(flipped, settings).predict(network, rows)
        assert np.allclose(answers, turned, atol=1e-4) == alike


def test_large_images_are_taken_by_the_patch() -> None:
    random = np.random.default_rng(2)
    pixels = random.integers(0, 100, (16, 224, 224, 3), dtype=np.uint8)
    labels = np.arange(16, dtype=np.int64) % 2
    pixels[labels == 0, :112] += 150
    network, logits = trained(ImageSet(pixels, labels), epochs=1, batch_size=8)
    assert network.whiten.stride == (4, 4)
    assert logits.shape == (16, 2)


@pytest.mark.parametrize("state", [{}, {"network": {}}, {"network": [1]}, [], {"epoch": "x"}])
def test_a_checkpoint_with_another_state_is_an_error_that_says_what_to_do(
    lit: ImageSet, tmp_path: Path, state: Any
) -> None:
    kept = Checkpoint(tmp_path / "final.pt", "f")
    kept.save(state)
    trainer = FromScratch(lit, Hyperparameters(recipe="scratch", epochs=1, batch_size=8))
    with pytest.raises(TrainingError, match=r"final\.pt holds another state .*; remove it"):
        trainer.fit(np.arange(len(lit)), TrainingCallbacks(), kept)
