import numpy as np
import pytest
import torch

from scones_core.model_card import ModelCard
from scones_train.channels import ImageSet, Normalisation
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model.small_network import Network, fit_whitening

SIZE = (16, 20)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def images() -> ImageSet:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (12, *SIZE, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(12, dtype=np.int64) % 2)


@pytest.fixture
def lit_images() -> ImageSet:
    """Images that are bright above (class 0) or below (class 1)."""
    random = np.random.default_rng(5)
    pixels = random.integers(0, 100, (24, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(24, dtype=np.int64) % 2
    pixels[labels == 0, :8] += 150
    pixels[labels == 1, 8:] += 150
    return ImageSet(pixels, labels)


@pytest.fixture
def normalisation(images: ImageSet) -> Normalisation:
    return Normalisation.of(images)


@pytest.fixture
def network() -> Network:
    """A network in evaluation mode whose norms have seen data, as after a training."""
    torch.manual_seed(0)
    network = Network(2, widths=(8, 12, 12))
    fit_whitening(network, torch.randn(8, 3, *SIZE))
    network.train()
    for _ in range(3):
        network(torch.randn(8, 3, *SIZE))
    return network.eval()


@pytest.fixture
def card(normalisation: Normalisation) -> ModelCard:
    return ModelCard(
        labels=("bicycle", "motorcycle"),
        image={"height": SIZE[0], "width": SIZE[1], "channels": 3},
        normalisation={"mean": normalisation.mean, "std": normalisation.std},
        temperature=0.7,
        threshold=0.97,
        target_precision=0.99,
        metrics={"accuracy": 0.95, "n_test": 100},
        confusion_matrix=((48, 2), (3, 47)),
        settings={"epochs": 24},
        dataset_version="v1",
        manifest_sha256="ab" * 32,
    )


@pytest.fixture
def tested() -> ImagePredictions:
    """Answers for three test images, one of them wrong."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], dtype=np.float32)
    return ImagePredictions(("aa", "bb", "cc"), np.array([0, 1, 1]), probabilities)
