"""One batch transform: the model's own serving program, asked about each object of a prefix."""

import contextlib
import datetime
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core.child_processes import Children
from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.containers import LineSink
from local_aws.sagemaker.endpoints.answers import refusal
from local_aws.sagemaker.endpoints.container_http import Reply
from local_aws.sagemaker.endpoints.instances import (
    Instance,
    ServeSpec,
    VariantFailed,
    VariantUnavailable,
)
from local_aws.sagemaker.jobs.channels import nothing_found, objects_of
from local_aws.sagemaker.jobs.transform_records import assembled, payloads, unzipped
from local_aws.sagemaker.jobs.transform_spec import Pace, TransformEnd, TransformSpec

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SEE_LOGS = "See job logs for more information"
_CHUNK = 1 << 20


class RequestFailed(LocalAwsError):
    """The model did not answer a request; `theirs` where it said that the request is bad."""

    def __init__(self, *lines: str, theirs: bool) -> None:
        super().__init__("\n".join(lines))
        self.theirs = theirs


class ServerFailed(LocalAwsError):
    """The model's program does not serve; the message is the FailureReason."""


class TransformStopped(LocalAwsError):
    """The job was asked to stop."""


class TransformRun:
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
        self.spec, self._folder, self._children, self._s3 = spec, folder, children, s3
        self._serve, self._on_line, self._on_data = serve, on_line, on_data
        self._stop = threading.Event()
        self._instance: Instance | None = None
        self._failures: list[bool] = []

    def request_stop(self) -> None:
        """Have the job stop; what is not answered yet is not written. Returns at once."""
        self._stop.set()
        if self._instance is not None:
            threading.Thread(target=self._instance.stop, daemon=True).start()

    def run(self) -> TransformEnd:
        """Run the job and return how it ended; its folder is gone afterwards. Never raises."""
        try:
            return self._run()
        except LocalAwsError as error:
            end = TransformEnd("Failed", str(error)[:1024])
        except (ClientError, BotoCoreError) as error:
            end = TransformEnd("Failed", f"ClientError: {error}"[:1024])
        except Exception as error:  # a job ends as Failed whatever happens to it
            end = TransformEnd("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if self._instance is not None:
                self._instance.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
        return TransformEnd("Stopped") if self._stop.is_set() else end

    def _run(self) -> TransformEnd:
        inputs = list(objects_of(self._s3, self.spec.source))
        if not inputs:
            raise LocalAwsError(nothing_found(self.spec.source))
        instance = self._instance = Instance(
            self._serve(self._folder), self._children, self._on_line
        )
        self._await_ping(instance)
        pace = self.spec.pace.advised(self.spec.request, instance.execution_parameters())
        self._tell(
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
            return TransformEnd("Stopped")
        if self._failures:
            kind = "ClientError" if all(self._failures) else "AlgorithmError"
            return TransformEnd("Failed", f"{kind}: {_SEE_LOGS}")
        return TransformEnd("Completed")

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
                most_bytes=pace.most_bytes,
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
            reply = instance.invoke(body, sent, self.spec.timeout_seconds)
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
            self._tell(f"{uri.bucket}/{uri.key}: {line}")

    def _tell(self, line: str) -> None:
        """Add a line to the data log, in the form that AWS's has."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self._on_data(f"{now.removesuffix('+00:00')}:[sagemaker logs]: {line}")


def _refused(reply: Reply) -> RequestFailed:
    theirs = 400 <= reply.status < 500
    first = f"ClientError: {reply.status}" if theirs else None
    said = refusal(reply).split("\n")
    status = first or f"Bad HTTP status received from algorithm: {reply.status}"
    return RequestFailed(status, "", "Message:", *said, theirs=theirs)
