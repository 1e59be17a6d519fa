"""A trained network as one ONNX graph: pixels in, probabilities out."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from onnx import TensorProto

from scones_train.dataset import Normalisation
from scones_train.layers import features
from scones_train.model import Member
from scones_train.onnx_graph import Graph
from scones_train.predictor import INPUT, OUTPUT
from scones_train.shape_graph import shape_scores


def to_onnx(members: Sequence[Member], temperature: float, size: tuple[int, int]) -> bytes:
    """Return the serialised graph of one network in evaluation mode, or of the mean of several.

    Input `images`: uint8 (N, height, width, 3) of `size`, N free. Output `probabilities`:
    float32 (N, classes). Normalisation, the mean over an image and its mirror image where the
    network takes them for one, the temperature and the softmax are inside; batch norms are
    folded into the convolutions.
    """
    graph = Graph()
    answers = [_logits(graph, member, temperature * len(members)) for member in members]
    logits = [name for name, _ in answers]
    shapes = [member.shape for member in members if member.shape is not None]
    if shapes:
        logits += shape_scores(graph, shapes, temperature * len(members), size)
    total = logits[0] if len(logits) == 1 else graph.add("Sum", *logits)
    graph.add("Softmax", total, output=OUTPUT, axis=1)
    return graph.serialised(size, answers[0][1])


def _logits(graph: Graph, member: Member, divisor: float) -> tuple[str, int]:
    """Append one network; return its mean logits of all views over the divisor, and classes."""
    views = [_upright(graph, member.normalisation)]
    if member.network.mirror:
        views.append(_mirrored(graph, views[0]))
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


def weights_bytes(members: Sequence[Member]) -> bytes:
    """Return the state dicts as `torch.save` writes them; `torch.load(weights_only=True)` reads.

    One network's names are its own, with `shape.` before those of its kernel machine; those of
    several begin with their number from 0.
    """
    buffer = io.BytesIO()
    state = {
        f"{number}.{name}" if len(members) > 1 else name: tensor.cpu().contiguous()
        for number, member in enumerate(members)
        for name, tensor in _state(member).items()
    }
    torch.save(state, buffer)
    return buffer.getvalue()


def _state(member: Member) -> dict[str, torch.Tensor]:
    shape = member.shape.state() if member.shape else {}
    return member.network.state_dict() | {f"shape.{name}": t for name, t in shape.items()}
