"""How the layers of this project's networks are written as nodes of an ONNX graph."""

import torch
from torch import Tensor, nn

from scones_train.model.onnx_graph import Graph
from scones_train.model.resnet import Block, ResNet18
from scones_train.model.small_network import LOGIT_SCALE, Group, Network


def features(graph: Graph, x: str, network: nn.Module) -> tuple[str, Tensor, Tensor | None]:
    """Append a network up to its last layer; return the features (N, F), and weight and bias.

    `x` are normalised images (N, 3, H, W). The logits are features @ weight (F, classes) + bias.
    """
    if isinstance(network, ResNet18):
        return _resnet(graph, x, network), network.fc.weight.T, network.fc.bias
    assert isinstance(network, Network)  # noqa: S101 (narrows the type)
    return _small(graph, x, network), network.head.weight.T * LOGIT_SCALE, None


def _small(graph: Graph, x: str, network: Network) -> str:
    whiten = network.whiten
    x = graph.add("Gelu", _convolution(graph, x, whiten, whiten.weight, whiten.bias))
    for group in network.groups:
        assert isinstance(group, Group)  # noqa: S101 (narrows the type)
        x = _group(graph, x, group)
    return graph.add("Flatten", graph.add("GlobalMaxPool", x), axis=1)


def _group(graph: Graph, x: str, group: Group) -> str:
    # The pooling commutes with the norm, which scales by a positive number and shifts.
    first = _normalised(graph, x, group.conv1, group.norm1)
    x = graph.add("Gelu", graph.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]))
    inner = graph.add("Gelu", _normalised(graph, x, group.conv2, group.norm2))
    outer = _normalised(graph, inner, group.conv3, group.norm3)
    return graph.add("Gelu", graph.add("Add", outer, x))


def _resnet(graph: Graph, x: str, network: ResNet18) -> str:
    x = graph.add("Relu", _normalised(graph, x, network.conv1, network.bn1))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for block in network.blocks():
        x = _block(graph, x, block)
    return graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)


def _block(graph: Graph, x: str, block: Block) -> str:
    inner = graph.add("Relu", _normalised(graph, x, block.conv1, block.bn1))
    outer = _normalised(graph, inner, block.conv2, block.bn2)
    if block.downsample is not None:
        convolution, norm = block.downsample
        assert isinstance(convolution, nn.Conv2d)  # noqa: S101 (narrows the type)
        assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 (narrows the type)
        x = _normalised(graph, x, convolution, norm)
    return graph.add("Relu", graph.add("Add", outer, x))


def _normalised(graph: Graph, x: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
    """Append a convolution with the batch norm that follows it folded into its weights."""
    assert norm.running_mean is not None  # noqa: S101 (narrows the type)
    assert norm.running_var is not None  # noqa: S101 (narrows the type)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    return _convolution(graph, x, convolution, weight, norm.bias - norm.running_mean * scale)


def _convolution(
    graph: Graph, x: str, layer: nn.Conv2d, weight: Tensor, bias: Tensor | None
) -> str:
    assert bias is not None  # noqa: S101 (narrows the type)
    assert not isinstance(layer.padding, str)  # noqa: S101 (narrows the type)
    constants = graph.constant(weight), graph.constant(bias)
    pads, strides = [layer.padding[0]] * 4, list(layer.stride)
    return graph.add("Conv", x, *constants, pads=pads, strides=strides)
