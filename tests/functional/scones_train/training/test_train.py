import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from scones_core.golden_samples import loads
from scones_core.manifest import Manifest, content_version
from scones_core.model_card import ModelCard
from scones_images import decode
from scones_train.channels import load_channel
from scones_train.evaluation.metrics import summarise
from scones_train.model_folder import read_artifact
from scones_train.sagemaker.metric_lines import parse_line
from scones_train.serving.predictor import Predictor
from tests.functional.scones_train.conftest import Job


def test_a_training_leaves_a_model_that_learnt_what_it_was_shown(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    base, done = trained
    assert done.returncode == 0, done.stderr
    card, _ = read_artifact(base / "model")
    test = load_channel(base / "input" / "data" / "test", card.labels)
    predictor = Predictor.load(base / "model")
    answers = predictor.probabilities(test.pixels)
    figures = summarise(answers, test.labels, predictor.card.threshold)
    assert figures["accuracy"] >= 0.9
    assert {name: card.metrics[name] for name in figures} == pytest.approx(figures)
    assert not (base / "output" / "failure").exists()


def test_the_card_says_what_the_threshold_rests_on(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    base, _ = trained
    text = (base / "model" / "model.json").read_text()
    card = json.loads(text)
    assert card["metrics"]["n_test"] == 16
    assert card["metrics"]["n_train"] == 48
    assert card["metrics"]["n_calibration"] == 48
    assert card["settings"]["trained_on"] == ["train", "validation"]
    assert "out-of-fold predictions of 2 other networks" in card["settings"]["calibrated_on"]
    assert sum(map(sum, ModelCard.loads(text).confusion_matrix)) == 16
    assert (card["dataset_version"], card["manifest_sha256"]) == ("v9", "ab")
    assert card["target_precision"] == 0.99
    assert card["settings"]["epochs"] == 6
    assert 0 <= card["metrics"]["calibration_error"] <= 1
    assert "48 images that were held out" in (base / "model" / "reliability.svg").read_text()


def test_the_model_folder_has_images_that_its_graph_answers_as_they_say(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    base, _ = trained
    predictor = Predictor.load(base / "model")
    known = loads((base / "model" / "golden_samples.json").read_bytes())
    assert len(known) == 2
    for image in known:
        answer = predictor.probabilities(decode(image.body)[None])[0]
        assert answer.tolist() == pytest.approx(image.probabilities, abs=1e-5)


def _encode_again(base: Path) -> None:
    """Give every image another name, whose order is another, and other bytes for its pixels."""
    for number, path in enumerate(sorted(base.glob("input/data/t*/*/*.png"), reverse=True)):
        with Image.open(path) as image:
            image.save(path.with_name(f"{number:03}.{path.stem}.png"), compress_level=0)
        path.unlink()


def test_neither_names_nor_encoder_of_the_files_change_the_network(
    trained: tuple[Path, subprocess.CompletedProcess[str]], job: Job
) -> None:
    base, _ = trained
    parameters = json.loads((base / "input" / "config" / "hyperparameters.json").read_text())
    job.hyperparameters(**parameters)
    _encode_again(job.base)
    assert job.run().returncode == 0
    first, second = (
        load_file(folder / "model" / "weights.safetensors") for folder in (base, job.base)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    cards = [read_artifact(folder / "model")[0] for folder in (base, job.base)]
    assert cards[0].threshold == cards[1].threshold


def test_without_folds_the_threshold_rests_on_images_that_were_not_learnt(job: Job) -> None:
    job.hyperparameters(epochs="2", batch_size="8", folds="0")
    next(path for path in job.channel("test").iterdir() if path.is_dir()).joinpath("a.txt").touch()
    done = job.run()
    assert done.returncode == 0
    assert "Passed over in channel test: 1, as its name does not end in .png" in done.stdout
    card, _ = read_artifact(job.base / "model")
    assert card.metrics["n_train"] == 32
    assert card.metrics["n_calibration"] == 16
    assert card.settings["trained_on"] == ["train"]


def test_a_job_that_is_given_the_manifest_takes_classes_and_version_from_it(job: Job) -> None:
    source = {"kind": "folder", "name": "x", "sha256": "0"}
    classes = ("motorcycle", "bicycle")
    manifest = Manifest(content_version(classes, source, {}, ()), classes, source, {}, ())
    job.channel("manifest").mkdir()
    (job.channel("manifest") / "manifest.json").write_text(manifest.dumps())
    job.hyperparameters(epochs="1", folds="0", max_steps="1")
    assert job.run().returncode == 0
    card, _ = read_artifact(job.base / "model")
    assert (card.labels, card.dataset_version) == (classes, manifest.version)


def test_the_output_can_be_parsed(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = trained
    lines = [parse_line(line) for line in done.stdout.splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    assert [line["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
    assert all(line["epochs"] == 6 and line["seconds_left"] >= 0 for line in epochs)
    assert all("train_loss" in line for line in epochs)
    assert sum("fold_accuracy" in line for line in lines) == 2
    assert re.search(r"^test_accuracy=[01]\.\d{4} ", done.stdout, re.MULTILINE)


def test_colour_images_are_trained_from_the_packages_weights(job: Job) -> None:
    job.hyperparameters(recipe="auto", epochs="4", batch_size="8", folds="0")
    done = job.run()
    assert done.returncode == 0, done.stderr
    card, _ = read_artifact(job.base / "model")
    assert (card.settings["recipe"], card.settings["epochs"]) == ("pretrained", 4)
    assert card.settings["recipe_reason"] == "the images have colours"
    assert card.origin["licence"] == "Apache-2.0"
    assert card.metrics["accuracy"] >= 0.9
    answers = Predictor.load(job.base / "model").probabilities
    test = load_channel(job.channel("test"), card.labels)
    assert (answers(test.pixels).argmax(axis=1) == test.labels).mean() == card.metrics["accuracy"]


def test_a_damaged_weights_file_fails_the_job_in_a_sentence(job: Job) -> None:
    folder = job.channel("weights")
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(b"garbage")
    job.hyperparameters(recipe="auto", weights_sha256="0" * 64)
    assert job.run().returncode == 1
    assert "SHA-256" in job.failure()
    assert not (job.base / "model").exists()


def _no_channel(job: Job) -> None:
    shutil.rmtree(job.channel("validation"))


def _empty_class(job: Job) -> None:
    shutil.rmtree(job.channel("train") / "bicycle")


def _unknown_class(job: Job) -> None:
    folder = job.channel("test") / "scooter"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"any")


def _unreadable(job: Job) -> None:
    (job.channel("train") / "bicycle" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def _bad_value(job: Job) -> None:
    job.hyperparameters(epochs="none")


def _bad_file(job: Job) -> None:
    job.hyperparameters()
    (job.base / "input" / "config" / "hyperparameters.json").write_text("[1")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_no_channel, "validation"),
        (_empty_class, "bicycle"),
        (_unknown_class, "scooter"),
        (_unreadable, "0.png"),
        (_bad_value, "epochs"),
        (_bad_file, "hyperparameters.json"),
    ],
)
def test_a_users_error_is_one_sentence_and_no_model(
    job: Job, spoil: Callable[[Job], None], named: str
) -> None:
    spoil(job)
    done = job.run()
    assert done.returncode == 1
    assert named in job.failure()
    assert done.stderr.strip() == job.failure()
    assert "Traceback" not in done.stderr
    assert not (job.base / "model").exists()


def test_the_variables_of_the_platform_win(
    job: Job, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("channel")
    assert job.run(SM_CHANNEL_TRAIN=str(elsewhere)).returncode == 1
    assert str(elsewhere) in job.failure()


def test_a_base_that_cannot_be_written_still_gets_its_sentence(job: Job, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = job.run(SAGEMAKER_BASE_DIR=str(tmp_path / "file"))
    assert done.returncode == 1
    assert "channel folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_that_is_stopped_ends_all_its_trainings_at_once(job: Job) -> None:
    job.hyperparameters(epochs="1000", batch_size="8", folds="3")
    with job.started(OMP_NUM_THREADS="2") as process:
        assert process.stdout is not None
        assert any(line.startswith("epoch=") for line in process.stdout)
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not (job.base / "model").exists()
