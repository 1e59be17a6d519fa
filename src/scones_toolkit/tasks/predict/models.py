"""Models of `inv predict`: the active release's, the newest there is, or a given one."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from local_aws.errors import LocalAwsError
from scones_core.errors import DeployError, ReleaseError, SettingsError
from scones_core.image_header import read_image_header
from scones_core.model_card import CARD
from scones_core.probabilities import probability_vector
from scones_deploy.promotion import cached, fetch
from scones_deploy.release import Release
from scones_deploy.verification import is_served
from scones_images import PHOTOS, decode
from scones_toolkit.project import Project
from scones_toolkit.tasks.releases.releases import BUILTIN, unpacked
from scones_toolkit.tasks.training import candidates
from scones_train.evaluation.agreement import probabilities
from scones_train.model_folder import unpack_artifact
from scones_train.sagemaker.model_package import REJECTED
from scones_train.serving.predictor import Predictor

ANSWER_BYTES = 1 << 20
Target = Literal["artifact", "endpoint"]


class Model(Protocol):
    """What answers: its `name` in words, its labels in order, the threshold of its decisions."""

    @property
    def name(self) -> str:
        """Which model it is, and where it is from."""

    @property
    def labels(self) -> Sequence[str]:
        """The class names, in the order of the probabilities."""

    @property
    def threshold(self) -> float:
        """The lowest confidence that is accepted."""

    def answer(self, body: bytes) -> tuple[float, ...]:
        """Return a probability for each label, for an encoded image; raises SconesError."""


@dataclass(frozen=True)
class LoadedModel:
    """A model artifact in this process."""

    name: str
    predictor: Predictor
    threshold: float

    @property
    def labels(self) -> Sequence[str]:
        """The class names, in the order of the probabilities."""
        return self.predictor.card.labels

    def answer(self, body: bytes) -> tuple[float, ...]:
        """Return a probability for each label, for an encoded image; raises ImageError."""
        return self.probabilities(self.seen(body))

    def seen(self, body: bytes) -> NDArray[np.uint8]:
        """Return an image's pixels as the model sees them, uint8 (H, W, 3); raises ImageError."""
        card = self.predictor.card
        return decode(body, card.size, grey=card.grey, limits=PHOTOS)

    def probabilities(self, pixels: NDArray[np.uint8]) -> tuple[float, ...]:
        """Return a probability for each label, for pixels (H, W, 3) of the model's size."""
        found = self.predictor.probabilities(pixels[None], all_cores=True)[0]
        return tuple(float(value) for value in found)


@dataclass(frozen=True)
class EndpointModel:
    """The deployed endpoint, which is sent the images as they are."""

    endpoint: str
    release: str
    labels: Sequence[str]
    threshold: float
    runtime: Any
    target: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Which model it is, and where it is from."""
        return f"release {self.release}, by the endpoint {self.endpoint}"

    def answer(self, body: bytes) -> tuple[float, ...]:
        """Return a probability for each label.

        Raises UnsupportedImage for what is no PNG or JPEG, and DeployError where the endpoint
        refuses it or gives another answer.
        """
        header = read_image_header(body)
        try:
            response = self.runtime.invoke_endpoint(
                EndpointName=self.endpoint,
                ContentType=header.content_type,
                Accept="application/json",
                Body=body,
                **self.target,
            )
            found = probabilities(response["Body"].read(ANSWER_BYTES))
            return probability_vector(found, len(self.labels))
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"The endpoint {self.endpoint} refuses the image: {error}") from error
        except ValueError as error:
            raise DeployError(
                f"The endpoint {self.endpoint} answers no probabilities: {error}"
            ) from error


def endpoint_model(project: Project) -> EndpointModel:
    """Return the environment's deployed endpoint; raises DeployError where there is none."""
    deployment = project.deployment
    if not deployment.endpoint_name:
        flag = project.env_flag
        raise DeployError(f"No endpoint is deployed: inv release{flag}, then inv apply{flag}")
    if not is_served(project.client("sagemaker"), deployment.endpoint_name):
        raise DeployError(
            f"The endpoint {deployment.endpoint_name} is not there, as after inv pause: "
            f"inv apply{project.env_flag} creates it again."
        )
    return EndpointModel(
        deployment.endpoint_name,
        deployment.active_release,
        deployment.labels,
        deployment.threshold,
        project.client("sagemaker-runtime"),
        deployment.target,
    )


def load_model(project: Project, location: str | None = None) -> LoadedModel:
    """Return the model of a location, else the active release's, else the newest there is.

    `location` is a model folder, a `model.tar.gz` or its S3 location. Without a release it is
    the newest candidate that was not rejected, and where there is none, or no AWS, the model
    that `inv train --backend local` left. Raises MalformedArtifact for what is no model, and
    DeployError where there is none.
    """
    if location:
        return _given(project, location)
    release = project.active_release
    if release is not None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            unpack_artifact(_released(project, release), folder)
            return _loaded(project, f"release {release.id}", folder, release.threshold)
    found, reason = _newest_candidate(project)
    if found is not None:
        return found
    local = _local_folder(project)
    if not (local / CARD).is_file():
        raise DeployError(
            f"There is no model in {project.environment} ({reason}), nor in {local}; train one: "
            "inv train --backend local"
        )
    return _loaded(project, f"the local model in {local} ({reason})", local)


def _released(project: Project, release: Release) -> Path:
    """Return a release's artifact in the cache, which needs no AWS where it is there already."""
    folder = project.cache / "artifacts"
    found = cached(release, folder)
    return found if found is not None else fetch(project.client("s3"), release, folder)


def _given(project: Project, location: str) -> LoadedModel:
    if location.startswith("s3://"):
        with unpacked(project, location) as folder:
            return _loaded(project, location, folder)
    path = Path(location).expanduser()
    if path.is_dir():
        return _loaded(project, f"the model in {path}", path)
    if not path.is_file():
        raise SettingsError(
            f"--model {location} is not a model folder, nor a model.tar.gz, nor an s3:// location."
        )
    with tempfile.TemporaryDirectory() as name:
        unpack_artifact(path, Path(name))
        return _loaded(project, f"the model in {path}", Path(name))


def _newest_candidate(project: Project) -> tuple[LoadedModel | None, str]:
    """Return the newest candidate's model, or None and why there is none, as a clause."""
    try:
        for found in candidates.registry(project).all():
            if found.status == REJECTED or found.training.algorithm == BUILTIN:
                continue
            name = f"candidate {found.version} ({found.status}; nothing was released yet)"
            with unpacked(project, found.training.model_data_url) as folder:
                return _loaded(project, name, folder), ""
        return None, "nothing was released or registered yet"
    except (DeployError, LocalAwsError, ReleaseError) as error:
        return None, f"nothing was released yet, and candidates cannot be read: {error}".rstrip(".")


def _local_folder(project: Project) -> Path:
    return project.build / project.environment / "training" / "model"


def _loaded(
    project: Project, name: str, folder: Path, threshold: float | None = None
) -> LoadedModel:
    """Return a model folder's model; the threshold is the release's, the setting's or its own."""
    predictor = Predictor.load(folder, len(os.sched_getaffinity(0)))
    chosen = threshold if threshold is not None else project.settings.workflow.threshold
    return LoadedModel(name, predictor, predictor.card.threshold if chosen is None else chosen)
