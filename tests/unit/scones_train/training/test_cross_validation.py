import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from scones_train.data import ImageSet, Normalisation
from scones_train.training.checkpoint import Checkpoints
from scones_train.training.cross_validation import Watch, fold_rows, opinions_of, total_steps, train
from scones_train.training.fit import fit, predict, steps
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.parallel import shared_threads

RECIPE = Hyperparameters(epochs=2, batch_size=8, folds=3)


@pytest.fixture(params=[1, 2])
def threads(request):
    """How many threads PyTorch may use, and so how many networks train at a time."""
    torch.set_num_threads(request.param)
    return request.param


@pytest.fixture
def lit(lit_images):
    return lit_images


def run(images, settings, watch=None, checkpoints=None):
    return train(images, Normalisation.of(images), settings, watch or Watch(), checkpoints)


def learnt_by(fold, images, settings):
    """The images that a fold learns from, and those that it holds out."""
    held_out = fold_rows(images.labels, settings)[fold]
    return images.rows(np.setdiff1d(np.arange(len(images)), held_out)), held_out


def test_every_image_is_predicted_by_a_network_that_did_not_see_it(lit):
    torch.set_num_threads(1)
    folded = run(lit, RECIPE).predictions
    seen, held_out = learnt_by(1, lit, RECIPE)
    normalisation = Normalisation.of(seen)
    network = fit(seen, normalisation, RECIPE, lambda *_: None)
    _, scores = opinions_of(lit, RECIPE)
    alone = predict(network, lit.rows(held_out), normalisation) + scores[held_out]
    assert np.array_equal(folded.logits[held_out], alone)
    assert np.array_equal(folded.labels, lit.labels)
    assert (np.abs(folded.logits).sum(axis=1) > 0).all()


def test_the_model_is_the_folds_networks_or_one_of_all_images(lit):
    several, one = run(lit, RECIPE).model, run(lit, replace(RECIPE, ensemble=0)).model
    assert (len(several.members), len(one.members)) == (3, 1)
    assert several.members[0].normalisation == Normalisation.of(learnt_by(0, lit, RECIPE)[0])
    assert one.members[0].normalisation == Normalisation.of(lit)


def test_training_beside_others_changes_nothing(lit, threads):
    normalisation = Normalisation.of(lit)
    settings = replace(RECIPE, ensemble=0)
    network = run(lit, settings).model.members[0].network
    torch.set_num_threads(1)
    alone = fit(lit, normalisation, settings, lambda *_: None)
    beside = predict(network, lit, normalisation)
    assert np.array_equal(beside, predict(alone, lit, normalisation))


def test_the_last_of_an_odd_number_has_the_threads_of_all(lit, threads):
    network = run(lit, RECIPE).model.members[-1].network
    seen, _ = learnt_by(2, lit, RECIPE)
    torch.set_num_threads(threads)
    alone = fit(seen, Normalisation.of(seen), RECIPE, lambda *_: None)
    torch.set_num_threads(1)
    answers = [predict(each, lit, Normalisation.of(lit)) for each in (network, alone)]
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    ("threads", "workers", "trainings", "shares"),
    [
        (2, 2, 4, [1, 1, 1, 1]),
        (2, 2, 5, [1, 1, 1, 1, 2]),
        (8, 3, 3, [2, 2, 2]),
        (4, 4, 6, [1, 1, 1, 1, 2, 2]),
        (2, 1, 2, [2, 2]),
    ],
)
def test_trainings_share_the_threads(threads, workers, trainings, shares):
    assert shared_threads(threads, workers, trainings) == shares


def test_the_number_of_threads_is_given_back(lit, threads):
    run(lit, RECIPE)
    assert torch.get_num_threads() == threads


def test_each_fold_holds_out_its_share_of_every_class():
    labels = np.array([0] * 30 + [1] * 15, dtype=np.int64)
    folds = fold_rows(labels, RECIPE)
    assert sorted(np.concatenate(folds)) == list(range(45))
    assert [np.bincount(labels[rows]).tolist() for rows in folds] == [[10, 5]] * 3


def test_the_machines_are_those_of_all_images(lit):
    whole, scores = opinions_of(lit, RECIPE)
    found = run(lit, RECIPE).model.machines
    assert [machine.description.name for machine in found] == ["shape", "texture"]
    for each, other in zip(found, whole, strict=True):
        assert torch.equal(each.weights, other.weights)
    assert np.abs(scores).max() > 0


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"shape": 0}, ["texture"]),
        ({"texture": 0}, ["shape"]),
        ({"shape": 0, "texture": 0}, []),
        ({"backbone": "frozen"}, []),
    ],
)
def test_a_machine_that_has_nothing_to_say_is_left_out(lit, settings, names):
    machines, scores = opinions_of(lit, replace(RECIPE, **settings))
    assert [machine.description.name for machine in machines] == names
    assert bool(np.abs(scores).max()) == bool(names)


def test_without_folds_there_are_no_predictions(lit):
    trained = run(lit, replace(RECIPE, epochs=1, folds=0))
    assert trained.predictions is None
    assert len(trained.model.members) == 1
    assert not trained.model.members[0].network.training


@pytest.mark.parametrize("ensemble", [0, 1])
def test_the_steps_of_all_trainings_are_known_before(lit, ensemble):
    settings = replace(RECIPE, ensemble=ensemble)
    lock, count, shares, epochs = threading.Lock(), [], [], []

    def tick():
        with lock:
            count.append(1)

    run(lit, settings, Watch(lambda done, _: epochs.append(done.epoch), shares.append, tick))
    assert len(count) == total_steps(len(lit), settings) > steps(len(lit), settings)
    assert len(shares) == 3
    assert all(0 <= share <= 1 for share in shares)
    assert epochs == [1, 2]


def test_a_fault_in_one_training_ends_all(lit, threads):
    before, count = threading.active_count(), []

    def tick():
        count.append(1)
        if len(count) == 3:
            raise RuntimeError("the third step")

    settings = Hyperparameters(epochs=500, batch_size=8, folds=3)
    with pytest.raises(RuntimeError, match="third step"):
        run(lit, settings, Watch(tick=tick))
    assert len(count) < 100
    assert threading.active_count() == before


def test_sets_are_joined_in_order(lit):
    other = ImageSet(lit.pixels[:2] // 2, 1 - lit.labels[:2])
    both = lit.joined(other)
    assert len(both) == len(lit) + 2
    assert np.array_equal(both.rows(np.array([24, 25])).pixels, other.pixels)
    assert both.labels[24:].tolist() == other.labels.tolist()


def test_a_training_that_goes_on_tells_which_steps_are_done_already(lit, tmp_path):
    kept = Checkpoints(tmp_path)

    def stop_after_the_first(report, _network):
        raise InterruptedError(report.epoch)

    with pytest.raises(InterruptedError):
        run(lit, RECIPE, Watch(epoch=stop_after_the_first), kept)
    ticks, skipped = [], []
    run(lit, RECIPE, Watch(tick=lambda: ticks.append(1), skip=skipped.append), kept)
    seen, _ = learnt_by(0, lit, RECIPE)
    assert steps(len(seen), RECIPE) // RECIPE.epochs in skipped
    assert len(ticks) + sum(skipped) == total_steps(len(lit), RECIPE)

    ticks.clear()
    skipped.clear()
    run(lit, RECIPE, Watch(tick=lambda: ticks.append(1), skip=skipped.append), kept)
    assert (len(ticks), sum(skipped)) == (0, total_steps(len(lit), RECIPE))
