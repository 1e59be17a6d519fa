"""The weights file that a training begins with: from this machine to where the training runs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scones_core.files import sha256_of
from scones_core.settings import TrainingSettings
from scones_core.uris import S3Uri
from scones_train.model.weights import require_file

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
    return {"backbone": settings.backbone, "weights_sha256": sha256_of(path)}


def staged(
    settings: TrainingSettings, s3: Any, bucket: str, kms_key_arn: str, say: Callable[[str], None]
) -> dict[str, tuple[str, str]]:
    """Return the channel of the weights, once they are in the bucket; none without a file.

    `s3` is a boto3 client. A file that is there already is not uploaded again.
    """
    if not settings.weights:
        return {}
    path = Path(settings.weights).expanduser()
    prefix = f"{PREFIX}/{sha256_of(path)[:NAME_DIGITS]}"
    key = f"{prefix}/{path.name}"
    # Its place has its hash: what is there is this file. A channel must have no second one.
    if not s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("KeyCount"):
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn}
        s3.upload_file(str(path), bucket, key, ExtraArgs=encrypted)
        say(f"  {S3Uri(bucket, key)} uploaded.")
    return {CHANNEL: (f"{prefix}/", "")}


def placed(settings: TrainingSettings, base: Path) -> None:
    """Put the weights into their channel below `base`, and take others away."""
    folder = base / "input" / "data" / CHANNEL
    shutil.rmtree(folder, ignore_errors=True)
    if settings.weights:
        path = Path(settings.weights).expanduser()
        folder.mkdir(parents=True)
        shutil.copyfile(path, folder / path.name)
