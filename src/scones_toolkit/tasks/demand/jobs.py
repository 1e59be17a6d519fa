"""The demand training as a SageMaker job: hours uploaded, the job followed, its model fetched."""

import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scones_core.archives import ArchiveLimits, read_files
from scones_core.errors import ArchiveError, MalformedArtifact, TrainingError
from scones_core.files import sha256_of, write_atomically
from scones_core.uris import S3Uri
from scones_core.workload import VARIABLE
from scones_demand.fit import DemandSettings
from scones_demand.model import CARD, MAX_CARD_BYTES, MAX_TREE_BYTES, TREES, DemandModel
from scones_demand.output import HELD_OUT, MAX_HELD_OUT_BYTES
from scones_demand.train import CHANNEL, FILE, METRICS
from scones_toolkit.project import Project
from scones_toolkit.tasks.training.requests import compute, environment_fields, training_image
from scones_train.sagemaker.job import TrainingRequest
from scones_train.sagemaker.launch import launch
from scones_train.sagemaker.preflight import require_quota, require_role

# Below the datasets, which are all of the data bucket that a training job's role may read.
PREFIX = "dataset/demand"
NAME_DIGITS = 16
MAX_BYTES = {CARD: MAX_CARD_BYTES, TREES: MAX_TREE_BYTES, HELD_OUT: MAX_HELD_OUT_BYTES}
LIMITS = ArchiveLimits(1000, max(MAX_BYTES.values()), 2 * sum(MAX_BYTES.values()))


def train_by_job(
    project: Project, hours: Path, chosen: DemandSettings, target: Path
) -> DemandModel:
    """Train by a SageMaker job on a CSV file of hours; leave its model in `target`, and return it.

    Raises TrainingError before an instance starts where role or quota do not allow the job, and
    TrainingJobFailed with the job's own reason.
    """
    request = demand_request(project, sha256_of(hours), chosen)
    require_role(project.client("iam"), request.role_arn, project.console.warn)
    if project.environment != "local":
        require_quota(project.client("service-quotas"), request.compute, project.console.warn)
    _stage(project, hours, request.channels[CHANNEL][0])
    with project.console.progress("training") as advance:
        result = launch(
            project.client("sagemaker"),
            project.client("logs"),
            request,
            progress=advance,
        )
    project.console.say(f"  {result.job_name} took {result.seconds:.0f} s")
    project.console.say(f"  {result.model_data_url}")
    archive = target.parent / "model.tar.gz"
    place = S3Uri.parse(result.model_data_url)
    archive.parent.mkdir(parents=True, exist_ok=True)
    project.client("s3").download_file(place.bucket, place.key, str(archive))
    return unpack(archive, target)


def demand_request(project: Project, sha256: str, chosen: DemandSettings) -> TrainingRequest:
    """Return the job that trains on the hours of this hash; raises DeployError."""
    settings = project.settings.training
    return TrainingRequest(
        **{**environment_fields(project), "name_prefix": f"scones-{project.environment}-demand"},
        image_uri=training_image(project),
        hyperparameters=chosen.strings(),
        channels={CHANNEL: (f"{PREFIX}/{sha256[:NAME_DIGITS]}/", "text/csv")},
        compute=compute(settings, settings.instance_type),
        environment={VARIABLE: "demand"},
        recorded=METRICS,
    )


def _stage(project: Project, hours: Path, prefix: str) -> None:
    """Upload the hours; their place has their hash, so that what is there already is these."""
    s3, bucket = project.client("s3"), project.deployment.data_bucket
    encrypted = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": project.deployment.kms_key_arn,
    }
    try:
        if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
            s3.upload_file(str(hours), bucket, prefix + FILE, ExtraArgs=encrypted)
            project.console.say(f"  {S3Uri(bucket, prefix + FILE)} uploaded.")
    except ClientError as error:
        raise TrainingError(f"The hours cannot be uploaded to {bucket}: {error}") from error


def unpack(archive: Path, target: Path) -> DemandModel:
    """Unpack the known files of a `model.tar.gz` into a folder and return its model.

    Raises MalformedArtifact for an archive that has no demand model.
    """
    try:
        with archive.open("rb") as file:
            found: dict[str, Any] = read_files(file, MAX_BYTES, LIMITS)
    except (OSError, ArchiveError) as error:
        raise MalformedArtifact(f"{archive} cannot be unpacked: {error}.") from error
    if missing := set(MAX_BYTES) - set(found):
        raise MalformedArtifact(f"{archive} holds no {min(missing)}; train the model again.")
    shutil.rmtree(target, ignore_errors=True)
    for name in (TREES, HELD_OUT, CARD):
        write_atomically(target / name, found[name])
    return DemandModel.read(target)
