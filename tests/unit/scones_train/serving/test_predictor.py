import time
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from scones_core.errors import MalformedArtifact
from scones_core.model_card import ModelCard
from scones_train.serving.predictor import INPUT, OUTPUT, Predictor

IMAGE = np.zeros((1, 16, 16, 3), np.uint8)


def multiplying(count: int, side: int, *, constant: bool) -> bytes:
    """Return a graph that multiplies matrices of a side so often, of the image or of constants."""
    nodes = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "all"], ["mean"], keepdims=0),
        helper.make_node("ConstantOfShape", ["square"], ["ones"]),
        helper.make_node("Add", ["ones", "zero" if constant else "mean"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{n}", "m0"], [f"m{n + 1}"]) for n in range(count)),
        helper.make_node("ReduceMax", [f"m{count}"], ["largest"], keepdims=0),
        helper.make_node("ReduceMean", ["pixels", "sides"], ["channels"], keepdims=0),
        helper.make_node("Slice", ["channels", "from", "to", "axis"], ["two"]),
        helper.make_node("Add", ["two", "largest"], [OUTPUT]),
    ]
    constants = [
        helper.make_tensor("square", TensorProto.INT64, [2], [side, side]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("all", TensorProto.INT64, [4], [0, 1, 2, 3]),
        helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("from", TensorProto.INT64, [1], [0]),
        helper.make_tensor("to", TensorProto.INT64, [1], [2]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    given = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", 16, 16, 3])
    answer = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 2])
    graph = helper.make_graph(nodes, "g", [given], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def square(card: ModelCard) -> ModelCard:
    """The card of a model that takes images of 16x16 pixels."""
    return replace(card, image={"height": 16, "width": 16, "channels": 3})


def test_a_graph_is_ended_that_takes_too_long_for_an_image(square: ModelCard) -> None:
    graph = multiplying(4_000, 700, constant=False)
    predictor = Predictor(square, graph, max_seconds=0.3)
    before = time.process_time()
    with pytest.raises(MalformedArtifact, match=r"takes over 0\.3 s for an image"):
        predictor.probabilities(IMAGE)
    assert time.process_time() - before < 10


def test_a_graph_is_loaded_without_running_its_constants(square: ModelCard) -> None:
    before = time.process_time()
    Predictor(square, multiplying(200, 1_000, constant=True))
    assert time.process_time() - before < 2


def test_a_graph_that_is_quick_answers(square: ModelCard) -> None:
    found = Predictor(square, multiplying(3, 2, constant=True)).probabilities(IMAGE)
    assert found.tolist() == [[0, 0]]
