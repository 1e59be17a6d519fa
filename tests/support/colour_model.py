"""A model folder that needs no training: it tells red, blue and green images apart."""

import io
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save

from scones_core.model_card import ModelCard
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model_folder import write_artifact
from scones_train.serving.predictor import INPUT, OUTPUT

LABELS = ("red", "blue")
SIDE = 16
THRESHOLD = 0.9


def write_colour_model(
    folder: Path,
    labels: tuple[str, ...] = LABELS,
    dataset_version: str = "none",
    weight: float = 0.1,
) -> None:
    """Write the folder; the log-odds of red are `weight` times the mean difference to blue.

    A third label is green's; further ones are never answered.
    """
    weights = np.zeros((3, len(labels)), dtype=np.float32)
    for index, channel in enumerate((0, 2, 1)[: len(labels)]):
        weights[channel, index] = weight
    nodes = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
        numpy_helper.from_array(weights, "weights"),
    ]
    shapes = [
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", SIDE, SIDE, 3]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(labels)]),
    ]
    graph = helper.make_graph(nodes, "colour", shapes[:1], shapes[1:], constants)
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    card = ModelCard(
        labels=labels,
        image={"height": SIDE, "width": SIDE, "channels": 3},
        normalisation={"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
        temperature=1.0,
        threshold=THRESHOLD,
        target_precision=0.99,
        metrics={},
        confusion_matrix=tuple(map(tuple, np.eye(len(labels), dtype=int).tolist())),
        settings={},
        dataset_version=dataset_version,
        manifest_sha256="",
    )
    answers = np.full((1, len(labels)), 1 / len(labels), np.float32)
    tested = ImagePredictions(("0" * 16,), np.zeros(1, np.int64), answers)
    write_artifact(folder, card, model.SerializeToString(), save({"weights": weights}), tested)


def plain(red: int, blue: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Return an image of one colour: uint8 (side, side, 3)."""
    return np.full((side, side, 3), (red, 0, blue), dtype=np.uint8)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """Return pixels as an image file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()
