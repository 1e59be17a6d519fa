import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scones_core.errors import TrainingError
from scones_train.channels import ImageSet
from scones_train.model.small_network import Network
from scones_train.training.checkpoint import Checkpoint, Checkpoints
from scones_train.training.cross_validation import Trained, fold_rows, total_steps, train
from scones_train.training.fit import EpochReport, TrainingCallbacks, count_steps, predict
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.parallel import shared_threads
from scones_train.training.scratch import FromScratch

RECIPE = Hyperparameters(recipe="scratch", epochs=2, batch_size=8, folds=3)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> int:
    """How many threads PyTorch may use, and so how many networks train at a time."""
    torch.set_num_threads(request.param)
    count: int = request.param
    return count


@pytest.fixture
def lit(lit_images: ImageSet) -> ImageSet:
    return lit_images


def run(
    images: ImageSet,
    settings: Hyperparameters,
    callbacks: TrainingCallbacks | None = None,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    trainer = FromScratch(images, settings)
    return train(trainer, images.labels, settings, callbacks or TrainingCallbacks(), checkpoints)


def alone(
    images: ImageSet, settings: Hyperparameters, rows: NDArray[np.int64]
) -> tuple[FromScratch, Network]:
    """What one training on these rows gives, with nothing else running."""
    torch.set_num_threads(1)
    trainer = FromScratch(images, settings)
    return trainer, trainer.fit(rows, TrainingCallbacks(), Checkpoint())


def test_every_image_is_predicted_by_a_network_that_did_not_see_it(lit: ImageSet) -> None:
    torch.set_num_threads(1)
    folded = run(lit, RECIPE).predictions
    assert folded is not None
    held_out = fold_rows(lit.labels, RECIPE)[1]
    trainer, network = alone(lit, RECIPE, np.setdiff1d(np.arange(len(lit)), held_out))
    assert np.array_equal(folded.logits[held_out], trainer.predict(network, held_out))
    assert np.array_equal(folded.labels, lit.labels)
    assert (np.abs(folded.logits).sum(axis=1) > 0).all()


def test_training_in_parallel_changes_nothing(lit: ImageSet, threads: int) -> None:
    trained = run(lit, RECIPE)
    _, network = alone(lit, RECIPE, np.arange(len(lit)))
    assert np.array_equal(
        predict(trained.network, lit, trained.normalisation),
        predict(network, lit, trained.normalisation),
    )


@pytest.mark.parametrize(
    ("threads", "workers", "jobs", "shares"),
    [
        (2, 2, 4, [1, 1, 1, 1]),
        (2, 2, 5, [1, 1, 1, 1, 2]),
        (8, 3, 3, [2, 2, 2]),
        (4, 4, 6, [1, 1, 1, 1, 2, 2]),
        (2, 1, 2, [2, 2]),
    ],
)
def test_trainings_share_the_threads(
    threads: int, workers: int, jobs: int, shares: list[int]
) -> None:
    assert shared_threads(threads, workers, jobs) == shares


def test_the_number_of_threads_is_restored(lit: ImageSet, threads: int) -> None:
    run(lit, RECIPE)
    assert torch.get_num_threads() == threads


def test_each_fold_holds_out_its_share_of_every_class() -> None:
    labels = np.array([0] * 30 + [1] * 15, dtype=np.int64)
    folds = fold_rows(labels, RECIPE)
    assert sorted(np.concatenate(folds)) == list(range(45))
    assert [np.bincount(labels[rows]).tolist() for rows in folds] == [[10, 5]] * 3


def test_without_folds_there_are_no_predictions(lit: ImageSet) -> None:
    trained = run(lit, replace(RECIPE, epochs=1, folds=0))
    assert trained.predictions is None
    assert not trained.network.training


def test_the_steps_of_all_trainings_are_known_before(lit: ImageSet) -> None:
    lock, count, epochs = threading.Lock(), [], []
    shares: list[float] = []

    def on_step() -> None:
        with lock:
            count.append(1)

    callbacks = TrainingCallbacks(lambda done: epochs.append(done.epoch), shares.append, on_step)
    run(lit, RECIPE, callbacks)
    assert len(count) == total_steps(len(lit), RECIPE) > count_steps(len(lit), RECIPE)
    assert len(shares) == 3
    assert all(0 <= share <= 1 for share in shares)
    assert epochs == [1, 2]


def test_a_fault_in_one_training_ends_all(lit: ImageSet, threads: int) -> None:
    before, count = threading.active_count(), []

    def on_step() -> None:
        count.append(1)
        if len(count) == 3:
            raise RuntimeError("the third step")

    settings = replace(RECIPE, epochs=500)
    with pytest.raises(RuntimeError, match="third step"):
        run(lit, settings, TrainingCallbacks(on_step=on_step))
    assert len(count) < 100
    assert threading.active_count() == before


def test_a_resumed_job_reports_the_steps_that_are_done(lit: ImageSet, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    kept = Checkpoints(tmp_path)

    def stop_after_the_first(report: EpochReport) -> None:
        raise InterruptedError(report.epoch)

    with pytest.raises(InterruptedError):
        run(lit, RECIPE, TrainingCallbacks(on_epoch=stop_after_the_first), kept)
    steps = []
    resumed: list[int] = []
    callbacks = TrainingCallbacks(on_step=lambda: steps.append(1), on_resume=resumed.append)
    run(lit, RECIPE, callbacks, kept)
    assert count_steps(len(lit), RECIPE) // RECIPE.epochs in resumed
    assert len(steps) + sum(resumed) == total_steps(len(lit), RECIPE)

    steps.clear()
    resumed.clear()
    run(lit, RECIPE, callbacks, kept)
    assert (len(steps), sum(resumed)) == (0, total_steps(len(lit), RECIPE))


@pytest.mark.parametrize(
    "logits",
    [torch.zeros(1, 2), torch.zeros(8, 3), torch.full((8, 2), torch.nan), "text", None],
    ids=["one row", "classes", "nan", "text", "none"],
)
def test_a_fold_s_kept_predictions_are_of_its_images_and_classes(
    lit: ImageSet, tmp_path: Path, logits: Any
) -> None:
    kept = Checkpoints(tmp_path, "f")
    kept.named("fold-1").save({"logits": logits})
    with pytest.raises(TrainingError, match=r"fold-1\.pt holds another state .*; remove it"):
        run(lit, RECIPE, checkpoints=kept)
