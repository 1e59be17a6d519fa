"""A trained network as one ONNX graph: pixels in, probabilities out."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from scones_train.dataset import Normalisation
from scones_train.model import LOGIT_SCALE, Group, Member
from scones_train.predictor import INPUT, OUTPUT

# Gelu is an operator of its own since opset 20, which came with IR version 9.
OPSET, IR_VERSION = 20, 9


class _Graph:
    """Nodes and constants in the order of computation."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: NDArray[np.generic] | Tensor) -> str:
        """Append a constant and return its name."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def to_onnx(members: Sequence[Member], temperature: float, size: tuple[int, int]) -> bytes:
    """Return the serialised graph of one network in evaluation mode, or of the mean of several.

    Input `images`: uint8 (N, height, width, 3) of `size`, N free. Output `probabilities`:
    float32 (N, classes). Normalisation, the mean over an image and its mirror image, the
    temperature and the softmax are inside; batch norms are folded into the convolutions.
    """
    graph = _Graph()
    logits = [_logits(graph, member, temperature * len(members)) for member in members]
    total = logits[0] if len(logits) == 1 else graph.add("Sum", *logits)
    graph.add("Softmax", total, output=OUTPUT, axis=1)
    return _serialise(graph, size, len(members[0].network.head.weight))


def _logits(graph: _Graph, member: Member, divisor: float) -> str:
    """Append one network, and return its mean logits of both views over the divisor."""
    network = member.network
    x = graph.add("Concat", *_views(graph, member.normalisation), axis=0)
    x = graph.add("Gelu", _convolution(graph, x, network.whiten.weight, network.whiten.bias, 0))
    for group in network.groups:
        assert isinstance(group, Group)  # noqa: S101 (narrows the type)
        x = _group(graph, x, group)
    pooled = graph.add("Flatten", graph.add("GlobalMaxPool", x), axis=1)
    weights = network.head.weight.T * (LOGIT_SCALE / divisor / 2)
    both = graph.add("Gemm", pooled, graph.constant(weights))
    halves = graph.constant(np.array([2, -1, len(network.head.weight)], dtype=np.int64))
    axes = graph.constant(np.array([0], dtype=np.int64))
    return graph.add("ReduceSum", graph.add("Reshape", both, halves), axes, keepdims=0)


def _views(graph: _Graph, normalisation: Normalisation) -> tuple[str, str]:
    """Return the normalised images (N, 3, H, W) and their mirror images."""
    std = np.array(normalisation.std, dtype=np.float32)
    mean = np.array(normalisation.mean, dtype=np.float32)
    pixels = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    scaled = graph.add("Mul", pixels, graph.constant(1 / (255 * std)))
    centred = graph.add("Sub", scaled, graph.constant(mean / std))
    upright = graph.add("Transpose", centred, perm=[0, 3, 1, 2])
    starts, ends, axes, steps = (
        graph.constant(np.array([value], dtype=np.int64))
        for value in (-1, np.iinfo(np.int64).min, 3, -1)
    )
    return upright, graph.add("Slice", upright, starts, ends, axes, steps)


def _group(graph: _Graph, x: str, group: Group) -> str:
    # The pooling commutes with the norm, which scales by a positive number and shifts.
    first = _normalised(graph, x, group.conv1, group.norm1)
    x = graph.add("Gelu", graph.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]))
    inner = graph.add("Gelu", _normalised(graph, x, group.conv2, group.norm2))
    outer = _normalised(graph, inner, group.conv3, group.norm3)
    return graph.add("Gelu", graph.add("Add", outer, x))


def _normalised(graph: _Graph, x: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
    assert norm.running_mean is not None  # noqa: S101 (narrows the type)
    assert norm.running_var is not None  # noqa: S101 (narrows the type)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    return _convolution(graph, x, weight, norm.bias - norm.running_mean * scale, 1)


def _convolution(graph: _Graph, x: str, weight: Tensor, bias: Tensor | None, padding: int) -> str:
    assert bias is not None  # noqa: S101 (narrows the type)
    constants = graph.constant(weight), graph.constant(bias)
    return graph.add("Conv", x, *constants, pads=[padding] * 4)


def _serialise(graph: _Graph, size: tuple[int, int], classes: int) -> bytes:
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "scones",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *size, 3])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", classes])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="scones",
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def weights_bytes(members: Sequence[Member]) -> bytes:
    """Return the state dicts as `torch.save` writes them; `torch.load(weights_only=True)` reads.

    One network's names are its own; those of several begin with their number from 0.
    """
    buffer = io.BytesIO()
    state = {
        f"{number}.{name}" if len(members) > 1 else name: tensor.contiguous()
        for number, member in enumerate(members)
        for name, tensor in member.network.state_dict().items()
    }
    torch.save(state, buffer)
    return buffer.getvalue()
