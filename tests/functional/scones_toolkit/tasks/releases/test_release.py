"""What `inv release` refuses, it refuses before it changes anything; AWS is moto."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scones_core.assignments import Assignment
from scones_core.errors import ReleaseError, SconesError, SettingsError
from scones_core.manifest import Manifest, content_version
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_deploy.release import add_release, read_releases
from scones_toolkit.tasks.releases.releases import BUILTIN, rollback
from scones_toolkit.tasks.releases.retraining import PROPOSALS, release_proposed
from scones_toolkit.tasks.training import candidates
from scones_train.sagemaker.model_package import APPROVED, PENDING, Training
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT, SESSION, LocalProject

LABELS = ("bicycle", "motorcycle")
SOURCE = {"kind": "folder", "name": "x", "sha256": "0"}
VERSION = content_version(LABELS, SOURCE, {}, ())
MODEL = "model/job/output/model.tar.gz"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-local-model:1"


class Deployed(LocalProject):
    """A project whose registry and artifacts have names that AWS takes."""

    @property
    def deployment(self) -> Deployment:
        return replace(DEPLOYMENT, model_package_group="candidates", artifacts_bucket="data")


@pytest.fixture
def proposed(project: LocalProject) -> Iterator[Deployed]:
    """Return a project with a proposed candidate, of the built-in algorithm."""
    sagemaker, s3 = SESSION.client("sagemaker"), project.client("s3")
    made = Deployed(
        project.root,
        settings=Settings().override("workflow", threshold=0.9),
        console=project.console,
        clients={**project.clients, "sagemaker": sagemaker},
    )
    sagemaker.create_model_package_group(
        ModelPackageGroupName="candidates", ModelPackageGroupDescription="d"
    )
    manifest = Manifest(VERSION, LABELS, SOURCE, {}, ()).dumps().encode()
    s3.put_object(Bucket="data", Key=f"dataset/{VERSION}/manifest.json", Body=manifest)
    s3.put_object(Bucket="data", Key=MODEL, Body=b"model")
    trained = Training(
        job="job",
        image=IMAGE,
        model_data_url=f"s3://data/{MODEL}",
        metrics={"test_accuracy": 0.96},
        dataset_version=VERSION,
        manifest_sha256="ab" * 32,
        commit="c0ffee",
        algorithm=BUILTIN,
    )
    found = candidates.registry(made).add(trained)
    proposal = {
        "schema": 1,
        "run": "run-1",
        "reason": "a test",
        "candidate": found.arn,
        "new_images": 5,
        "test_images": 50,
        "figures": {},
    }
    s3.put_object(Bucket="data", Key=f"{PROPOSALS}1.json", Body=json.dumps(proposal).encode())
    yield made


def status(project: LocalProject) -> str:
    return candidates.registry(project).get(1).status


ASSIGNED = {"bicycle": Assignment("bicycle", "A", "near", 3.0)}


@pytest.mark.parametrize(
    ("assignments", "given", "error", "words"),
    [
        (ASSIGNED, {}, SettingsError, r"write \[assignment.motorcycle\]"),
        ({}, {}, ReleaseError, "keeps no answers for test images"),
        ({}, {"gate_override": "a test", "share": 0.2}, ReleaseError, "no active release"),
        # Before the model is looked at, and without the id of a release that is not written.
        ({}, {"share": 30.0}, ReleaseError, r"not 30\.0: `inv release` without --share makes"),
    ],
)
def test_a_proposal_that_is_refused_is_not_approved(
    proposed: Deployed,
    assignments: dict[str, Assignment],
    given: dict[str, Any],
    error: type[SconesError],
    words: str,
) -> None:
    own = replace(proposed, settings=replace(proposed.settings, assignment=assignments))

    with pytest.raises(error, match=words):
        release_proposed(own, **given)

    assert status(own) == PENDING
    assert not own.release_file.exists()


def test_a_proposal_that_nothing_refuses_is_approved_and_released(proposed: Deployed) -> None:
    proposed.release_file.parent.mkdir(parents=True)
    made = release_proposed(proposed, gate_override="a test")

    assert status(proposed) == APPROVED
    assert read_releases(proposed.release_file).active == made.active
    assert "proposed by run-1: a test; 5 new images" in proposed.printed


def test_a_rollback_takes_the_assignments_of_the_settings_or_is_refused_before_it_writes(
    proposed: Deployed,
) -> None:
    path = proposed.release_file
    path.parent.mkdir(parents=True)
    first = release_proposed(proposed, gate_override="a test").active or ""
    other = replace(read_releases(path).releases[first], id="later", threshold=0.8)
    add_release(path, other)
    before = path.read_bytes()

    odd = replace(proposed, settings=replace(proposed.settings, assignment=ASSIGNED))
    with pytest.raises(SettingsError, match=r"write \[assignment.motorcycle\]"):
        rollback(odd, first)
    assert path.read_bytes() == before

    whole = {**ASSIGNED, "motorcycle": Assignment("motorcycle", "B", "far", 20.0)}
    own = replace(proposed, settings=replace(proposed.settings, assignment=whole))
    after = rollback(own, first)
    assert (after.active, read_releases(path).assignments) == (first, whole)
