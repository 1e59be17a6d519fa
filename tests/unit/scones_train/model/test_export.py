from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.onnx_ml_pb2 import ModelProto
from safetensors.torch import load

from scones_core.errors import MalformedArtifact
from scones_core.model_card import ModelCard
from scones_train.channels import ImageSet, Normalisation
from scones_train.evaluation.metrics import softmax, summarise
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model.export import to_onnx, weights_bytes
from scones_train.model.small_network import Network
from scones_train.model_folder import write_artifact
from scones_train.serving.predictor import Predictor
from scones_train.training.fit import predict


@pytest.fixture
def graph(network: Network, normalisation: Normalisation, card: ModelCard) -> bytes:
    return to_onnx(network, normalisation, card.temperature, card.size)


def test_the_graph_answers_as_the_network(
    network: Network, images: ImageSet, normalisation: Normalisation, card: ModelCard, graph: bytes
) -> None:
    expected = softmax(predict(network, images, normalisation), card.temperature)
    answered = Predictor(card, graph).probabilities(images.pixels)
    assert answered.shape == (len(images), 2)
    assert np.ptp(answered[:, 0]) > 1e-3
    assert np.abs(answered - expected).max() < 1e-4


def test_any_number_of_images_gets_one_answer_each(
    card: ModelCard, graph: bytes, images: ImageSet
) -> None:
    predictor = Predictor(card, graph)
    many = np.repeat(images.pixels[:1], 150, axis=0)
    one = predictor.probabilities(many[:1])
    assert np.array_equal(predictor.probabilities(many), np.repeat(one, 150, axis=0))


def test_all_cores_answer_to_the_last_digit_as_one_does(
    card: ModelCard, graph: bytes, images: ImageSet
) -> None:
    predictor = Predictor(card, graph, cores=2)
    everywhere = predictor.probabilities(images.pixels, all_cores=True)
    assert np.array_equal(everywhere, predictor.probabilities(images.pixels))


def test_the_weights_alone_rebuild_the_network(
    network: Network, images: ImageSet, normalisation: Normalisation
) -> None:
    state = load(weights_bytes(network, {"weights": "random"}))
    rebuilt = Network(2, widths=(8, 12, 12))
    rebuilt.load_state_dict(state)
    expected = predict(network, images, normalisation)
    assert np.allclose(predict(rebuilt, images, normalisation), expected, atol=1e-6)


def test_a_folder_is_evaluated_under_its_own_threshold(
    tmp_path: Path, card: ModelCard, graph: bytes, images: ImageSet, tested: ImagePredictions
) -> None:
    write_artifact(tmp_path, replace(card, threshold=0.0), graph, b"", tested)
    predictor = Predictor.load(tmp_path)
    answers = predictor.probabilities(images.pixels)
    figures = summarise(answers, images.labels, predictor.card.threshold)
    assert figures["n_test"] == len(images)
    assert figures["coverage_at_threshold"] == 1.0
    assert figures["precision_at_threshold"] == pytest.approx(figures["accuracy"])


def test_a_card_of_other_labels_or_size_is_refused(card: ModelCard, graph: bytes) -> None:
    with pytest.raises(MalformedArtifact, match="card"):
        Predictor(replace(card, labels=("a", "b", "c")), graph)
    with pytest.raises(MalformedArtifact, match="card"):
        Predictor(replace(card, image={"height": 32, "width": 32}), graph)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x09"], ids=["empty", "text", "bare"])
def test_what_is_no_graph_is_refused(card: ModelCard, content: bytes) -> None:
    with pytest.raises(MalformedArtifact, match=r"model\.onnx"):
        Predictor(card, content)


def test_a_cut_graph_is_refused(card: ModelCard, graph: bytes) -> None:
    with pytest.raises(MalformedArtifact):
        Predictor(card, graph[: len(graph) // 2])


def _external(model: ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def _foreign(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def _subgraph(model: ModelProto) -> None:
    node = model.graph.node[0]
    node.attribute.append(onnx.helper.make_attribute("body", onnx.GraphProto(name="inner")))


@pytest.mark.parametrize("change", [_external, _foreign, _subgraph])
def test_a_graph_that_reaches_outside_itself_is_refused(
    card: ModelCard, graph: bytes, change: Callable[[ModelProto], None]
) -> None:
    model = onnx.load_model_from_string(graph)
    change(model)
    with pytest.raises(MalformedArtifact, match="outside itself"):
        Predictor(card, model.SerializeToString())


def test_a_graph_of_more_nodes_than_any_network_has_is_refused_at_once(
    card: ModelCard, graph: bytes
) -> None:
    model = onnx.load_model_from_string(graph)
    chain = (onnx.helper.make_node("Neg", [f"v{n}"], [f"v{n + 1}"]) for n in range(20_000))
    model.graph.node.extend(chain)
    with pytest.raises(MalformedArtifact, match="at most 5,000 are loaded"):
        Predictor(card, model.SerializeToString())


def _then(graph: bytes, *nodes: tuple[str, list[str], list[str]], **constants: Any) -> bytes:
    """Return the graph with nodes behind it, from `before` to its output's name."""
    model = onnx.load_model_from_string(graph)
    last = next(node for node in model.graph.node if "probabilities" in node.output)
    last.output[0] = "before"
    model.graph.node.extend(onnx.helper.make_node(*node) for node in nodes)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()
    )
    graph_bytes: bytes = model.SerializeToString()
    return graph_bytes


def test_a_small_graph_of_huge_values_is_refused_instead_of_filling_the_memory(
    card: ModelCard, graph: bytes, images: ImageSet
) -> None:
    swollen = _then(
        graph,
        ("ConstantOfShape", ["shape"], ["huge"]),
        ("ReduceMax", ["huge"], ["most"]),
        ("Add", ["before", "most"], ["probabilities"]),
        shape=[30_000, 30_000],
    )
    with pytest.raises(MalformedArtifact, match="gives no answer"):
        Predictor(card, swollen).probabilities(images.pixels[:1])


def test_an_answer_that_is_no_number_is_refused(
    card: ModelCard, graph: bytes, images: ImageSet
) -> None:
    unknown = _then(graph, ("Mul", ["before", "nan"], ["probabilities"]), nan=np.float32("nan"))
    with pytest.raises(MalformedArtifact, match="finite number"):
        Predictor(card, unknown).probabilities(images.pixels[:1])
