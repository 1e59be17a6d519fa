"""The tasks around the model: training, evaluation, the release."""

import hashlib
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from scones_core.errors import DeployError, MalformedArtifact
from scones_core.manifest import Manifest
from scones_core.settings import TrainingSettings
from scones_core.uris import S3Uri
from scones_deploy.artifact import artifact_release
from scones_deploy.release import Releases, activate, add_release
from scones_toolkit import datasets
from scones_toolkit.project import Project
from scones_train.artifact import unpack_artifact
from scones_train.decode import decode
from scones_train.evaluate import evaluate_artifact
from scones_train.hyperparameters import Hyperparameters
from scones_train.launch import TrainingRequest, TrainingResult, launch

# Of all that a job reports, what a person looks at first.
SHOWN = (
    "test_accuracy",
    "test_coverage_at_threshold",
    "test_precision_at_threshold",
    "threshold",
)


def train(
    project: Project, *, epochs: int | None = None, seed: int | None = None
) -> TrainingResult:
    """Run a training job on the staged dataset, print its figures, and return its result."""
    settings = project.settings.override("training", epochs=epochs, seed=seed).training
    request = _request(project, settings)
    with project.console.progress("training") as advance:

        def follow(done: int, total: int, line: str) -> None:
            # The final network is not the last to end: those of the calibration train beside it.
            left = re.search(r"\bseconds_left=(\d+)", line)
            if left:
                advance(done, total, left=float(left[1]))

        result = launch(
            project.client("sagemaker"), project.client("logs"), request, progress=follow
        )
    project.records.write(
        "training",
        {
            "job_name": result.job_name,
            "model_data_url": result.model_data_url,
            "metrics": dict(result.metrics),
        },
    )
    figures = {name: value for name, value in result.metrics.items() if name in SHOWN}
    shown = ", ".join(f"{name} {value:.4g}" for name, value in sorted(figures.items()))
    project.console.say(f"  {result.job_name} took {result.seconds:.0f} s: {shown}")
    project.console.say(f"  {result.model_data_url}")
    return result


def _request(project: Project, settings: TrainingSettings) -> TrainingRequest:
    """Return the training job for the dataset that was staged last."""
    manifest, deployment = datasets.current(project), project.deployment
    return TrainingRequest(
        name_prefix=f"scones-{project.environment}",
        image_uri=model_image(project),
        role_arn=deployment.training_role_arn,
        data_bucket=deployment.data_bucket,
        artifacts_bucket=deployment.artifacts_bucket,
        kms_key_arn=deployment.kms_key_arn,
        hyperparameters=Hyperparameters(
            classes=manifest.classes,
            dataset_version=manifest.version,
            manifest_sha256=hashlib.sha256(manifest.dumps().encode()).hexdigest(),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
            target_precision=settings.target_precision,
        ),
        instance_type=settings.instance_type,
        max_runtime_seconds=settings.max_runtime_seconds,
        tags={
            "Project": "scones",
            "Environment": project.environment,
            # The tag that the budget counts by; Terraform gives it to everything else.
            "Stack": f"scones-{project.environment}",
        },
    )


def model_image(project: Project) -> str:
    """Return the URI of the model image: by digest, so that a later push changes nothing.

    The embedded AWS has no images, only the programs that stand for them; there the tag does.
    Raises DeployError when the image was not pushed.
    """
    url, tag = project.deployment.model_repository_url, project.settings.training.image_tag
    if project.environment == "local":
        return f"{url}:{tag}"
    try:
        found = project.client("ecr").describe_images(
            repositoryName=url.partition("/")[2], imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        raise DeployError(
            f"The model image {url}:{tag} is not there ({error}); build container/Dockerfile "
            "and push it, see the README."
        ) from error
    return f"{url}@{found['imageDetails'][0]['imageDigest']}"


def evaluate(project: Project, *, artifact: str | None = None) -> dict[str, Any]:
    """Score an artifact on the staged test images, print the figures, and return them."""
    location = S3Uri.parse(artifact or project.records.read("training")["model_data_url"])
    manifest = datasets.current(project)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _download(project, location, folder / "model.tar.gz")
        card = unpack_artifact(folder / "model.tar.gz", folder / "model")
        images, labels = _test_images(project, manifest, card.labels, card.size)
        figures = evaluate_artifact(folder / "model", images, labels)
    rows = {name: f"{v:.4g}" if isinstance(v, float) else v for name, v in figures.items()}
    project.console.table(f"{location} on {len(labels)} test images", rows)
    return dict(figures)


def release(
    project: Project, *, artifact: str | None = None, activate_id: str | None = None
) -> Releases:
    """Write a model into the release file and activate it, or activate an older release."""
    path = project.release_file
    if activate_id is not None:
        releases = activate(path, activate_id)
    else:
        made = artifact_release(
            project.client("s3"),
            artifact or project.records.read("training")["model_data_url"],
            image=model_image(project),
            endpoint=project.settings.endpoint,
            now=datetime.now(UTC),
            threshold=project.settings.workflow.threshold,
        )
        releases = add_release(path, made)
    active = releases.releases[releases.active or ""]
    project.console.say(
        f"  release {active.id} is active in {path.relative_to(project.root)}: "
        f"threshold {active.threshold:.4f}, {', '.join(active.labels)}"
    )
    return releases


def _download(project: Project, location: S3Uri, target: Path) -> None:
    try:
        project.client("s3").download_file(location.bucket, location.key, str(target))
    except ClientError as error:
        raise MalformedArtifact(
            f"There is no model artifact at {location} ({error}); run `inv train` first."
        ) from error


def _test_images(
    project: Project, manifest: Manifest, labels: tuple[str, ...], size: tuple[int, int]
) -> tuple[Any, Any]:
    """Return the test images, uint8 (N, H, W, 3), and their model indices, int64 (N,)."""
    s3, bucket = project.client("s3"), project.deployment.data_bucket
    rows = manifest.split("test")
    images = []
    with project.console.progress("downloading") as advance:
        for row in rows:
            body = s3.get_object(Bucket=bucket, Key=row.key)["Body"].read()
            images.append(decode(body, size))
            advance(len(images), len(rows))
    return np.stack(images), np.array([labels.index(row.label) for row in rows], dtype=np.int64)
