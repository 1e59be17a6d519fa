import pytest
import torch

from scones_train.model.resnet import ResNet18


def test_the_weights_have_the_names_and_shapes_of_public_files() -> None:
    with torch.device("meta"):
        state = ResNet18(1, side=(32, 32), horizontal_flip=True).state_dict()
    shapes = {name: value.shape for name, value in state.items() if not name.startswith("head.")}
    assert len(shapes) == 120
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.bn2.running_var"] == (64,)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.bias"] == (128,)
    assert shapes["layer4.1.conv2.weight"] == (512, 512, 3, 3)
    assert "layer1.0.downsample.0.weight" not in shapes


def test_with_a_thousand_classes_it_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = ResNet18(1000, side=(224, 224), horizontal_flip=True)
    assert sum(value.numel() for value in network.parameters()) == 11_689_512


@pytest.mark.parametrize("size", [(32, 32), (64, 48)])
def test_images_of_any_size_get_features_and_a_logit_per_class(size: tuple[int, int]) -> None:
    network = ResNet18(3, side=(64, 64), horizontal_flip=False).eval()
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        assert network.frozen(images).shape == (2, 256, 4, 4)
        assert network(images).shape == (2, 3)
