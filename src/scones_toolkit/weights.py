"""The weights file that a training begins with: from this machine to where the training runs."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from scones_core.settings import TrainingSettings
from scones_core.uris import S3Uri
from scones_toolkit.project import Project
from scones_train.pretrained import require_file

CHANNEL = "weights"
# Below the datasets, which are all of the data bucket that a training job's role may read.
PREFIX = "dataset/weights"
NAME_DIGITS = 16


def told(settings: TrainingSettings) -> dict[str, Any]:
    """Return the hyperparameters of a training that begins with weights; none without a file.

    Raises TrainingError for a file that is not there, or none by its name or size.
    """
    if not settings.weights:
        return {}
    path = Path(settings.weights).expanduser()
    require_file(path)
    return {"backbone": settings.backbone, "weights_sha256": _digest(path)}


def staged(project: Project, settings: TrainingSettings) -> dict[str, tuple[str, str]]:
    """Return the channel of the weights, once they are in the data bucket; none without a file."""
    if not settings.weights:
        return {}
    path = Path(settings.weights).expanduser()
    prefix = f"{PREFIX}/{_digest(path)[:NAME_DIGITS]}"
    bucket, s3 = project.deployment.data_bucket, project.client("s3")
    key = f"{prefix}/{path.name}"
    # Its name has its hash: what is there is this file, or the remains of nothing.
    if not s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("KeyCount"):
        project.console.say(f"  {S3Uri(bucket, key)} uploaded.")
        key_arn = project.deployment.kms_key_arn
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
        s3.upload_file(str(path), bucket, key, ExtraArgs=encrypted)
    return {CHANNEL: (f"{prefix}/", "")}


def placed(settings: TrainingSettings, base: Path) -> None:
    """Put the weights into their channel below `base`, and take others away."""
    folder = base / "input" / "data" / CHANNEL
    shutil.rmtree(folder, ignore_errors=True)
    if settings.weights:
        path = Path(settings.weights).expanduser()
        folder.mkdir(parents=True)
        shutil.copyfile(path, folder / path.name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
