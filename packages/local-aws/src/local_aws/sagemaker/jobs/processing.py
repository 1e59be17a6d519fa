"""One processing job: download, run the container's program, upload what it left.

The container contract, with `/opt/ml` moved to a folder of the job:
https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.child_processes import Children
from local_aws.core.patching import patch
from local_aws.core.s3_uri import S3Uri
from local_aws.core.stores import durable_transition
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import services
from local_aws.sagemaker.container_processes import Container, LineSink, moved, program_argv
from local_aws.sagemaker.image_programs import commands_for
from local_aws.sagemaker.jobs.channels import Channel, download
from local_aws.sagemaker.jobs.checkpoints import Checkpoints
from local_aws.sagemaker.jobs.job_lists import PROCESSING, job_of, list_patches, require_new
from local_aws.sagemaker.jobs.runner import (
    JobResult,
    JobRun,
    Outcome,
    RunningJobs,
    Supervision,
    algorithm_error,
    failed,
)
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import processing_job_changed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
_MAX_MESSAGE_BYTES = 1024


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
    instance_type: str = "ml.m5.large"
    description: Mapping[str, Any] = field(default_factory=dict)


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


class MessageFailed(LocalAwsError):
    """What the program left as its message cannot be read; the message is the FailureReason."""


class ProcessingRun(JobRun):
    """A job from its start to its end; `run` once, on a thread of the caller's."""

    def __init__(
        self,
        spec: ProcessingSpec,
        *,
        images_path: Path,
        folder: Path,
        children: Children,
        s3: "S3Client",
        on_line: LineSink,
    ) -> None:
        super().__init__(folder, Supervision(spec.max_runtime_seconds))
        self.spec, self._images_path, self._base = spec, images_path, folder / "ml"
        self._children, self._s3, self._on_line = children, s3, on_line

    def execute(self) -> JobResult:
        """Download the inputs, run the program, upload the outputs of one that succeeded."""
        argv, environment = self._program()
        self._prepare()
        for entry in self.spec.inputs:
            if self.supervision.stop.is_set():
                return JobResult(Outcome.STOPPED_EARLY)
            download(self._s3, entry.source, self._base / entry.path)
        with self._continuous_outputs():
            outcome = self._execute(argv, environment)
        if outcome is not Outcome.BY_ITSELF:
            return JobResult(outcome, message=self._message())
        message = self._message()
        for output in self.spec.outputs:
            if not output.continuous:
                self._upload(output)
        return JobResult(message=message)

    def _program(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return what is executed, and the environment that the image and the request give."""
        spec, commands = self.spec, commands_for(self.spec.image, self._images_path)
        given = {**commands.environment, **spec.environment}
        argv = program_argv(commands, spec.entrypoint, spec.arguments, self._base)
        return argv, {name: moved(value, self._base) for name, value in given.items()}

    def _prepare(self) -> None:
        """Make the folders, and write what describes the job to the program."""
        config = self._base / "config"
        paths = [entry.path for entry in self.spec.inputs]
        paths += [output.path for output in self.spec.outputs]
        for path in ("config", "output", *paths):
            (self._base / path).mkdir(parents=True, exist_ok=True)
        _write(config / "processingjobconfig.json", _moved_all(self.spec.description, self._base))
        host = {"current_host": "algo-1", "hosts": ["algo-1"]}
        _write(config / "resourceconfig.json", host)

    @contextlib.contextmanager
    def _continuous_outputs(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for output in self.spec.outputs:
                if output.continuous:
                    stack.enter_context(self._copied(output))
            yield

    @contextlib.contextmanager
    def _copied(self, output: ProcessingOutput) -> Iterator[None]:
        copies = self._copier(output)
        copies.follow()
        try:
            yield
        finally:
            copies.finish()

    def _upload(self, output: ProcessingOutput) -> None:
        self._copier(output).finish()

    def _copier(self, output: ProcessingOutput) -> Checkpoints:
        return Checkpoints(
            self._s3,
            output.target,
            self._base / output.path,
            kms_key_id=self.spec.kms_key_id,
            failure="Failed to upload output",
        )

    def _execute(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> Outcome:
        container = Container(
            self._children,
            argv,
            folder=self.folder,
            environment={
                **environment,
                "SAGEMAKER_BASE_DIR": str(self._base),
                "HOME": str(self.folder),
            },
            on_line=self._on_line,
            owner=f"processing-job/{self.spec.name}",
        )
        outcome, code = self.watch(container)
        if code != 0 and outcome is Outcome.BY_ITSELF:
            raise algorithm_error(container.last_line, code)
        return outcome

    def failure(self, reason: str) -> JobResult:
        """Return the result of a failed job, with the message that its program left."""
        return failed(reason, message=self._said())

    def _said(self) -> str:
        """Return the message of a job that failed by something else."""
        with contextlib.suppress(MessageFailed):
            return self._message()
        return ""

    def _message(self) -> str:
        """Return the first kilobyte of what the program left as its message."""
        try:
            with (self._base / "output" / "message").open("rb") as file:
                raw = file.read(_MAX_MESSAGE_BYTES)
        except OSError:
            return ""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if len(raw) == _MAX_MESSAGE_BYTES and error.start > _MAX_MESSAGE_BYTES - 4:
                return raw[: error.start].decode("utf-8")  # a character cut by the limit
            raise MessageFailed("ClientError: /opt/ml/output/message is not UTF-8.") from error


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, default=str), encoding="utf-8")


def _moved_all(value: Any, base: Path) -> Any:
    """Return a JSON value whose texts name the job's folder in the place of `/opt/ml`."""
    if isinstance(value, Mapping):
        return {name: _moved_all(inner, base) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_moved_all(inner, base) for inner in value]
    return moved(value, base) if isinstance(value, str) else value


LOG_GROUP = "/aws/sagemaker/ProcessingJobs"

# A FakeProcessingJob, with the attributes that moto's lacks.
ProcessingRecord = Any

# The request's fields, and the record's names for them.
FIELDS = {
    "AppSpecification": "app_specification",
    "ExperimentConfig": "experiment_config",
    "NetworkConfig": "network_config",
    "ProcessingInputs": "processing_inputs",
    "ProcessingJobName": "processing_job_name",
    "ProcessingOutputConfig": "processing_output_config",
    "RoleArn": "role_arn",
    "StoppingCondition": "stopping_condition",
    "Tags": "tags",
}

_KEPT = {"ProcessingResources": "processing_resources", "Environment": "environment"}


class ProcessingJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self) -> None:
        self._running: RunningJobs[ProcessingRun] = RunningJobs(PROCESSING, end_job)

    def create(
        self, backend: SageMakerModelBackend, request: Mapping[str, Any]
    ) -> ProcessingRecord:
        """Return the record of a job that runs from now on.

        Raises AWSValidationException where the request cannot be a job.
        """
        name = request["ProcessingJobName"]
        require_new(backend.processing_jobs, name)
        try:
            require_resource_name("processingJobName", name)
            check_request(request)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        given: dict[str, Any] = {attribute: request.get(key) for key, attribute in FIELDS.items()}
        job: ProcessingRecord = backend.create_processing_job(**given)
        for key, attribute in _KEPT.items():
            setattr(job, attribute, request.get(key))
        try:
            self._start(job)
        except BaseException:
            backend.processing_jobs.pop(name, None)
            raise
        return job

    def stop(self, job: ProcessingRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        self._running.stop(job)

    def _start(self, job: ProcessingRecord) -> None:
        aws, spec, name = services(), _spec(job), job.processing_job_name
        stream = f"{name}/algo-1-{int(time.time())}"
        run = ProcessingRun(
            spec,
            images_path=aws.context.images_path,
            folder=aws.context.folder("processing", name),
            children=aws.context.children,
            s3=aws.s3(spec.environment),
            on_line=aws.log_stream(LOG_GROUP, stream, spec.environment),
        )
        processing_job_changed(job)
        job.processing_start_time = utcnow()
        self._running.start(job, run)


list_patches(PROCESSING)


def _spec(job: ProcessingRecord) -> ProcessingSpec:
    aws = services()
    app, cluster = job.app_specification, job.processing_resources["ClusterConfig"]
    credentials = aws.role_environment(job.role_arn, job.arn)
    aws.require_image(credentials, app["ImageUri"])
    request = described(job)
    condition = job.stopping_condition or {}
    return ProcessingSpec(
        name=job.processing_job_name,
        image=app["ImageUri"],
        entrypoint=tuple(app.get("ContainerEntrypoint") or ()),
        arguments=tuple(app.get("ContainerArguments") or ()),
        environment={**credentials, **(job.environment or {})},
        inputs=inputs_of(request),
        outputs=outputs_of(request),
        kms_key_id=(job.processing_output_config or {}).get("KmsKeyId") or None,
        max_runtime_seconds=condition.get("MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS),
        instance_type=cluster.get("InstanceType", ""),
        description=request,
    )


def end_job(job: ProcessingRecord, result: JobResult) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    job.processing_end_time = job.last_modified_time = utcnow()
    job.exit_message, job.failure_reason = result.message or None, result.reason or None
    with durable_transition():
        job.processing_job_status = result.status
        processing_job_changed(job)


def described(job: ProcessingRecord) -> dict[str, Any]:
    """Return the content of the job's `processingjobconfig.json`."""
    fields = {**FIELDS, **_KEPT}
    content = {key: getattr(job, field) for key, field in fields.items() if key != "Tags"}
    return {"ProcessingJobArn": job.arn, **content}


@patch(
    "moto.sagemaker.models.FakeProcessingJob.__init__",
    why="a job is Completed at once, with nothing done",
)
def init_fake_processing_job(
    original: Any, self: ProcessingRecord, *args: Any, **kwargs: Any
) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.processing_job_status = "InProgress"
    # Every attribute that is set later is there now: the record is read while it changes.
    self.processing_start_time = self.processing_end_time = None
    self.processing_resources = self.environment = None
    self.exit_message = self.failure_reason = None


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_processing_job",
    why="nothing runs; fields are dropped",
)
def create_processing_job(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateProcessingJob."""
    del original
    request = {key: self._get_param(key) for key in {**FIELDS, **_KEPT}}
    return ActionResult(PROCESSING_JOBS.create(self.sagemaker_backend, request).response_create)


@patch(
    "moto.sagemaker.responses.SageMakerResponse.stop_processing_job",
    why="calls a job Stopped that was Completed",
)
def stop_processing_job(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer StopProcessingJob."""
    del original
    records = self.sagemaker_backend.processing_jobs
    PROCESSING_JOBS.stop(job_of(records, self._get_param("ProcessingJobName")))
    return EmptyResult()


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.describe_processing_job",
    why="a message that differs from AWS's",
)
def describe_processing_job(
    original: Any, self: SageMakerModelBackend, processing_job_name: str
) -> dict[str, Any]:
    """Do what moto's SageMakerModelBackend.describe_processing_job should."""
    job_of(self.processing_jobs, processing_job_name)
    found: dict[str, Any] = original(self, processing_job_name)
    return found


PROCESSING_JOBS = ProcessingJobs()
