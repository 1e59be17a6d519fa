import pytest
import torch

from scones_train.model.resnet import FEATURES, ResNet18, backbone_shapes


def test_the_weights_have_the_names_and_shapes_of_public_files():
    shapes = backbone_shapes()
    assert len(shapes) == 120
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.bn2.running_var"] == (64,)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.bias"] == (128,)
    assert shapes["layer4.1.conv2.weight"] == (512, 512, 3, 3)
    assert "layer1.0.downsample.0.weight" not in shapes
    assert not any(name.startswith("fc.") for name in shapes)


def test_with_a_thousand_classes_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert sum(value.numel() for value in ResNet18(1000).parameters()) == 11_689_512


@pytest.mark.parametrize("size", [(32, 32), (64, 48)])
def test_images_of_any_size_get_features_and_a_logit_per_class(size):
    network = ResNet18(3).eval()
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        assert network.features(images).shape == (2, FEATURES)
        assert network(images).shape == (2, 3)
