import numpy as np
import pytest
import torch

from scones_train.evaluation.metrics import softmax
from scones_train.model.export import to_onnx
from scones_train.model.resnet import NORMALISATION, ResNet18
from scones_train.serving.predictor import Predictor
from scones_train.training.cross_validation import Watch
from scones_train.training.fine_tuning import transfer, transfer_steps
from scones_train.training.fit import predict
from scones_train.training.hyperparameters import Hyperparameters

FROZEN = Hyperparameters(backbone="frozen", folds=2, batch_size=8)


@pytest.fixture(scope="module")
def weights():
    """A ResNet-18's weights as chance drew them, with norms that have seen something."""
    torch.manual_seed(2)
    network = ResNet18(2).train()
    with torch.no_grad():
        network(torch.randn(16, 3, 32, 32))
    return {n: v for n, v in network.state_dict().items() if not n.startswith("fc.")}


@pytest.fixture
def lit(lit_images):
    return lit_images


def test_a_frozen_backbone_keeps_its_weights_and_learns_the_classes(lit, weights):
    ticks, shares = [], []
    watch = Watch(fold=shares.append, tick=lambda: ticks.append(1))
    trained = transfer(lit, FROZEN, weights, watch)
    state = trained.model.members[0].network.state_dict()
    assert all(torch.equal(state[name], weights[name]) for name in weights)
    answers = predict(trained.model.members[0].network, lit, NORMALISATION).argmax(axis=1)
    assert (answers == lit.labels).mean() > 0.9
    assert (trained.predictions.logits.argmax(axis=1) == lit.labels).mean() > 0.7
    assert len(shares) == 2
    assert len(ticks) == transfer_steps(lit, FROZEN)


def test_without_folds_a_frozen_training_predicts_nothing(lit, weights):
    settings = Hyperparameters(backbone="frozen", folds=0)
    assert transfer(lit, settings, weights, Watch()).predictions is None


def test_fine_tuning_changes_the_backbone_too(lit, weights):
    settings = Hyperparameters(backbone="finetuned", folds=0, epochs=1, batch_size=8)
    ticks = []
    trained = transfer(lit, settings, weights, Watch(tick=lambda: ticks.append(1)))
    state = trained.model.members[0].network.state_dict()
    assert not torch.equal(state["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])
    assert trained.normalisation == NORMALISATION
    assert len(ticks) == transfer_steps(lit, settings) == 3


@pytest.mark.parametrize("mirror", [0, 1])
def test_the_graph_answers_as_the_network(lit, weights, card, mirror):
    settings = Hyperparameters(backbone="frozen", folds=0, horizontal_flip=mirror)
    model = transfer(lit, settings, weights, Watch()).model
    square = card.__class__(**{**_fields(card), "image": {"height": 16, "width": 16}})
    answered = Predictor(square, to_onnx(model, 0.7, (16, 16))).probabilities(lit.pixels[:6])
    expected = softmax(predict(model.members[0].network, lit, NORMALISATION)[:6], 0.7)
    assert np.abs(answered - expected).max() < 1e-3


def _fields(card):
    return {name: getattr(card, name) for name in card.__slots__}


def test_it_is_one_network_whatever_the_folds():
    assert Hyperparameters(backbone="finetuned", ensemble=1, folds=3).one_network
