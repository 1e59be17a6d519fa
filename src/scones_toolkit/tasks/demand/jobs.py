"""The demand training as a SageMaker job, and the candidates for a forecast that it makes."""

import gzip
import hashlib
import io
import math
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

import scones_core
import scones_demand
from scones_core.archives import ArchiveLimits, read_files
from scones_core.container_programs import VARIABLE
from scones_core.errors import ArchiveError, DeployError, MalformedArtifact, TrainingError
from scones_core.files import sha256_of, write_atomically
from scones_core.uris import S3Uri
from scones_demand import autogluon
from scones_demand.fit import DemandSettings
from scones_demand.forecast_files import HELD_OUT, MAX_HELD_OUT_BYTES
from scones_demand.model import (
    CARD,
    MAX_CARD_BYTES,
    MAX_TREE_BYTES,
    TREES,
    Card,
    DemandModel,
    read_card,
)
from scones_demand.train import CHANNEL, FILE, METRICS
from scones_toolkit.project import Project
from scones_toolkit.tasks.training import candidates
from scones_toolkit.tasks.training.requests import (
    compute,
    environment_fields,
    serving_image,
    training_image,
)
from scones_train.sagemaker.model_package import Contract, Training
from scones_train.sagemaker.registry import Candidate, Registry
from scones_train.sagemaker.role_and_quota_checks import require_quota, require_role
from scones_train.sagemaker.training_job import TrainingResult, launch
from scones_train.sagemaker.training_job_request import TrainingRequest

# Below the datasets, which are all of the data bucket that a training job's role may read.
PREFIX = "dataset/demand"
NAME_DIGITS = 16
# The script of a job in AWS's image, and the archive that it comes in.
PROGRAM, SOURCE = "train.py", "sourcedir.tar.gz"
# What the list of candidates shows of their figures.
LISTED_METRICS = ("rmsle", "interval_coverage")
MAX_BYTES = {CARD: MAX_CARD_BYTES, TREES: MAX_TREE_BYTES, HELD_OUT: MAX_HELD_OUT_BYTES}
# What a candidate's package says of its container, which serves CSV and Parquet.
CONTRACT = Contract(
    ("text/csv",), ("text/csv", "application/vnd.apache.parquet"), {VARIABLE: "demand"}
)
LIMITS = ArchiveLimits(1000, max(MAX_BYTES.values()), 2 * sum(MAX_BYTES.values()))


def train_by_job(
    project: Project, hours: Path, chosen: DemandSettings, target: Path, *, data_source: str
) -> DemandModel:
    """Train by a SageMaker job on a CSV file of hours; leave its model in `target`, and return it.

    The model becomes a candidate of the demand's model package group, where there is one.
    `data_source` says there what kind of hours they are. Raises TrainingError before an instance
    starts where role or quota do not allow the job, and TrainingJobFailed with the job's reason.
    """
    sha256, image = sha256_of(hours), serving_image(project)
    result = _run(project, demand_request(project, sha256, chosen), hours)
    model = unpack(_fetched(project, result, target), target)
    if project.deployment.demand_model_group:
        _register(project, result, image, sha256, data_source)
    else:
        project.console.warn(f"The model is no candidate for a forecast: {_no_group(project)}")
    return model


def train_builtin(
    project: Project, hours: Path, chosen: autogluon.AutoGluonSettings, target: Path
) -> Card:
    """Train by a job in AWS's image of AutoGluon; return the card of its model, which stays in S3.

    Raises as `train_by_job` does, and DeployError where the environment names no such image.
    """
    result = _run(project, builtin_request(project, sha256_of(hours), chosen), hours)
    names = (CARD, HELD_OUT)
    with TemporaryDirectory() as scratch:
        _unpack(_fetched(project, result, target), Path(scratch), names)
        return read_card(Path(scratch) / CARD)[0]


def _run(project: Project, request: TrainingRequest, hours: Path) -> TrainingResult:
    """Stage the hours, run the job, follow it, and return its result."""
    require_role(project.client("iam"), request.role_arn, project.console.warn)
    if project.environment != "local":
        require_quota(project.client("service-quotas"), request.compute, project.console.warn)
    _stage(project, hours, request.channels[CHANNEL][0] + FILE)
    with project.console.progress("training") as advance:
        result = launch(
            project.client("sagemaker"), project.client("logs"), request, progress=advance
        )
    project.console.say(f"  {result.job_name} took {result.seconds:.0f} s")
    project.console.say(f"  {result.model_data_url}")
    return result


def _fetched(project: Project, result: TrainingResult, target: Path) -> Path:
    """Download a job's archive next to the model folder; return its path."""
    archive = target.parent / "model.tar.gz"
    place = S3Uri.parse(result.model_data_url)
    archive.parent.mkdir(parents=True, exist_ok=True)
    project.client("s3").download_file(place.bucket, place.key, str(archive))
    return archive


def _register(
    project: Project, result: TrainingResult, image: str, sha256: str, data_source: str
) -> None:
    """Make the job's model a candidate, and print its number."""
    candidate = registry(project).add(
        Training(
            job=result.job_name,
            image=image,
            model_data_url=result.model_data_url,
            metrics={n: value for n, value in result.metrics.items() if n in METRICS},
            dataset_version=sha256[:NAME_DIGITS],
            manifest_sha256=sha256,
            commit=candidates.commit(project.root),
            data_source=data_source,
        )
    )
    project.console.say(f"  candidate {candidate.version} waits for its approval.")
    project.hint(f"demand.approve {candidate.version}")


def registry(project: Project) -> Registry:
    """Return the registry of demand models; raises DeployError where the environment has none."""
    group = project.deployment.demand_model_group
    if not group:
        raise DeployError(_no_group(project))
    task = f"inv demand.candidates{project.env_flag}"
    return Registry(project.client("sagemaker"), group, CONTRACT, task)


def _no_group(project: Project) -> str:
    return (
        f"{project.environment} has no model package group of the demand forecast; set "
        f"demand = {{}} in terraform/environments/{project.environment}/env.tfvars and apply it."
    )


def list_candidates(project: Project) -> None:
    """Print every candidate with its figures, newest first."""
    rows = [
        (
            str(found.version),
            found.status,
            f"{found.created:%Y-%m-%d %H:%M}",
            *(f"{found.training.metrics.get(n, math.nan):.4f}" for n in LISTED_METRICS),
            found.training.data_source or "-",
            found.training.dataset_version,
            found.training.commit[:12],
            found.note,
        )
        for found in registry(project).all()
    ]
    if not rows:
        where = f"--backend sagemaker{project.env_flag}"
        project.console.say(f"There is no candidate yet: inv demand.train {where}")
        return
    header = ("candidate", "state", "made", "RMSLE", "interval holds", "data source", "hours")
    project.console.grid("", (*header, "code", "note"), rows)


def approve(project: Project, version: int, *, reject: bool = False, note: str = "") -> Candidate:
    """Approve or reject a candidate, print how it is deployed, and return it."""
    found = candidates.decide(project, registry(project), version, reject=reject, note=note)
    if found.approved:
        training = found.training
        project.console.say(
            f"To forecast by it, set in terraform/environments/{project.environment}/env.tfvars:\n"
            "  demand = {\n    model = {\n"
            f'      image          = "{training.image}"\n'
            f'      model_data_url = "{training.model_data_url}"\n'
            "    }\n  }"
        )
        project.hint("plan")
    return found


def demand_request(project: Project, sha256: str, chosen: DemandSettings) -> TrainingRequest:
    """Return the job that trains on the hours of this hash; raises DeployError."""
    return _request(
        project,
        sha256,
        image_uri=training_image(project),
        hyperparameters=chosen.strings(),
        environment={VARIABLE: "demand"},
    )


def builtin_request(
    project: Project, sha256: str, chosen: autogluon.AutoGluonSettings
) -> TrainingRequest:
    """Return the job that trains by AWS's image of AutoGluon on the hours of this hash.

    The image runs a script that a channel carries, as SageMaker's SDK has it where a job has no
    network: https://github.com/aws/sagemaker-training-toolkit. The script is the program that
    trains on this host as well. Raises DeployError where the environment names no such image.
    """
    image = project.deployment.demand_builtin_image
    if not image:
        raise DeployError(_no_group(project))
    code = source_archive()
    prefix = f"{PREFIX}/code/{hashlib.sha256(code).hexdigest()[:NAME_DIGITS]}/"
    with TemporaryDirectory() as scratch:
        (Path(scratch) / SOURCE).write_bytes(code)
        _stage(project, Path(scratch) / SOURCE, prefix + SOURCE)
    request = _request(
        project,
        sha256,
        image_uri=image,
        hyperparameters={
            **chosen.strings(),
            "algorithm": autogluon.ALGORITHM,
            "sagemaker_program": PROGRAM,
            "sagemaker_submit_directory": f"/opt/ml/input/data/code/{SOURCE}",
        },
        environment={},
    )
    return replace(request, channels={**request.channels, "code": (prefix, "")})


def _request(project: Project, sha256: str, **fields: Any) -> TrainingRequest:
    settings = project.settings.training
    return TrainingRequest(
        **{**environment_fields(project), "name_prefix": f"scones-{project.environment}-demand"},
        channels={CHANNEL: (f"{PREFIX}/{sha256[:NAME_DIGITS]}/", "text/csv")},
        compute=compute(settings, settings.instance_type),
        recorded=METRICS,
        **fields,
    )


def source_archive() -> bytes:
    """Return the training program as a tar.gz, `train.py` at its top; equal code, equal bytes."""
    files = {PROGRAM: b"import sys\n\nfrom scones_demand.train import main\n\nsys.exit(main())\n"}
    for package in (scones_core, scones_demand):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            files[f"{folder.name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    packed = io.BytesIO()
    # The time in gzip's header would make each archive another one.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _stage(project: Project, path: Path, key: str) -> None:
    """Upload a file; its place has its hash, so that what is there already is this one."""
    s3, bucket = project.client("s3"), project.deployment.data_bucket
    encrypted = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": project.deployment.kms_key_arn,
    }
    try:
        if not s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"):
            s3.upload_file(str(path), bucket, key, ExtraArgs=encrypted)
            project.console.say(f"  {S3Uri(bucket, key)} uploaded.")
    except ClientError as error:
        raise TrainingError(f"{path.name} cannot be uploaded to {bucket}: {error}") from error


def unpack(archive: Path, target: Path) -> DemandModel:
    """Unpack the known files of a `model.tar.gz` into a folder and return its model.

    Raises MalformedArtifact for an archive that has no demand model.
    """
    _unpack(archive, target, (TREES, HELD_OUT, CARD))
    return DemandModel.read(target)


def _unpack(archive: Path, target: Path, names: Sequence[str]) -> None:
    """Replace a folder by some files of an archive; raises MalformedArtifact where one lacks."""
    wanted = {name: MAX_BYTES[name] for name in names}
    try:
        with archive.open("rb") as file:
            found: dict[str, Any] = read_files(file, wanted, LIMITS)
    except (OSError, ArchiveError) as error:
        raise MalformedArtifact(f"{archive} cannot be unpacked: {error}.") from error
    if missing := set(wanted) - set(found):
        raise MalformedArtifact(f"{archive} holds no {min(missing)}; train the model again.")
    shutil.rmtree(target, ignore_errors=True)
    for name in names:
        write_atomically(target / name, found[name])
