"""What a processing job is asked for.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.channels import Channel

Status = Literal["Completed", "Failed", "Stopped"]
MAX_RUNTIME_SECONDS = 86_400
_HERE = "which the embedded AWS does not do"


class UnsupportedProcessing(LocalAwsError):
    """A processing job cannot be run here; the message says which part of it."""


@dataclass(frozen=True, slots=True)
class ProcessingInput:
    """Objects of S3, and the folder that they go to, relative to `/opt/ml`."""

    source: Channel
    path: str


@dataclass(frozen=True, slots=True)
class ProcessingOutput:
    """A folder, relative to `/opt/ml`, and where its files go in S3.

    With `continuous` they go there while the program runs, otherwise when it has succeeded.
    """

    name: str
    target: S3Uri
    path: str
    continuous: bool


@dataclass(frozen=True, slots=True)
class ProcessingSpec:
    """One job. `environment` is the whole environment of the program but the folder.

    `description` is the content of `processingjobconfig.json`.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    inputs: tuple[ProcessingInput, ...] = ()
    outputs: tuple[ProcessingOutput, ...] = ()
    kms_key_id: str | None = None
    max_runtime_seconds: float = MAX_RUNTIME_SECONDS
    max_wait_seconds: float | None = None
    instance_type: str = "ml.m5.large"
    description: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessingEnd:
    """How a job ended; `message` is what the program left in `/opt/ml/output/message`."""

    status: Status
    reason: str = ""
    message: str = ""


def check_request(request: Mapping[str, Any]) -> None:
    """Raise UnsupportedProcessing for what is not done here, whatever its values."""
    cluster = (request.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    if int(cluster.get("InstanceCount") or 1) > 1:
        raise UnsupportedProcessing(
            "The embedded AWS processes on one instance: ClusterConfig's InstanceCount must be 1."
        )
    inputs_of(request)
    outputs_of(request)


def inputs_of(request: Mapping[str, Any]) -> tuple[ProcessingInput, ...]:
    """Return a request's inputs; raises UnsupportedProcessing, InvalidName and KeyError."""
    given = request.get("ProcessingInputs") or ()
    return tuple(_input(entry) for entry in given if not entry.get("AppManaged"))


def outputs_of(request: Mapping[str, Any]) -> tuple[ProcessingOutput, ...]:
    """Return a request's outputs; raises UnsupportedProcessing, UriError and KeyError."""
    given = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    return tuple(_output(entry) for entry in given if not entry.get("AppManaged"))


def relative(path: str) -> str:
    """Return a LocalPath relative to `/opt/ml`; raises UnsupportedProcessing for any other."""
    found = PurePosixPath(path)
    if not found.is_relative_to("/opt/ml/processing") or ".." in found.parts:
        raise UnsupportedProcessing(f"LocalPath must be below /opt/ml/processing, not {path}.")
    return str(found.relative_to("/opt/ml"))


def _input(entry: Mapping[str, Any]) -> ProcessingInput:
    name, source = entry["InputName"], entry.get("S3Input")
    if not source:
        raise UnsupportedProcessing(f"The input {name} is read from no S3Input, {_HERE}.")
    if source.get("S3InputMode", "File") != "File":
        raise UnsupportedProcessing(f"The input {name} is a pipe, {_HERE}; use the mode File.")
    channel = Channel(name, source["S3Uri"], source.get("S3DataType") or "S3Prefix")
    return ProcessingInput(channel, relative(source["LocalPath"]))


def _output(entry: Mapping[str, Any]) -> ProcessingOutput:
    name, target = entry["OutputName"], entry.get("S3Output")
    if not target:
        raise UnsupportedProcessing(f"The output {name} goes to no S3Output, {_HERE}.")
    return ProcessingOutput(
        name=name,
        target=S3Uri.parse(target["S3Uri"]),
        path=relative(target["LocalPath"]),
        continuous=target.get("S3UploadMode") == "Continuous",
    )
