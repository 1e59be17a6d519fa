"""The first step of a retraining: the active release's dataset and what reviewers answered."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scones_core.errors import ChecksumMismatch
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.reviews import Answer, answer_line
from scones_core.settings import DatasetSettings
from scones_core.uris import dataset_prefix, manifest_key
from scones_etl import png, retraining
from scones_etl.extract.source import RawDataset
from scones_etl.extract.staged import StagedFolder
from scones_etl.image_format import AS_GIVEN, ImageFormat
from scones_etl.pipeline import stage

CLASSES = LabelSet.of(("bicycle", "motorcycle"))
SIDE = 16


def pictures(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


class Drawn:
    kind, name, sha256 = "synthetic", "drawn", "0" * 64

    def class_names(self) -> tuple[str, ...]:
        return CLASSES.names

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        splits = ("train",) * 20 + ("test",) * 4
        return RawDataset(
            images=pictures(0, 24),
            labels=np.arange(24, dtype=np.int64) % 2,
            splits=splits,
            rows=np.arange(24, dtype=np.int64),
            names=tuple(f"{n}.png" for n in range(24)),
        )


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a processing job that was given the dataset and no answers."""
    dataset = stage(Drawn(), CLASSES, DatasetSettings())
    version = dataset.manifest.version
    bodies = {**dataset.objects, manifest_key(version): dataset.manifest.dumps().encode()}
    for key, body in bodies.items():
        path = tmp_path / "input" / "dataset" / key.removeprefix(f"{dataset_prefix(version)}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path


def answer(job: Path, images: np.ndarray, labels: Sequence[str], reviewer: str = "ada") -> None:
    folder = job / "input" / "labels"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (body, label) in enumerate(zip(png.encode(images), labels, strict=True), 1):
        sha256 = hashlib.sha256(body).hexdigest()
        (folder / "images" / f"{sha256}.png").write_bytes(body)
        given = Answer(
            session="s1",
            sequence=number,
            reviewer=reviewer,
            action="label",
            sha256=sha256,
            file=f"{sha256}.png",
            at=f"2026-11-01T10:00:{number:02}+00:00",
            label=label,
        )
        lines.append(answer_line(given))
    part = folder / reviewer / "s1" / f"000001-{len(lines):06}.jsonl"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"".join(lines))


def manifest_of(job: Path, version: str) -> Manifest:
    return Manifest.loads((job / "output" / "dataset" / version / "manifest.json").read_text())


def test_answers_become_training_images_and_the_test_images_stay(job: Path) -> None:
    answer(job, pictures(1, 4), ["bicycle", "motorcycle", "bicycle", "motorcycle"])
    found = retraining.assemble(job, min_new_images=3)
    before = StagedFolder.open(job / "input" / "dataset").manifest
    after = manifest_of(job, found.version)
    assert (found.enough, found.added, found.new) == (True, 4, 4)
    assert {row.sha256 for row in after.split("test")} == {r.sha256 for r in before.split("test")}
    assert len(after.split("train")) == len(before.split("train")) + 4
    assert after.source["kind"] == "synthetic+labelled"


def test_the_new_version_is_whole_and_can_be_the_next_base(job: Path) -> None:
    answer(job, pictures(1, 4), ["bicycle", "motorcycle", "bicycle", "motorcycle"])
    found = retraining.assemble(job, min_new_images=1)
    staged = StagedFolder.open(job / "output" / "dataset" / found.version)
    assert len(staged.read(CLASSES, staged.image_format())) == 28
    assert staged.kind == "synthetic+labelled"


def test_too_few_new_images_leave_a_summary_and_no_dataset(job: Path) -> None:
    answer(job, pictures(1, 2), ["bicycle", "motorcycle"])
    found = retraining.assemble(job, min_new_images=3)
    assert (found.enough, found.new, found.version) == (False, 2, found.base_version)
    assert not (job / "output" / "dataset").exists()
    assert json.loads((job / "output" / "summary" / "dataset.json").read_text())["new"] == 2


def test_an_image_that_the_dataset_has_already_is_not_new(job: Path) -> None:
    answer(job, pictures(0, 4), ["bicycle", "motorcycle", "bicycle", "motorcycle"])
    assert retraining.assemble(job, min_new_images=1).new == 0


def test_without_answers_a_schedule_trains_on_the_dataset_as_it_is(job: Path) -> None:
    found = retraining.assemble(job, min_new_images=0)
    assert (found.enough, found.version) == (True, found.base_version)


def test_images_on_which_reviewers_disagree_are_left_out_with_the_reason(job: Path) -> None:
    answer(job, pictures(1, 2), ["bicycle", "motorcycle"])
    answer(job, pictures(1, 2), ["bicycle", "bicycle"], reviewer="bob")
    found = retraining.assemble(job, min_new_images=1)
    assert (found.new, found.left_out_total) == (1, 1)
    assert "disagree" in next(iter(found.left_out.values()))


def test_a_class_that_reviewers_added_joins_the_dataset_where_it_is_asked_for(job: Path) -> None:
    answer(job, pictures(1, 12), ["scooter"] * 10 + ["bicycle", "motorcycle"])

    passed_over = retraining.assemble(job, min_new_images=1)
    assert (passed_over.new, passed_over.left_out_total, passed_over.new_classes) == (2, 10, ())
    found = retraining.assemble(job, min_new_images=1, new_classes=["scooter", "tram"])

    after = manifest_of(job, found.version)
    assert (found.new, found.new_classes) == (12, ("scooter",))
    assert after.classes == (*CLASSES, "scooter")
    assert all(counts["scooter"] for counts in after.counts().values())
    before = StagedFolder.open(job / "input" / "dataset").manifest
    tested = {row.sha256 for row in after.split("test") if row.label != "scooter"}
    assert tested == {row.sha256 for row in before.split("test")}


def test_too_few_answers_of_a_new_class_wait_with_the_reason(job: Path) -> None:
    answer(job, pictures(1, 4), ["scooter", "scooter", "bicycle", "motorcycle"])
    found = retraining.assemble(job, min_new_images=1, new_classes=["scooter"])
    assert (found.new, found.new_classes, found.left_out_total) == (2, (), 2)
    assert "scooter has 2 answered images" in next(iter(found.left_out.values()))


def test_an_altered_image_of_the_base_ends_the_job_with_a_message(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(job, pictures(1, 2), ["bicycle", "motorcycle"])
    image = next((job / "input" / "dataset" / "train").rglob("*.png"))
    image.write_bytes(next(iter(png.encode(pictures(9, 1)))))
    with pytest.raises(ChecksumMismatch):
        retraining.assemble(job, min_new_images=1)
    base = tmp_path / "ml"
    base.mkdir()
    (base / "processing").symlink_to(job)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert retraining.main() == 1
    assert image.name in (base / "output" / "message").read_text()
