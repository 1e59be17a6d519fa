"""A model as one ONNX graph: pixels in, probabilities out."""

import io

import numpy as np
import torch
from onnx import TensorProto

from scones_train.data import Normalisation
from scones_train.model.kernel_graph import machine_scores
from scones_train.model.layers import features
from scones_train.model.onnx_graph import Graph
from scones_train.model.small_network import Member, Model
from scones_train.serving.predictor import INPUT, OUTPUT


def to_onnx(model: Model, temperature: float, size: tuple[int, int]) -> bytes:
    """Return the serialised graph of a model whose networks are in evaluation mode.

    Input `images`: uint8 (N, height, width, 3) of `size`, N free. Output `probabilities`:
    float32 (N, classes). Normalisation, the views that each network is asked, the temperature
    and the softmax are inside; batch norms are folded into the convolutions.
    """
    graph, divisor = Graph(), temperature * len(model.members)
    answers = [
        _logits(graph, member, model.views(number), divisor)
        for number, member in enumerate(model.members)
    ]
    logits = [name for name, _ in answers]
    logits += [machine_scores(graph, machine, temperature) for machine in model.machines]
    total = logits[0] if len(logits) == 1 else graph.add("Sum", *logits)
    graph.add("Softmax", total, output=OUTPUT, axis=1)
    return graph.serialised(size, answers[0][1])


def _logits(
    graph: Graph, member: Member, mirrored: tuple[bool, ...], divisor: float
) -> tuple[str, int]:
    """Append one network; return its mean logits of the views over the divisor, and classes."""
    upright = _upright(graph, member.normalisation)
    views = [_mirrored(graph, upright) if turned else upright for turned in mirrored]
    x = views[0] if len(views) == 1 else graph.add("Concat", *views, axis=0)
    pooled, weight, bias = features(graph, x, member.network)
    scaled = [graph.constant(weight / (divisor * len(views)))]
    if bias is not None:
        scaled.append(graph.constant(bias / (divisor * len(views))))
    classes = weight.shape[1]
    logits = graph.add("Gemm", pooled, *scaled)
    if len(views) == 1:
        return logits, classes
    halves = graph.constant(np.array([2, -1, classes], dtype=np.int64))
    axes = graph.constant(np.array([0], dtype=np.int64))
    return graph.add("ReduceSum", graph.add("Reshape", logits, halves), axes, keepdims=0), classes


def _upright(graph: Graph, normalisation: Normalisation) -> str:
    """Return the normalised images (N, 3, H, W)."""
    std = np.array(normalisation.std, dtype=np.float32)
    mean = np.array(normalisation.mean, dtype=np.float32)
    pixels = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    scaled = graph.add("Mul", pixels, graph.constant(1 / (255 * std)))
    centred = graph.add("Sub", scaled, graph.constant(mean / std))
    return graph.add("Transpose", centred, perm=[0, 3, 1, 2])


def _mirrored(graph: Graph, images: str) -> str:
    """Return the mirror images of (N, 3, H, W)."""
    starts, ends, axes, steps = (
        graph.constant(np.array([value], dtype=np.int64))
        for value in (-1, np.iinfo(np.int64).min, 3, -1)
    )
    return graph.add("Slice", images, starts, ends, axes, steps)


def weights_bytes(model: Model) -> bytes:
    """Return the state dicts as `torch.save` writes them; `torch.load(weights_only=True)` reads.

    One network's names are its own; those of several begin with their number from 0. Those of
    the kernel machines begin with `shape.` and `texture.`.
    """
    several = len(model.members) > 1
    state = {
        f"{number}.{name}" if several else name: tensor.cpu().contiguous()
        for number, member in enumerate(model.members)
        for name, tensor in member.network.state_dict().items()
    }
    for machine in model.machines:
        state |= machine.state()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
