import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scones_core.model_card import ModelCard
from scones_train.channels import ImageSet
from scones_train.evaluation.metrics import softmax
from scones_train.model.export import to_onnx
from scones_train.model.weights import Weights, package_weights
from scones_train.serving.predictor import Predictor
from scones_train.training import fine_tuning
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.cross_validation import total_steps, train
from scones_train.training.fine_tuning import FineTuning, input_side
from scones_train.training.fit import EpochReport, TrainingCallbacks, predict
from scones_train.training.hyperparameters import Hyperparameters

SETTINGS = Hyperparameters(recipe="pretrained", epochs=2, batch_size=8, folds=2)


@pytest.fixture(scope="module")
def weights() -> Weights:
    packaged = package_weights()
    assert packaged is not None
    return packaged


@pytest.fixture
def lit(lit_images: ImageSet) -> ImageSet:
    return lit_images


def prepared(
    images: ImageSet, weights: Weights, settings: Hyperparameters = SETTINGS
) -> FineTuning:
    trainer = FineTuning(images, settings, weights)
    trainer.prepare(TrainingCallbacks())
    return trainer


def test_a_few_epochs_separate_bright_above_from_bright_below(
    lit: ImageSet, weights: Weights
) -> None:
    steps = []
    shares: list[float] = []
    callbacks = TrainingCallbacks(on_step=lambda: steps.append(1), on_fold=shares.append)
    settings = replace(SETTINGS, epochs=8, batch_size=4)
    trainer = FineTuning(lit, settings, weights)
    trained = train(trainer, lit.labels, settings, callbacks)
    logits = predict(trained.network, lit, trained.normalisation)
    assert (logits.argmax(axis=1) == lit.labels).mean() > 0.9
    assert trained.predictions is not None
    assert (trained.predictions.logits.argmax(axis=1) == lit.labels).mean() > 0.7
    assert len(shares) == 2
    assert len(steps) == trainer.preparation_steps + total_steps(len(lit), settings)


def test_frozen_blocks_stay_and_the_upper_ones_change(lit: ImageSet, weights: Weights) -> None:
    trainer = prepared(lit, weights)
    network = trainer.fit(np.arange(len(lit)), TrainingCallbacks(), Checkpoint())
    before = weights.network(2, network.side, horizontal_flip=True).state_dict()
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert {"head.weight", "blocks.15.project.conv.weight", "last.conv.bias"} <= changed
    assert not any(name.startswith(("stem.", "blocks.4.")) for name in changed)


def test_the_cached_features_predict_as_the_whole_network_does(
    lit: ImageSet, weights: Weights
) -> None:
    trainer = prepared(lit, weights)
    rows = np.arange(len(lit))
    network = trainer.fit(rows, TrainingCallbacks(), Checkpoint())
    whole = predict(network, lit, trainer.normalisation)
    assert np.abs(trainer.predict(network, rows) - whole).max() < 0.05


def test_a_resumed_training_ends_with_the_same_weights(
    lit: ImageSet, weights: Weights, tmp_path: Path
) -> None:
    trainer, rows = prepared(lit, weights), np.arange(len(lit))
    whole = trainer.fit(rows, TrainingCallbacks(), Checkpoint())
    kept = Checkpoint(tmp_path / "final.pt", "f")

    def stop(report: EpochReport) -> None:
        raise InterruptedError(report.epoch)

    with pytest.raises(InterruptedError):
        trainer.fit(rows, TrainingCallbacks(on_epoch=stop), kept)
    resumed = trainer.fit(rows, TrainingCallbacks(), kept)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


@pytest.mark.parametrize("horizontal_flip", [0, 1])
def test_the_graph_answers_as_the_network(
    lit: ImageSet, weights: Weights, card: ModelCard, horizontal_flip: int
) -> None:
    settings = Hyperparameters(
        recipe="pretrained", epochs=1, batch_size=8, folds=0, horizontal_flip=horizontal_flip
    )
    trainer = prepared(lit, weights, settings)
    network = trainer.fit(np.arange(len(lit)), TrainingCallbacks(), Checkpoint())
    square = card.__class__(**{**_fields(card), "image": {"height": 16, "width": 16}})
    graph = to_onnx(network, trainer.normalisation, 0.7, (16, 16))
    answered = Predictor(square, graph).probabilities(lit.pixels[:6])
    expected = softmax(predict(network, lit, trainer.normalisation)[:6], 0.7)
    assert np.abs(answered - expected).max() < 1e-4


def _fields(card: ModelCard) -> dict[str, Any]:
    return {name: getattr(card, name) for name in card.__slots__}


def test_the_features_stay_within_their_room(
    lit: ImageSet, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(prepared(lit, weights)._views) == 2
    longer = Hyperparameters(recipe="pretrained", epochs=9, batch_size=8, folds=0)
    trainer = FineTuning(lit, longer, weights)
    # The 24 images go through the frozen blocks by 16 and 8.
    assert trainer.preparation_steps == 2 * fine_tuning.MAX_VIEWS
    three_views = 3 * 2 * len(lit) * 40 * 16 * 16
    monkeypatch.setattr(fine_tuning, "MAX_FEATURE_BYTES", three_views)
    assert FineTuning(lit, longer, weights).preparation_steps == 2 * 3
    monkeypatch.setattr(fine_tuning, "MAX_FEATURE_BYTES", 1)
    assert FineTuning(lit, longer, weights).preparation_steps == 2 * 2


def test_photographs_go_through_in_small_parts(weights: Weights) -> None:
    pixels = np.zeros((24, 224, 224, 3), dtype=np.uint8)
    pixels[::2, :112] = 200
    photographs = ImageSet(pixels, np.arange(24, dtype=np.int64) % 2)
    trainer = prepared(photographs, weights)
    assert trainer._views[0].shape == (24, 40, 28, 28)
    assert trainer.preparation_steps == 10


def test_a_batch_of_many_pixels_is_trained_in_parts(
    lit: ImageSet, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, settings = np.arange(len(lit)), replace(SETTINGS, epochs=4)
    monkeypatch.setattr(fine_tuning, "TRAINED_PIXELS", 3 * 128 * 128)
    parts = prepared(lit, weights, settings)
    network = parts.fit(rows, TrainingCallbacks(), Checkpoint())
    assert parts._parts == 3
    assert (parts.predict(network, rows).argmax(axis=1) == lit.labels).mean() >= 0.9


def test_pixels_are_let_go_once_there_are_features(lit: ImageSet, weights: Weights) -> None:
    pixels = lit.pixels.copy()
    held = weakref.ref(pixels)
    trainer = prepared(ImageSet(pixels, lit.labels), weights)
    del pixels
    assert held() is None
    assert trainer.fit(np.arange(len(lit)), TrainingCallbacks(), Checkpoint())


@pytest.mark.parametrize("colours", [((200, 0, 0), (0, 0, 200)), ((0, 0, 0), (0, 0, 0))])
def test_images_of_one_colour_give_finite_answers(
    weights: Weights, colours: tuple[tuple[int, int, int], tuple[int, int, int]]
) -> None:
    pixels = np.array(colours, dtype=np.uint8)[np.arange(8) % 2][:, None, None]
    images = ImageSet(pixels.repeat(16, 1).repeat(16, 2), np.arange(8, dtype=np.int64) % 2)
    trainer = prepared(images, weights)
    network = trainer.fit(np.arange(8), TrainingCallbacks(), Checkpoint())
    assert np.isfinite(trainer.predict(network, np.arange(8))).all()


@pytest.mark.parametrize(
    ("size", "side"),
    [
        ((32, 32), (128, 128)),
        ((128, 96), (128, 96)),
        ((224, 224), (224, 224)),
        ((600, 300), (224, 128)),
        ((28, 28), (128, 128)),
        ((16, 400), (32, 224)),
    ],
)
def test_the_side_that_images_are_taken_at(size: tuple[int, int], side: tuple[int, int]) -> None:
    assert input_side(size) == side
