import numpy as np
import pytest
import torch

from scones_train.training.linear_head import Features, chosen_decay, fit_head


@pytest.fixture
def features():
    """Two views of 90 images of three classes, told apart by their first two of 6 features."""
    chance = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    centres = torch.tensor([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])
    views = torch.randn(2, 90, 6, generator=chance)
    views[..., :2] += centres[labels]
    return Features(views * 10 + 5, labels)


def test_the_layer_tells_the_classes_apart_on_unscaled_features(features):
    head = fit_head(features, 3, 0.01)
    assert head.weight.shape == (3, 6)
    assert (head.logits(features.views).argmax(dim=1) == features.labels).float().mean() > 0.95
    assert head.loss < 0.2


def test_more_decay_makes_smaller_weights(features):
    assert fit_head(features, 3, 1.0).weight.norm() < fit_head(features, 3, 0.01).weight.norm()


def test_a_feature_that_never_changes_is_left_alone(features):
    views = features.views.clone()
    views[..., 5] = 7
    assert torch.isfinite(fit_head(Features(views, features.labels), 3).weight).all()


def test_held_out_images_are_predicted_by_a_layer_without_them(features):
    folds = [np.arange(first, first + 30) for first in (0, 30, 60)]
    decay, logits = chosen_decay(features, folds, 3)
    alone = fit_head(features.without(folds[1]), 3, decay).logits(features.views[:, folds[1]])
    assert np.allclose(logits[folds[1]], alone.numpy(), atol=1e-5)
    assert (logits.argmax(axis=1) == features.labels.numpy()).mean() > 0.9
