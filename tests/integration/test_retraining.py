"""A retraining from answers to proposal, in an embedded AWS: real jobs on drawn images."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import Aws
from scones_core.errors import ReleaseError
from scones_core.outputs import Deployment
from scones_core.reviews import Answer, answer_line, part_key
from scones_core.uris import S3Uri
from scones_toolkit.project import Project
from scones_toolkit.tasks import candidates, data
from scones_toolkit.tasks.local import model_images
from scones_toolkit.tasks.retraining import release_proposed, retrain
from scones_toolkit.tasks.training import train_on_sagemaker
from scones_train.sagemaker.model_package import APPROVED, PENDING, REJECTED
from tests.support import retraining
from tests.support.photos import draw_photos
from tests.support.training import Applied, applied

pytestmark = pytest.mark.slow

RECIPE = {"recipe": "scratch", "folds": "0", "target_precision": "0.6"}
LENIENT = {"min_accuracy": 0, "min_coverage": 0, "max_calibration_error": 1}


@dataclass(frozen=True)
class Retrained(Applied):
    """A project whose deployment has a retraining."""

    machine: str = ""

    @cached_property
    def deployment(self) -> Deployment:
        return replace(super().deployment, retraining_state_machine_arn=self.machine)


@dataclass(frozen=True)
class Loop:
    """A project with a trained model and the state machine that retrains it."""

    project: Applied
    aws: Aws
    root: Path

    def machine(self, epochs: int = 3, **quality: float) -> str:
        active = next(
            found for found in candidates.registry(self.project).all() if found.version == 1
        )
        topic, _ = self.aws.topic()
        text = retraining.definition(
            self.project,
            data.current(self.project),
            active_model=S3Uri.parse(active.training.model_data_url),
            active_threshold=0.9,
            hyperparameters={**RECIPE, "epochs": str(epochs)},
            quality={**LENIENT, **quality},
            topic_arn=topic,
        )
        return self.aws.state_machine(json.loads(text))

    def run(self, machine: str, **given: Any) -> dict[str, Any]:
        ended = self.aws.run(machine, given, seconds=120)
        assert ended["status"] == "SUCCEEDED", (ended["error"], ended.get("cause"))
        output: dict[str, Any] = json.loads(ended["output"])
        return output

    def answer(self, reviewer: str, seed: int, count: int) -> None:
        """Leave a reviewer's answers to `2 * count` drawn images where `inv review` puts them."""
        s3, bucket = self.project.client("s3"), self.project.deployment.data_bucket
        folder = Path(draw_photos(self.root / reviewer, count, seed))
        lines = []
        for number, path in enumerate(sorted(folder.rglob("*.png")), 1):
            body = path.read_bytes()
            sha256 = hashlib.sha256(body).hexdigest()
            s3.put_object(Bucket=bucket, Key=f"labels/images/{sha256}.png", Body=body)
            given = Answer(
                session="s",
                sequence=number,
                reviewer=reviewer,
                action="label",
                sha256=sha256,
                file=f"{sha256}.png",
                at=f"2026-11-01T10:00:{number:02}+00:00",
                label=path.parent.name,
            )
            lines.append(answer_line(given))
        key = part_key("labels/", reviewer, "s", 1, len(lines))
        s3.put_object(Bucket=bucket, Key=key, Body=b"".join(lines))


def briefly(_: float) -> None:
    time.sleep(0.2)


def vars_of(project: Applied) -> dict[str, Any]:
    return {field.name: getattr(project, field.name) for field in fields(project)}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    root = tmp_path_factory.mktemp("project")
    images = model_images(Project(root))
    with LocalAws.start(root / ".local" / "aws", 0, images, keep=False) as local:
        project = applied(root, local, draw_photos(root / "photos", 80))
        train_on_sagemaker(project)
        yield Loop(project, Aws.of(local), root)


def test_answers_become_a_candidate_that_is_proposed_and_not_deployed(loop: Loop) -> None:
    before = data.current(loop.project)
    loop.answer("ada", seed=1, count=4)
    machine = loop.machine()
    project = Retrained(**vars_of(loop.project), machine=machine)
    found = retrain(project, min_new_images=5, sleep=briefly)

    assert (found["outcome"], found["reason"]) == ("proposed", "started by inv retrain"), found
    assert (found["dataset"]["new"], found["dataset"]["base_version"]) == (8, before.version)
    candidate = next(candidates.registry(project).all())
    assert (candidate.status, candidate.training.data_source) == (PENDING, "folder+labelled")
    assert candidate.training.dataset_version == found["dataset"]["version"]
    assert candidate.arn == found["candidate"]
    assert "8 of 8 answered images are new" in project.shown

    few = retrain(project, min_new_images=9, sleep=briefly)
    assert (few["outcome"], few["dataset"]["new"]) == ("too few new images", 8)

    released = release_proposed(project)
    assert released.releases[released.active or ""].model_package_arn == candidate.arn
    assert next(candidates.registry(project).all()).status == APPROVED
    with pytest.raises(ReleaseError, match="is a release already"):
        release_proposed(project)


def test_a_model_below_the_limits_is_registered_as_rejected(loop: Loop) -> None:
    found = loop.run(loop.machine(epochs=1, max_calibration_error=0), reason="schedule")
    assert found["outcome"] == "refused", found
    assert found["refusals"]
    candidate = next(candidates.registry(loop.project).all())
    assert (candidate.status, found["refusals"][0] in candidate.note) == (REJECTED, True)
