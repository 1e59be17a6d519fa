"""Training jobs as this environment asks for them, for either algorithm."""

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from PIL import Image

from scones_core.errors import DeployError
from scones_core.files import sha256_of
from scones_core.manifest import Manifest
from scones_core.settings import BuiltinSettings, TrainingSettings
from scones_core.uris import SPLITS, S3Uri, dataset_prefix
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_train.model.weights import read_file
from scones_train.sagemaker.builtin_algorithm import (
    BuiltinHyperparameters,
    channels,
    require_counts,
    require_gpu_instance,
)
from scones_train.sagemaker.training_job_request import Compute, TrainingRequest
from scones_train.training.hyperparameters import Hyperparameters


def own_request(project: Project, settings: TrainingSettings, resume: str = "") -> TrainingRequest:
    """Return a job of this project's own recipe on the dataset that was staged last."""
    manifest = etl.current(project)
    prefix = dataset_prefix(manifest.version)
    hyperparameters = recipe(manifest, settings)
    return TrainingRequest(
        **environment_fields(project),
        image_uri=training_image(project),
        hyperparameters=hyperparameters.strings(),
        channels={
            **{split: (f"{prefix}/{split}/", "") for split in SPLITS},
            **_weights(project, settings),
        },
        compute=compute(settings, settings.instance_type),
        resume=resume,
    )


def _weights(project: Project, settings: TrainingSettings) -> dict[str, tuple[str, str]]:
    deployment = project.deployment
    bucket, key_arn = deployment.data_bucket, deployment.kms_key_arn
    return stage_weights(settings, project.client("s3"), bucket, key_arn, project.console.say)


def builtin_request(
    project: Project, settings: TrainingSettings, builtin: BuiltinSettings
) -> TrainingRequest:
    """Return a job of the built-in algorithm on the dataset that was staged last.

    Raises TrainingError for an instance without a GPU, and for hyperparameters that the
    algorithm or the dataset rules out.
    """
    manifest = etl.current(project)
    require_gpu_instance(builtin.instance_type)
    hyperparameters = BuiltinHyperparameters(
        num_classes=len(manifest.classes),
        num_training_samples=len(manifest.split("train")),
        image_shape=(3, *_image_size(project, manifest)),
        num_layers=builtin.num_layers,
        epochs=builtin.epochs,
        mini_batch_size=builtin.mini_batch_size,
        learning_rate=builtin.learning_rate,
        optimizer=builtin.optimizer,
        augmentation_type=builtin.augmentation_type or None,
        use_pretrained_model=int(builtin.use_pretrained_model),
    )
    require_counts(hyperparameters, manifest.counts()["train"])
    records = bool(manifest.settings.get("recordio"))
    return TrainingRequest(
        **environment_fields(project),
        image_uri=project.deployment.builtin_algorithm_image,
        hyperparameters=hyperparameters.strings(),
        channels=channels(dataset_prefix(manifest.version), records=records),
        compute=compute(settings, builtin.instance_type),
        own_program=False,
    )


def recipe(manifest: Manifest, settings: TrainingSettings) -> Hyperparameters:
    """Return the recipe's settings for a dataset; raises TrainingError."""
    given: dict[str, Any] = {
        "epochs": settings.epochs,
        "folds": settings.folds,
        "batch_size": settings.batch_size,
    }
    return Hyperparameters(
        classes=manifest.classes,
        recipe=settings.recipe,
        max_steps=settings.max_steps,
        dataset_version=manifest.version,
        manifest_sha256=data_hash(manifest),
        seed=settings.seed,
        target_precision=settings.target_precision,
        horizontal_flip=int(settings.horizontal_flip),
        device=settings.device,
        **{name: value for name, value in given.items() if value is not None},
        **weights_hyperparameters(settings),
    )


def data_hash(manifest: Manifest) -> str:
    """Return the SHA-256 of a manifest, which has those of all its images."""
    return hashlib.sha256(manifest.dumps().encode()).hexdigest()


def serving_image(project: Project) -> str:
    """Return the URI of the image that serves this project's models; raises DeployError."""
    return _image(project, project.settings.training.image_tag)


def training_image(project: Project) -> str:
    """Return the URI of the image that trains, which has PyTorch too; raises DeployError."""
    return _image(project, f"{project.settings.training.image_tag}-training")


def _image(project: Project, tag: str) -> str:
    """Return the URI of a model image: by digest, so that a later push changes nothing.

    The embedded AWS has no images, only the programs that stand for them; there the tag does.
    Raises DeployError when the image was not pushed.
    """
    url = project.deployment.model_repository_url
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


def environment_fields(project: Project) -> dict[str, Any]:
    """Return what all jobs of an environment have in common."""
    deployment = project.deployment
    return {
        "name_prefix": f"scones-{project.environment}",
        "role_arn": deployment.training_role_arn,
        "data_bucket": deployment.data_bucket,
        "artifacts_bucket": deployment.artifacts_bucket,
        "kms_key_arn": deployment.kms_key_arn,
        "tags": {
            "Project": "scones",
            "Environment": project.environment,
            # The tag that the budget counts by; Terraform gives it to everything else.
            "Stack": f"scones-{project.environment}",
        },
    }


def compute(settings: TrainingSettings, instance_type: str) -> Compute:
    """Return what a job runs on, by the settings of [training]."""
    return Compute(
        instance_type=instance_type,
        max_runtime_seconds=settings.max_runtime_seconds,
        volume_gb=settings.volume_gb,
        spot=settings.spot,
        max_wait_seconds=settings.max_wait_seconds,
        subnets=settings.subnets,
        security_groups=settings.security_groups,
    )


def _image_size(project: Project, manifest: Manifest) -> tuple[int, int]:
    """Return height and width of the staged images, which all have one size."""
    key = manifest.split("train")[0].key
    found = project.client("s3").get_object(Bucket=project.deployment.data_bucket, Key=key)
    with Image.open(io.BytesIO(found["Body"].read()), formats=("PNG",)) as image:
        return image.height, image.width


WEIGHTS_CHANNEL = "weights"
# Below the datasets, which are all of the data bucket that a training job's role may read.
WEIGHTS_PREFIX = "dataset/weights"
NAME_DIGITS = 16


def weights_hyperparameters(settings: TrainingSettings) -> dict[str, Any]:
    """Return the hyperparameters of a training that begins with weights; none without a file.

    Raises TrainingError for a file that is not there, or is not the weights of a known network.
    """
    if not settings.weights:
        return {}
    path = Path(settings.weights).expanduser()
    return {"weights_sha256": read_file(path).origin["sha256"]}


def stage_weights(
    settings: TrainingSettings, s3: Any, bucket: str, kms_key_arn: str, say: Callable[[str], None]
) -> dict[str, tuple[str, str]]:
    """Return the channel of the weights, once they are in the bucket; none without a file.

    `s3` is a boto3 client. A file that is there already is not uploaded again.
    """
    if not settings.weights:
        return {}
    path = Path(settings.weights).expanduser()
    prefix = f"{WEIGHTS_PREFIX}/{sha256_of(path)[:NAME_DIGITS]}"
    key = f"{prefix}/{path.name}"
    # Its place has its hash: what is there is this file. A channel must have no second one.
    if not s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("KeyCount"):
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn}
        s3.upload_file(str(path), bucket, key, ExtraArgs=encrypted)
        say(f"  {S3Uri(bucket, key)} uploaded.")
    return {WEIGHTS_CHANNEL: (f"{prefix}/", "")}


def place_weights(settings: TrainingSettings, base: Path) -> None:
    """Put the weights into their channel below `base`, and take others away."""
    folder = base / "input" / "data" / WEIGHTS_CHANNEL
    shutil.rmtree(folder, ignore_errors=True)
    if settings.weights:
        path = Path(settings.weights).expanduser()
        folder.mkdir(parents=True)
        shutil.copyfile(path, folder / path.name)
