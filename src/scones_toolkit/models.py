"""The task that trains a model."""

import hashlib
import re

from botocore.exceptions import ClientError

from scones_core.errors import DeployError
from scones_core.settings import TrainingSettings
from scones_toolkit import candidates, datasets
from scones_toolkit.project import Project
from scones_train.hyperparameters import Hyperparameters
from scones_train.launch import TrainingRequest, launch
from scones_train.registry import Candidate

# Of all that a job reports, what a person looks at first.
SHOWN = (
    "test_accuracy",
    "test_coverage_at_threshold",
    "test_precision_at_threshold",
    "threshold",
)


def train(project: Project, *, epochs: int | None = None, seed: int | None = None) -> Candidate:
    """Run a training job on the staged dataset, print its figures, and return the candidate."""
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
    recipe = request.hyperparameters
    return candidates.register(
        project, result, request.image_uri, recipe.dataset_version, recipe.manifest_sha256
    )


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
