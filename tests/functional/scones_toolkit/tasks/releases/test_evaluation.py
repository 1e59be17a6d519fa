"""A model scored on a dataset that has a class more, or none of its own."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_core.uris import manifest_key
from scones_etl.extract.resolve import open_source
from scones_etl.pipeline import stage
from scones_toolkit.tasks.releases.evaluation import evaluate_artifact
from tests.functional.scones_toolkit.tasks.conftest import LocalProject
from tests.support.colour_model import SIDE, write_colour_model

CHANNELS = {"bicycle": 0, "motorcycle": 2, "tram": 1}
ARTIFACT = "s3://data/model/job/output/model.tar.gz"


@pytest.fixture
def staged(project: LocalProject, tmp_path: Path) -> LocalProject:
    """The project with a dataset of red, blue and green images as three classes."""
    for label, channel in CHANNELS.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
            pixels[..., channel] = 150 + number
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    source, labels = open_source(tmp_path / "photos"), LabelSet.of(list(CHANNELS))
    dataset = stage(source, labels, DatasetSettings())
    version = dataset.manifest.version
    bodies = {**dataset.objects, manifest_key(version): dataset.manifest.dumps().encode()}
    for key, body in bodies.items():
        project.client("s3").put_object(Bucket="data", Key=key, Body=body)
    project.records.write("dataset", {"version": version, "bucket": "data"})
    return project


def put_model(project: LocalProject, labels: tuple[str, ...]) -> None:
    folder, packed = project.root / "model", io.BytesIO()
    write_colour_model(folder, labels)
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    key = ARTIFACT.removeprefix("s3://data/")
    project.client("s3").put_object(Bucket="data", Key=key, Body=packed.getvalue())


def test_images_of_a_class_that_the_model_does_not_know_are_left_out_and_said(
    staged: LocalProject,
) -> None:
    put_model(staged, ("bicycle", "motorcycle"))

    found = evaluate_artifact(staged, ARTIFACT)

    assert (found["accuracy"], found["n_test"]) == (1, 4)
    assert "2 test images are left out: the model does not know tram" in staged.printed


def test_a_model_of_none_of_the_classes_is_a_sentence(staged: LocalProject) -> None:
    put_model(staged, ("cat", "dog"))

    with pytest.raises(DatasetError, match="knows cat, dog, and none of the classes"):
        evaluate_artifact(staged, ARTIFACT)
