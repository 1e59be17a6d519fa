import io
import json
import os
import resource
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import MalformedArtifact
from scones_core.golden_samples import SAMPLES, GoldenSample, loads
from scones_core.model_card import ModelCard
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model_folder import (
    MAX_BYTES,
    OPTIONAL,
    read_artifact,
    read_predictions,
    unpack_artifact,
    write_artifact,
)


@pytest.fixture
def folder(tmp_path: Path, card: ModelCard, tested: ImagePredictions) -> Path:
    write_artifact(tmp_path / "model", card, b"graph", b"weights", tested)
    return tmp_path / "model"


@pytest.fixture
def members(card: ModelCard, tested: ImagePredictions) -> dict[str, bytes]:
    return {
        "model.json": card.dumps().encode(),
        "model.onnx": b"g",
        "predictions.json": tested.dumps().encode(),
        "weights.safetensors": b"w",
    }


def packed(path: Path, members: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_a_card_is_read_back(card: ModelCard) -> None:
    read = ModelCard.loads(card.dumps())
    assert read == card
    assert read.labels == card.labels
    assert read.size == (16, 20)


def test_a_folder_is_read_back_and_holds_no_leftovers(folder: Path, card: ModelCard) -> None:
    read, graph = read_artifact(folder)
    assert (read.threshold, graph) == (card.threshold, b"graph")
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.json",
        "model.onnx",
        "predictions.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("name", ["model.json", "model.onnx"])
def test_an_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(MalformedArtifact, match=name):
        read_artifact(folder)


def test_a_write_that_breaks_off_leaves_no_card(
    folder: Path, card: ModelCard, tested: ImagePredictions
) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()
    with pytest.raises(OSError, match=r"model\.onnx"):
        write_artifact(folder, card, b"new", b"new", tested)
    with pytest.raises(MalformedArtifact):
        read_artifact(folder)


def test_a_huge_card_is_refused_unread(folder: Path) -> None:
    with (folder / "model.json").open("wb") as file:
        file.truncate(MAX_BYTES["model.json"] + 1)
    with pytest.raises(MalformedArtifact, match="exceeds"):
        read_artifact(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 99},
        {"labels": ["only"]},
        {"labels": "bicycle"},
        {"labels": [1, 2]},
        {"threshold": 1.5},
        {"threshold": "0.9"},
        {"threshold": True},
        {"temperature": 0},
        {"image": {"height": 32}},
        {"image": []},
        {"image": {"height": 100000, "width": 1}},
        {"surprise": 1},
        {"temperature": 10**400},
        {"metrics": {"accuracy": 10**400}},
        {"labels": ["a", "\ud800"]},
    ],
    ids=str,
)
def test_a_card_with_a_wrong_value_is_refused(card: ModelCard, change: dict[str, Any]) -> None:
    body = json.loads(card.dumps())
    with pytest.raises(MalformedArtifact):
        ModelCard.loads(json.dumps({**body, **change}))


def test_a_card_of_many_classes_is_refused_before_their_matrix_is_made(card: ModelCard) -> None:
    labels = [str(number) for number in range(30_000)]
    body = {**json.loads(card.dumps()), "labels": labels, "confusion_matrix": ["0 0 1"]}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MalformedArtifact, match="at most 5,000 classes"):
        ModelCard.loads(json.dumps(body))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "[" * 100_000, b"\xff\xfe", '{"schema": 1}']
)
def test_what_is_no_card_is_refused(text: bytes | str) -> None:
    with pytest.raises(MalformedArtifact):
        ModelCard.loads(text)


def test_not_a_number_is_refused(card: ModelCard) -> None:
    text = card.dumps().replace("0.97", "NaN")
    with pytest.raises(MalformedArtifact, match="NaN"):
        ModelCard.loads(text)
    with pytest.raises(MalformedArtifact, match="temperature"):
        replace(card, temperature=float("inf"))


def test_an_archive_is_unpacked_to_the_known_files(
    tmp_path: Path, card: ModelCard, members: dict[str, bytes]
) -> None:
    members["./model.json"] = members.pop("model.json")
    archive = packed(tmp_path / "m.tar.gz", {**members, "notes/readme.txt": b"x"})
    assert unpack_artifact(archive, tmp_path / "out").threshold == card.threshold
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "model.json",
        "model.onnx",
        "predictions.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    tmp_path: Path, members: dict[str, bytes], name: str
) -> None:
    archive = packed(tmp_path / "m.tar.gz", {**members, name: b"x"})
    with pytest.raises(MalformedArtifact, match="outside"):
        unpack_artifact(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_header_of_many_bytes_is_refused_before_it_is_read(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("n" * 1_000_000))
    with pytest.raises(MalformedArtifact, match="header"):
        unpack_artifact(tmp_path / "m.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("name", sorted(set(MAX_BYTES) - OPTIONAL))
def test_a_link_in_place_of_a_file_is_not_followed(
    tmp_path: Path, members: dict[str, bytes], name: str
) -> None:
    archive = packed(tmp_path / "m.tar.gz", {**members, name: None})
    with pytest.raises(MalformedArtifact, match=name):
        unpack_artifact(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_declared_size_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "m.tar.gz", {"model.json": b"\0" * (MAX_BYTES["model.json"] + 1)})
    with pytest.raises(MalformedArtifact, match="at most"):
        unpack_artifact(archive, tmp_path / "out")


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_cut_archive_is_refused(tmp_path: Path, members: dict[str, bytes], cut: int) -> None:
    whole = packed(tmp_path / "m.tar.gz", {**members, "model.onnx": os.urandom(4000)})
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(MalformedArtifact):
        unpack_artifact(tmp_path / "cut.tar.gz", tmp_path / "out")


def test_predictions_that_are_none_are_refused_before_anything_is_written(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    members["predictions.json"] = b'{"schema": 1, "images": []}'
    archive = packed(tmp_path / "m.tar.gz", members)
    with pytest.raises(MalformedArtifact, match=r"predictions\.json"):
        unpack_artifact(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_are_read_back(folder: Path, tested: ImagePredictions) -> None:
    assert read_predictions(folder).images == tested.images


def test_golden_samples_travel_with_the_model_and_an_artifact_without_them_stays_one(
    tmp_path: Path, card: ModelCard, tested: ImagePredictions
) -> None:
    known = [GoldenSample(b"png", "image/png", (0.5, 0.5))]
    write_artifact(tmp_path / "model", card, b"graph", b"weights", tested, samples=known)
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    unpack_artifact(packed(tmp_path / "model.tar.gz", files), tmp_path / "out")
    assert loads((tmp_path / "out" / SAMPLES).read_bytes()) == tuple(known)
    write_artifact(tmp_path / "out", card, b"graph", b"weights", tested)
    assert not (tmp_path / "out" / SAMPLES).exists()
