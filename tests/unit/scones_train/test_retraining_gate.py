"""A retraining's gate, on two models that answer the same test images."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scones_core.errors import SettingsError, TrainingError
from scones_core.manifest import Manifest, content_version
from scones_core.model_card import ModelCard
from scones_train import retraining_gate
from scones_train.channels import Normalisation
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model.export import to_onnx
from scones_train.model.small_network import Network
from scones_train.model_folder import write_artifact
from scones_train.serving.predictor import Predictor
from tests.support.colour_model import SIDE, write_colour_model

SIZE = (16, 20)
IMAGES = 40
VARIABLES = {
    "JOB": "retrain-1",
    "IMAGE": "registry/model:0.1.0",
    "MODEL_DATA_URL": "s3://artifacts/model/retrain-1/output/model.tar.gz",
    "GROUP": "candidates",
    "ACTIVE_THRESHOLD": "0.9",
}


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (IMAGES, *SIZE, 3), dtype=np.uint8)


@pytest.fixture
def right(network: Network, normalisation: Normalisation) -> bytes:
    """The graph of a model that is sure of itself, and right by definition."""
    return to_onnx(network, normalisation, 1e-5, SIZE)


@pytest.fixture
def wrong(network: Network, normalisation: Normalisation) -> bytes:
    """The graph of a model that is as sure of the other class."""
    return to_onnx(network, normalisation, -1e-5, SIZE)


@pytest.fixture
def folder(tmp_path: Path, card: ModelCard, right: bytes, pixels: NDArray[np.uint8]) -> Path:
    """The inputs of a job, with test images labelled as the right model answers them."""
    labels = Predictor(card, right).probabilities(pixels).argmax(axis=1)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = tmp_path / "test" / card.labels[label] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    write_manifest(tmp_path, card.labels)
    return tmp_path


def write_manifest(folder: Path, labels: tuple[str, ...]) -> None:
    source = {"kind": "folder+labelled", "name": "x", "sha256": "0"}
    version = content_version(labels, source, {}, ())
    manifest = Manifest(version, labels, source, {}, ())
    (folder / "manifest").mkdir()
    (folder / "manifest" / "manifest.json").write_text(manifest.dumps())


def put(folder: Path, which: str, card: ModelCard, graph: bytes, tested: ImagePredictions) -> None:
    write_artifact(folder / f"{which}-model", card, graph, b"weights", tested)
    pack(folder, which)


def pack(folder: Path, which: str) -> None:
    model = folder / f"{which}-model"
    (folder / which).mkdir(exist_ok=True)
    with tarfile.open(folder / which / "model.tar.gz", "w:gz") as archive:
        for path in model.iterdir():
            archive.add(path, path.name)


def test_a_better_candidate_passes_and_waits_for_approval(
    folder: Path, card: ModelCard, right: bytes, wrong: bytes, tested: ImagePredictions
) -> None:
    put(folder, "candidate", card, right, tested)
    put(folder, "active", card, wrong, tested)
    found = json.loads(retraining_gate.evaluate_candidate(folder, VARIABLES).dumps())
    assert (found["passed"], found["images"], found["refusals"]) == (True, IMAGES, [])
    assert found["figures"]["candidate"]["accuracy"] == 1
    assert found["figures"]["active"]["accuracy"] == 0
    package = found["package"]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["CustomerMetadataProperties"]["test_accuracy"] == "1"
    assert package["CustomerMetadataProperties"]["data_source"] == "folder+labelled"


def test_a_worse_candidate_is_registered_as_rejected_with_the_reasons(
    folder: Path, card: ModelCard, right: bytes, wrong: bytes, tested: ImagePredictions
) -> None:
    put(folder, "candidate", card, wrong, tested)
    put(folder, "active", card, right, tested)
    found = retraining_gate.evaluate_candidate(folder, VARIABLES)
    assert not found.passed
    assert any("McNemar" in reason for reason in found.refusals)
    assert found.package["ModelApprovalStatus"] == "Rejected"
    assert "McNemar" in found.package["ModelPackageDescription"]


def test_an_equal_candidate_passes(
    folder: Path, card: ModelCard, right: bytes, tested: ImagePredictions
) -> None:
    for which in ("candidate", "active"):
        put(folder, which, card, right, tested)
    assert retraining_gate.evaluate_candidate(folder, VARIABLES).passed


def test_limits_are_those_of_the_settings(
    folder: Path, card: ModelCard, right: bytes, tested: ImagePredictions
) -> None:
    for which in ("candidate", "active"):
        put(folder, which, replace(card, threshold=1.0), right, tested)
    strict = {**VARIABLES, "QUALITY": '{"min_coverage": 1.0, "min_accuracy": 1.0}'}
    assert retraining_gate.evaluate_candidate(folder, strict).passed
    with pytest.raises(SettingsError, match="QUALITY"):
        retraining_gate.evaluate_candidate(folder, {**VARIABLES, "QUALITY": '{"min_acuracy": 1}'})


@pytest.fixture
def colours(tmp_path: Path) -> Callable[[tuple[str, str, str], tuple[str, str]], Path]:
    """The inputs of a job: red, blue and green images as three classes, and both models."""
    labels = ("bicycle", "motorcycle", "tram")
    for channel, label in zip((0, 2, 1), labels, strict=True):
        folder = tmp_path / "test" / label
        folder.mkdir(parents=True)
        for number in range(20):
            pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
            pixels[..., channel] = 150 + number
            Image.fromarray(pixels).save(folder / f"{number}.png")
    write_manifest(tmp_path, labels)

    def models(candidate: tuple[str, str, str], active: tuple[str, str]) -> Path:
        write_colour_model(tmp_path / "candidate-model", candidate)
        write_colour_model(tmp_path / "active-model", active)
        for which in ("candidate", "active"):
            pack(tmp_path, which)
        return tmp_path

    return models


def test_models_of_other_classes_are_compared_on_those_that_both_know(
    colours: Callable[[tuple[str, str, str], tuple[str, str]], Path],
) -> None:
    found = retraining_gate.evaluate_candidate(
        colours(("bicycle", "motorcycle", "tram"), ("motorcycle", "bicycle")), VARIABLES
    )

    assert (found.refusals, found.images) == ((), 40)
    assert found.figures["candidate"]["accuracy"] == 1
    assert found.figures["active"]["accuracy"] == 0, "its two classes are turned round"
    assert found.package["CustomerMetadataProperties"]["test_n_test"] == "60"


def test_a_new_class_that_the_candidate_gets_wrong_is_refused(
    colours: Callable[[tuple[str, str, str], tuple[str, str]], Path],
) -> None:
    labels = ("bicycle", "tram", "motorcycle")

    found = retraining_gate.evaluate_candidate(colours(labels, ("bicycle", "car")), VARIABLES)

    assert any("new class tram is 0.0000" in reason for reason in found.refusals)
    assert any("does not know car, which" in reason for reason in found.refusals)


def test_an_active_model_that_knows_none_of_the_classes_is_a_sentence(
    colours: Callable[[tuple[str, str, str], tuple[str, str]], Path],
) -> None:
    labels = ("bicycle", "motorcycle", "tram")
    with pytest.raises(TrainingError, match="active model knows none of the classes bicycle"):
        retraining_gate.evaluate_candidate(colours(labels, ("cat", "dog")), VARIABLES)


@pytest.fixture
def square(network: Network, normalisation: Normalisation) -> bytes:
    """The graph of a model that takes images of another size."""
    return to_onnx(network, normalisation, 1.0, (16, 16))


def test_a_model_of_other_images_is_refused_in_a_sentence(
    folder: Path, card: ModelCard, right: bytes, square: bytes, tested: ImagePredictions
) -> None:
    put(folder, "candidate", card, right, tested)
    other = replace(card, image={"height": 16, "width": 16, "channels": 3})
    put(folder, "active", other, square, tested)
    with pytest.raises(TrainingError, match="active model takes images of 16x16"):
        retraining_gate.evaluate_candidate(folder, VARIABLES)


def test_a_missing_variable_ends_the_job_with_a_message(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "ml"
    (base / "processing").mkdir(parents=True)
    (base / "processing" / "input").symlink_to(folder)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    monkeypatch.delenv("ACTIVE_THRESHOLD", raising=False)
    assert retraining_gate.main() == 1
    assert (base / "output" / "message").read_text()
