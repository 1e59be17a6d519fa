"""The kernel machine of `scones_train.shape` as nodes of an ONNX graph."""

import numpy as np
from onnx import TensorProto
from torch import Tensor

from scones_train.edges import NOISE, Description, Grid, Scale, directions, mirrored
from scones_train.onnx_graph import Graph
from scones_train.predictor import INPUT
from scones_train.shape import Shape


def shape_scores(graph: Graph, shape: Shape, divisor: float, size: tuple[int, int]) -> str:
    """Append the machine on images of `size`; return its scores over the divisor."""
    histograms = _histograms(graph, Description.of(size))
    centred = graph.add("Sub", histograms, graph.constant(shape.centre))
    a = graph.add("Mul", centred, graph.constant(shape.scale))
    if shape.mirror:
        turned = graph.add("Gather", a, graph.constant(mirrored()), axis=1)
        a = graph.add("Concat", a, turned, axis=0)
    weights = shape.weights / divisor
    scores = graph.add("MatMul", _kernel(graph, shape, a), graph.constant(weights))
    if not shape.mirror:
        return scores
    halves = graph.constant(np.array([2, -1, weights.shape[1]], dtype=np.int64))
    return _sum(graph, graph.add("Reshape", scores, halves), 0, keep=False)


def _histograms(graph: Graph, description: Description) -> str:
    """Return float32 (N, NUMBERS) of the graph's input, as `Description` does."""
    pixels = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    upright = graph.add("Transpose", pixels, perm=[0, 3, 1, 2])
    x = graph.add("Sqrt", graph.add("Mul", upright, _number(graph, 1 / 255)))
    found = [
        _grid(graph, grid, edges)
        for scale in description.scales
        for edges in [_edges(graph, scale, x)]
        for grid in scale.grids
    ]
    return graph.add("Concat", *found, axis=1)


def _edges(graph: Graph, scale: Scale, x: str) -> str:
    x = _between(graph, scale.rows, x, scale.columns)
    across = graph.add("MatMul", x, graph.constant(scale.slope.T))
    down = graph.add("MatMul", graph.constant(scale.slope), x)
    cosines, sines = directions()
    along = graph.add("Add", _towards(graph, across, cosines), _towards(graph, down, sines))
    along = graph.add("Relu", along)
    energy = _sum(graph, graph.add("Mul", along, along), 2, keep=False)
    squares = [graph.add("Mul", slope, slope) for slope in (across, down)]
    strength = _sum(graph, graph.add("Add", *squares), 1, keep=True)
    raised = graph.add("Add", strength, _number(graph, 1e-6))
    cube = graph.add("Mul", graph.add("Mul", energy, energy), energy)
    return graph.add("Div", cube, graph.add("Pow", raised, _number(graph, 2.5)))


def _grid(graph: Graph, grid: Grid, edges: str) -> str:
    cells = _between(graph, grid.cells, edges, grid.cells.T)
    total = _sum(graph, cells, 1, keep=True)
    near = _between(graph, grid.around, total, grid.around.T)
    ratio = graph.add("Div", cells, graph.add("Add", near, _number(graph, NOISE)))
    return graph.add("Flatten", graph.add("Sqrt", ratio), axis=1)


def _kernel(graph: Graph, shape: Shape, a: str) -> str:
    lengths = shape.landmarks.square().sum(1) / 2
    near = graph.add("Gemm", a, graph.constant(shape.landmarks.T), graph.constant(-lengths))
    own = _sum(graph, graph.add("Mul", a, a), 1, keep=True)
    half = graph.add("Mul", own, _number(graph, 0.5))
    return graph.add("Exp", graph.add("Sub", near, half))


def _between(graph: Graph, left: Tensor, x: str, right: Tensor) -> str:
    return graph.add("MatMul", graph.add("MatMul", graph.constant(left), x), graph.constant(right))


def _towards(graph: Graph, slopes: str, factors: Tensor) -> str:
    """Return (N, directions, channels, H, W) of slopes (N, channels, H, W)."""
    axes = graph.constant(np.array([1], dtype=np.int64))
    return graph.add("Mul", graph.add("Unsqueeze", slopes, axes), graph.constant(factors))


def _sum(graph: Graph, x: str, axis: int, *, keep: bool) -> str:
    axes = graph.constant(np.array([axis], dtype=np.int64))
    return graph.add("ReduceSum", x, axes, keepdims=int(keep))


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, dtype=np.float32))
