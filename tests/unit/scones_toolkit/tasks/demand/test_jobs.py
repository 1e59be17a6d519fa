"""The demand training's job: what is asked for, and what of its archive is taken."""

import io
import tarfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import MalformedArtifact
from scones_core.terraform_outputs import Deployment
from scones_demand.fit import DemandSettings, train
from scones_demand.forecast_files import write_held_out
from scones_demand.generator import competition_split, generate_hours
from scones_toolkit.project import Project
from scones_toolkit.tasks.demand.jobs import demand_request, unpack
from scones_train.sagemaker.training_job_request import job_request


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, "local")
    values: dict[str, Any] = {f.name: f.name for f in fields(Deployment)}
    made.__dict__["deployment"] = Deployment(**values)
    return made


def test_the_job_runs_the_demand_program_on_the_hours_of_this_hash(project: Project) -> None:
    settings = DemandSettings(seed=7)
    asked = job_request(demand_request(project, "ab" * 32, settings), "job")
    assert asked["Environment"] == {"SCONES_WORKLOAD": "demand"}
    assert asked["HyperParameters"] == settings.strings()
    source = asked["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert source == "s3://data_bucket/dataset/demand/abababababababab/"
    metrics = asked["AlgorithmSpecification"]["MetricDefinitions"]
    assert {"rmsle", "interval_coverage"} <= {metric["Name"] for metric in metrics}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_an_archive_becomes_a_model_folder_and_other_files_stay_behind(tmp_path: Path) -> None:
    hours = competition_split(generate_hours(days=100))[0]
    model, validated = train(hours, DemandSettings(max_iter=5, fold_every=24))
    model.write(tmp_path / "made")
    write_held_out(tmp_path / "made", hours, validated)
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    archive = pack(tmp_path / "model.tar.gz", {**files, "other.pickle": b"x"})
    found = unpack(archive, tmp_path / "model")
    assert found.card.metrics == model.card.metrics
    assert {path.name for path in (tmp_path / "model").iterdir()} == set(files)
    with pytest.raises(MalformedArtifact, match=r"holds no demand\.json"):
        unpack(pack(tmp_path / "b.tar.gz", {"other": b""}), tmp_path / "b")
