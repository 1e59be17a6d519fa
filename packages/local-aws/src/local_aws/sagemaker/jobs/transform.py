"""One batch transform: the model's own serving program, asked about each object of a prefix."""

import contextlib
import datetime
import math
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.child_processes import Children
from local_aws.core.patching import add, patch
from local_aws.core.s3_uri import S3Uri
from local_aws.core.stores import durable_transition
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import AwsServices, services
from local_aws.sagemaker.container_processes import LineSink
from local_aws.sagemaker.endpoints.fleet_builder import FleetBuilder
from local_aws.sagemaker.endpoints.fleet_plans import VariantPlan
from local_aws.sagemaker.endpoints.instances import (
    Instance,
    Reply,
    ServeSpec,
    VariantFailed,
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.invocations import refusal
from local_aws.sagemaker.jobs.channels import Channel, nothing_found, objects_of
from local_aws.sagemaker.jobs.job_lists import TRANSFORM, job_of, list_patches, require_new
from local_aws.sagemaker.jobs.runner import (
    JobResult,
    JobRun,
    Outcome,
    RunningJobs,
    Supervision,
    failed,
)
from local_aws.sagemaker.jobs.transform_records import assembled, payloads, unzipped
from local_aws.sagemaker.models import container_of
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import transform_job_changed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SEE_LOGS = "See job logs for more information"
_CHUNK = 1 << 20
# An output is put together in memory.
_MAX_ANSWER_BYTES = 1024**3


_MEGABYTE = 1024**2

_MAX_MEGABYTES = 100

_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}

_PLAIN_PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


class UnsupportedTransform(LocalAwsError):
    """A batch transform cannot be done here, or not at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are made: at most so many at once, so large, of one or several records."""

    concurrency: int = 1
    megabytes: int = 6
    strategy: str = "MultiRecord"

    @property
    def max_bytes(self) -> int:
        """Return how large a request may be; 0 megabytes stand for no limit."""
        return (self.megabytes or _MAX_MEGABYTES) * _MEGABYTE

    def advised(self, request: Mapping[str, Any], advice: Mapping[str, Any]) -> "Pace":
        """Return the pace with what the container advises where the request says nothing.

        `advice` is the answer to `GET /execution-parameters`.
        """
        found = self
        if request.get("MaxConcurrentTransforms") is None and _positive(
            advice.get("MaxConcurrentTransforms")
        ):
            found = replace(found, concurrency=int(advice["MaxConcurrentTransforms"]))
        if request.get("MaxPayloadInMB") is None and isinstance(advice.get("MaxPayloadInMB"), int):
            found = replace(found, megabytes=max(0, min(advice["MaxPayloadInMB"], 100)))
        if request.get("BatchStrategy") is None:
            advised = _STRATEGIES.get(str(advice.get("BatchStrategy")), found.strategy)
            found = replace(found, strategy=advised)
        return found


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """One job: where its inputs are, where outputs go, and how the model is asked."""

    name: str
    source: Channel
    output: S3Uri
    request: Mapping[str, Any]
    pace: Pace
    content_type: str = ""
    accept: str = ""
    gzip: bool = False
    by_line: bool = False
    joined_by_line: bool = False
    kms_key_id: str | None = None
    retries: int = 3
    timeout_seconds: float = 600.0

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> "TransformSpec":
        """Return what a request asks for; raises UnsupportedTransform, UriError and KeyError."""
        _check(request)
        given, wanted = request["TransformInput"], request["TransformOutput"]
        source = given["DataSource"]["S3DataSource"]
        client = request.get("ModelClientConfig") or {}
        return cls(
            name=request["TransformJobName"],
            source=Channel("input", source["S3Uri"], source["S3DataType"]),
            output=S3Uri.parse(wanted["S3OutputPath"]),
            request=request,
            pace=_pace(request),
            content_type=given.get("ContentType") or "",
            accept=wanted.get("Accept") or "",
            gzip=given.get("CompressionType") == "Gzip",
            by_line=given.get("SplitType") == "Line",
            joined_by_line=wanted.get("AssembleWith") == "Line",
            kms_key_id=wanted.get("KmsKeyId") or None,
            retries=int(client.get("InvocationsMaxRetries", 3)),
            timeout_seconds=float(client.get("InvocationsTimeoutInSeconds", 600)),
        )

    def target(self, key: str, name: str) -> S3Uri:
        """Return where the output of an input goes; `name` is its name in a manifest.

        That is below the output path as the input was below its own, with `.out` at the end.
        """
        prefix = S3Uri.parse(self.source.source).key
        if self.source.kind == "ManifestFile":
            pass
        elif key.startswith(f"{prefix}/"):
            name = key.removeprefix(f"{prefix}/")
        else:
            name = key[prefix.rfind("/") + 1 :]
        return self.output.join(f"{name}.out")


def _pace(request: Mapping[str, Any]) -> Pace:
    plain = Pace()
    megabytes = request.get("MaxPayloadInMB")
    return Pace(
        concurrency=int(request.get("MaxConcurrentTransforms") or plain.concurrency),
        megabytes=plain.megabytes if megabytes is None else int(megabytes),
        strategy=request.get("BatchStrategy") or plain.strategy,
    )


def _check(request: Mapping[str, Any]) -> None:
    """Raise UnsupportedTransform for what AWS refuses, and for what is not done here."""
    if int((request.get("TransformResources") or {}).get("InstanceCount") or 1) > 1:
        raise UnsupportedTransform(
            "The embedded AWS transforms on one instance: TransformResources' InstanceCount must "
            "be 1."
        )
    split = request["TransformInput"].get("SplitType", "None")
    if split not in {"None", "Line"}:
        raise UnsupportedTransform(f"The embedded AWS splits no {split}; use Line or None.")
    processing = {**_PLAIN_PROCESSING, **(request.get("DataProcessing") or {})}
    if processing != _PLAIN_PROCESSING:
        raise UnsupportedTransform(
            "The embedded AWS filters and joins no records: DataProcessing must be left out."
        )
    if request.get("DataCaptureConfig"):
        raise UnsupportedTransform("The embedded AWS captures endpoints' records only.")
    pace = _pace(request)
    if pace.concurrency * pace.megabytes > _MAX_MEGABYTES:
        raise UnsupportedTransform(
            "MaxConcurrentTransforms * MaxPayloadInMB must be less than or equal to 100."
        )


def _positive(value: Any) -> bool:
    return isinstance(value, int) and 0 < value <= 100


class RequestFailed(LocalAwsError):
    """The model did not answer a request; `theirs` where it said that the request is bad."""

    def __init__(self, *lines: str, theirs: bool) -> None:
        super().__init__("\n".join(lines))
        self.theirs = theirs


class ServerFailed(LocalAwsError):
    """The model's program does not serve; the message is the FailureReason."""


class TransformStopped(LocalAwsError):
    """The job was asked to stop."""


class TransformRun(JobRun):
    """A job from its start to its end; `run` once, on a thread of the caller's.

    `serve` prepares the model's program in a folder. `on_line` gets the program's output,
    `on_data` the lines of the data log.
    """

    def __init__(
        self,
        spec: TransformSpec,
        *,
        folder: Path,
        children: Children,
        s3: "S3Client",
        serve: Callable[[Path], ServeSpec],
        on_line: LineSink,
        on_data: LineSink,
    ) -> None:
        super().__init__(folder, Supervision(math.inf))
        self.spec, self._children, self._s3 = spec, children, s3
        self._serve, self._on_line, self._on_data = serve, on_line, on_data
        self._stop = self.supervision.stop
        self._instance: Instance | None = None
        self._failures: list[bool] = []

    def request_stop(self) -> None:
        """Have the job stop; what is not answered yet is not written. Returns at once."""
        super().request_stop()
        if self._instance is not None:
            threading.Thread(target=self._instance.stop, daemon=True).start()

    def failure(self, reason: str) -> JobResult:
        """Return the result for an error; one after the request to stop is none."""
        return JobResult(Outcome.STOPPED) if self._stop.is_set() else failed(reason)

    def clean_up(self) -> None:
        """End the model's program."""
        if self._instance is not None:
            self._instance.stop()

    def execute(self) -> JobResult:
        """Start the model, ask it about each input, and write what it answers."""
        inputs = list(objects_of(self._s3, self.spec.source))
        if not inputs:
            raise LocalAwsError(nothing_found(self.spec.source))
        instance = self._instance = Instance(
            self._serve(self.folder), self._children, self._on_line
        )
        self._await_ping(instance)
        pace = self.spec.pace.advised(self.spec.request, instance.execution_parameters())
        self._append_line(
            f"MaxConcurrentTransforms={pace.concurrency}, MaxPayloadInMB={pace.megabytes}, "
            f"BatchStrategy={'MULTI' if pace.strategy == 'MultiRecord' else 'SINGLE'}_RECORD"
        )
        # Two pools, as a file that waits for its answers must not keep them from being asked.
        with (
            ThreadPoolExecutor(pace.concurrency) as files,
            ThreadPoolExecutor(pace.concurrency) as requests,
        ):
            list(
                files.map(
                    lambda at: self._transform(at[0], at[1], pace, instance, requests), inputs
                )
            )
        if self._stop.is_set():
            return JobResult(Outcome.STOPPED)
        if self._failures:
            kind = "ClientError" if all(self._failures) else "AlgorithmError"
            return failed(f"{kind}: {_SEE_LOGS}")
        return JobResult()

    def _await_ping(self, instance: Instance) -> None:
        try:
            instance.start()
        except VariantFailed as error:
            raise ServerFailed(
                f"AlgorithmError: The model server did not pass its ping health check. {_SEE_LOGS}"
            ) from error

    def _transform(
        self, uri: S3Uri, name: str, pace: Pace, instance: Instance, requests: Executor
    ) -> None:
        """Write the output of one input; one that fails has none, and the others go on."""
        if self._stop.is_set():
            return
        try:
            bodies = payloads(
                self._chunks(uri),
                by_line=self.spec.by_line,
                several=pace.strategy == "MultiRecord",
                max_bytes=pace.max_bytes,
            )
            answers = list(requests.map(lambda body: self._asked(instance, body), bodies))
            self._store(uri, name, assembled(answers, by_line=self.spec.joined_by_line))
        except RequestFailed as error:
            self._fail(uri, str(error), theirs=error.theirs)
        except (LocalAwsError, ClientError, BotoCoreError) as error:
            self._fail(uri, str(error), theirs=True)

    def _chunks(self, uri: S3Uri) -> Iterator[bytes]:
        body = self._s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        with contextlib.closing(body):
            chunks = body.iter_chunks(_CHUNK)
            yield from unzipped(chunks) if self.spec.gzip else chunks

    def _asked(self, instance: Instance, body: bytes) -> bytes:
        """Return the model's answer, asked again where it had none; raises RequestFailed."""
        for _ in range(self.spec.retries):
            try:
                return self._once(instance, body)
            except RequestFailed as error:
                if error.theirs:
                    raise
            if self._stop.wait(0.2):
                raise TransformStopped("The job was stopped.")
        return self._once(instance, body)

    def _once(self, instance: Instance, body: bytes) -> bytes:
        headers = {"Content-Type": self.spec.content_type, "Accept": self.spec.accept}
        sent = {name: value for name, value in headers.items() if value}
        try:
            reply = instance.invoke(body, sent, self.spec.timeout_seconds, _MAX_ANSWER_BYTES)
        except (VariantUnavailable, urllib3.exceptions.HTTPError) as error:
            raise RequestFailed(
                f"Unable to get response from algorithm: {error}", theirs=False
            ) from error
        if not reply.ok:
            raise _refused(reply)
        return reply.body

    def _store(self, uri: S3Uri, name: str, body: bytes) -> None:
        target, key = self.spec.target(uri.key, name), self.spec.kms_key_id
        more: dict[str, Any] = {"ContentType": self.spec.accept} if self.spec.accept else {}
        if key:
            more.update(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=body, **more)

    def _fail(self, uri: S3Uri, message: str, *, theirs: bool) -> None:
        if self._stop.is_set():
            return
        self._failures.append(theirs)
        for line in message.split("\n"):
            self._append_line(f"{uri.bucket}/{uri.key}: {line}")

    def _append_line(self, line: str) -> None:
        """Add a line to the data log, in the form that AWS's has."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self._on_data(f"{now.removesuffix('+00:00')}:[sagemaker logs]: {line}")


def _refused(reply: Reply) -> RequestFailed:
    theirs = 400 <= reply.status < 500
    first = f"ClientError: {reply.status}" if theirs else None
    message_lines = refusal(reply).split("\n")
    status = first or f"Bad HTTP status received from algorithm: {reply.status}"
    return RequestFailed(status, "", "Message:", *message_lines, theirs=theirs)


LOG_GROUP = "/aws/sagemaker/TransformJobs"

# A FakeTransformJob.
TransformRecord = Any

_FIELDS = (
    "TransformJobName",
    "ModelName",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "DataCaptureConfig",
    "TransformResources",
    "DataProcessing",
)


class TransformJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self) -> None:
        self._running: RunningJobs[TransformRun] = RunningJobs(TRANSFORM, end_job)

    def start(
        self, backend: SageMakerModelBackend, job: TransformRecord, spec: TransformSpec
    ) -> None:
        """Start a recorded job; its record changes as it goes on.

        Raises NoContainer, RoleNotAssumable and ImageDenied.
        """
        aws, model = services(), _model(backend, job)
        context, builder = aws.context, _builder(aws)
        log = f"{spec.name}/i-{uuid.uuid4().hex[:17]}"
        environment = model.base_environment
        run = TransformRun(
            spec,
            folder=context.folder("transform", spec.name),
            children=context.children,
            s3=aws.s3(environment),
            serve=lambda folder: builder.serve_spec(
                model, folder, owner=f"transform-job/{spec.name}"
            ),
            on_line=aws.log_stream(LOG_GROUP, log, environment),
            on_data=aws.log_stream(LOG_GROUP, f"{log}/data-log", environment),
        )
        transform_job_changed(job)
        job.transform_start_time = utcnow()
        self._running.start(job, run)

    def stop(self, job: TransformRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        self._running.stop(job)


list_patches(TRANSFORM)


def _builder(aws: AwsServices) -> FleetBuilder:
    return FleetBuilder(
        folder=aws.context.folder("transform"),
        images_path=aws.context.images_path,
        children=aws.context.children,
        s3=aws.s3,
        log_stream=aws.log_stream,
        require_image=aws.require_image,
    )


def _model(backend: SageMakerModelBackend, job: TransformRecord) -> VariantPlan:
    model = backend.describe_model(job.model_name)
    image, data, environment = container_of(backend, model)
    credentials = services().role_environment(model.execution_role_arn, model.arn)
    services().require_image(credentials, image)
    return VariantPlan(
        name="transform",
        image=image,
        model_data=data,
        container_environment={
            **environment,
            "SAGEMAKER_BATCH": "true",
            **(job.environment or {}),
        },
        base_environment=credentials,
    )


def end_job(job: TransformRecord, result: JobResult) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    job.transform_end_time = job.last_modified_time = utcnow()
    job.failure_reason = result.reason or None
    with durable_transition():
        job.transform_job_status = result.status
        transform_job_changed(job)


@patch(
    "moto.sagemaker.models.FakeTransformJob.__init__",
    why="a job is Completed at once, with nothing done",
)
def init_fake_transform_job(
    original: Any, self: TransformRecord, *args: Any, **kwargs: Any
) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.transform_job_status = "InProgress"
    self.transform_start_time = self.transform_end_time = self.failure_reason = None
    self.labeling_job_arn = self.auto_ml_job_arn = None


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_transform_job",
    why="nothing is asked or written",
)
def create_transform_job(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateTransformJob."""
    backend, name = self.sagemaker_backend, self._get_param("TransformJobName")
    require_new(backend.transform_jobs, name)
    try:
        require_resource_name("transformJobName", name)
        spec = TransformSpec.parse({field: self._get_param(field) for field in _FIELDS})
        backend.describe_model(self._get_param("ModelName"))
        result: ActionResult = original(self)
        TRANSFORM_JOBS.start(backend, backend.transform_jobs[name], spec)
    except (LocalAwsError, KeyError) as error:
        backend.transform_jobs.pop(name, None)
        raise AWSValidationException(str(error)) from error
    return result


@add(
    "moto.sagemaker.responses.SageMakerResponse.stop_transform_job", why="the operation is missing"
)
def stop_transform_job(self: SageMakerResponse) -> ActionResult:
    """Answer StopTransformJob."""
    records = self.sagemaker_backend.transform_jobs
    TRANSFORM_JOBS.stop(job_of(records, self._get_param("TransformJobName")))
    return EmptyResult()


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.describe_transform_job",
    why="a message that differs from AWS's",
)
def describe_transform_job(
    original: Any, self: SageMakerModelBackend, transform_job_name: str
) -> dict[str, Any]:
    """Do what moto's SageMakerModelBackend.describe_transform_job should."""
    job_of(self.transform_jobs, transform_job_name)
    found: dict[str, Any] = original(self, transform_job_name)
    return found


TRANSFORM_JOBS = TransformJobs()
