"""The kernel machines of `scones_train.model.kernel_machine` as nodes of an ONNX graph."""

import numpy as np
from torch import Tensor

from scones_train.model.edges import NOISE, Edges, Grid, Scale, directions
from scones_train.model.kernel_machine import KernelMachine
from scones_train.model.onnx_graph import Graph
from scones_train.model.patches import NOISE as CONTRAST
from scones_train.model.patches import PATCH, STRIDE, Patches


def machine_scores(graph: Graph, machine: KernelMachine, divisor: float) -> str:
    """Append a machine on the graph's input; return its scores over the divisor."""
    centred = graph.add("Sub", _described(graph, machine), graph.constant(machine.centre))
    a = graph.add("Mul", centred, graph.constant(machine.scale))
    if machine.turned is not None:
        turned = graph.add("Gather", a, graph.constant(machine.turned), axis=1)
        a = graph.add("Concat", a, turned, axis=0)
    weights = machine.weights / divisor
    scores = graph.add("MatMul", _kernel(graph, machine, a), graph.constant(weights))
    if not machine.mirror:
        return scores
    halves = graph.constant(np.array([2, -1, weights.shape[1]], dtype=np.int64))
    return graph.sum(graph.add("Reshape", scores, halves), 0, keep=False)


def _described(graph: Graph, machine: KernelMachine) -> str:
    """Return float32 (N, D) of the graph's input, as the machine's description does."""
    description, x = machine.description, graph.brightness()
    if isinstance(description, Patches):
        return _likenesses(graph, description, x)
    return _histograms(graph, description, x)


def _histograms(graph: Graph, description: Edges, x: str) -> str:
    x = graph.add("Sqrt", x)
    found = [
        _grid(graph, grid, edges)
        for scale in description.scales
        for edges in [_edges(graph, scale, x)]
        for grid in scale.grids
    ]
    return graph.add("Concat", *found, axis=1)


def _edges(graph: Graph, scale: Scale, x: str) -> str:
    x = graph.between(scale.rows, x, scale.columns)
    across = graph.add("MatMul", x, graph.constant(scale.slope.T))
    down = graph.add("MatMul", graph.constant(scale.slope), x)
    cosines, sines = directions()
    along = graph.add("Add", _towards(graph, across, cosines), _towards(graph, down, sines))
    along = graph.add("Relu", along)
    energy = graph.sum(graph.add("Mul", along, along), 2, keep=False)
    squares = [graph.add("Mul", slope, slope) for slope in (across, down)]
    strength = graph.sum(graph.add("Add", *squares), 1, keep=True)
    raised = graph.add("Add", strength, graph.number(1e-6))
    cube = graph.add("Mul", graph.add("Mul", energy, energy), energy)
    return graph.add("Div", cube, graph.add("Pow", raised, graph.number(2.5)))


def _grid(graph: Graph, grid: Grid, edges: str) -> str:
    cells = graph.between(grid.cells, edges, grid.cells.T)
    total = graph.sum(cells, 1, keep=True)
    near = graph.between(grid.around, total, grid.around.T)
    ratio = graph.add("Div", cells, graph.add("Add", near, graph.number(NOISE)))
    return graph.add("Flatten", graph.add("Sqrt", ratio), axis=1)


def _towards(graph: Graph, slopes: str, factors: Tensor) -> str:
    """Return (N, directions, channels, H, W) of slopes (N, channels, H, W)."""
    axes = graph.constant(np.array([1], dtype=np.int64))
    return graph.add("Mul", graph.add("Unsqueeze", slopes, axes), graph.constant(factors))


def _likenesses(graph: Graph, patches: Patches, x: str) -> str:
    x = graph.between(patches.rows, x, patches.columns)
    strides = [STRIDE, STRIDE]
    likeness = graph.add("Conv", x, graph.constant(patches.filters), strides=strides)
    likeness = graph.add("Div", likeness, _contrast(graph, x))
    biased = graph.add("Add", likeness, graph.constant(patches.bias.view(-1, 1, 1)))
    cells = graph.between(patches.cells, graph.add("Relu", biased), patches.cells.T)
    return graph.add("Flatten", graph.add("Sqrt", cells), axis=1)


def _contrast(graph: Graph, x: str) -> str:
    """Return the contrast (N, 1, places, places) of each patch, as `Patches` does."""
    mean, square = (_patch_mean(graph, values) for values in (x, graph.add("Mul", x, x)))
    variance = graph.add("Sub", square, graph.add("Mul", mean, mean))
    return graph.add("Sqrt", graph.add("Add", variance, graph.number(CONTRAST)))


def _patch_mean(graph: Graph, x: str) -> str:
    box = np.full((1, 3, PATCH, PATCH), 1 / (3 * PATCH * PATCH), dtype=np.float32)
    return graph.add("Conv", x, graph.constant(box), strides=[STRIDE, STRIDE])


def _kernel(graph: Graph, machine: KernelMachine, a: str) -> str:
    lengths = machine.landmarks.square().sum(1) / 2
    landmarks = graph.constant(machine.landmarks.T)
    near = graph.add("Gemm", a, landmarks, graph.constant(-lengths))
    own = graph.sum(graph.add("Mul", a, a), 1, keep=True)
    half = graph.add("Mul", own, graph.number(0.5))
    return graph.add("Exp", graph.add("Sub", near, half))
