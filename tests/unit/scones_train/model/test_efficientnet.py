import torch

from scones_train.model.classifier import fold_norms
from scones_train.model.efficientnet import EfficientNetLite0
from scones_train.model.weights import package_weights


def test_with_a_thousand_classes_it_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = EfficientNetLite0(1000, side=(224, 224), horizontal_flip=True)
    assert sum(value.numel() for value in network.parameters()) == 4_652_008


def test_folded_norms_change_no_answer() -> None:
    torch.manual_seed(1)
    network = EfficientNetLite0(3, side=(64, 64), horizontal_flip=False).train()
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
        torch.nn.init.normal_(network.head.weight)
        network.eval()
        images = torch.randn(2, 3, 40, 40)
        before = network(images)
        fold_norms(network)
        after = network(images)
    assert not [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert torch.allclose(before, after, atol=1e-4)
    assert before.abs().max() > 1e-3


def test_the_package_has_the_weights_with_their_origin() -> None:
    weights = package_weights()
    assert weights is not None
    assert weights.architecture.name == "EfficientNet-Lite0"
    assert weights.origin["licence"] == "Apache-2.0"
    network = weights.network(2, (128, 128), horizontal_flip=True)
    assert torch.count_nonzero(network.head.weight) == 0
    assert torch.isfinite(network.frozen(torch.zeros(1, 3, 32, 32))).all()
