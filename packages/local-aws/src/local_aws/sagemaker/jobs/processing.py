"""One processing job: download, run the container's program, upload what it left.

The container contract, with `/opt/ml` moved to a folder of the job:
https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.container_programs import moved, program_argv
from local_aws.sagemaker.containers import Container, LineSink
from local_aws.sagemaker.images import commands_for
from local_aws.sagemaker.jobs.channels import download
from local_aws.sagemaker.jobs.checkpoints import Checkpoints
from local_aws.sagemaker.jobs.processing_spec import ProcessingEnd, ProcessingOutput, ProcessingSpec
from local_aws.sagemaker.jobs.training_process import AlgorithmError, Supervision
from local_aws.sagemaker.jobs.training_spec import Ending

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
_MAX_MESSAGE_BYTES = 1024


class MessageFailed(LocalAwsError):
    """What the program left as its message cannot be read; the message is the FailureReason."""


class ProcessingRun:
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
        self.spec = spec
        self._images_path, self._folder, self._base = images_path, folder, folder / "ml"
        self._children, self._s3, self._on_line = children, s3, on_line
        self._supervision = Supervision(spec)

    def request_stop(self) -> None:
        """Have the job stop: SIGTERM to the program, SIGKILL after 120 s; returns at once."""
        self._supervision.stop.set()

    def run(self) -> ProcessingEnd:
        """Run the job and return how it ended; its folder is gone afterwards. Never raises."""
        try:
            return self._run()
        except LocalAwsError as error:
            return ProcessingEnd("Failed", str(error)[:1024], self._said())
        except Exception as error:  # a job ends as Failed whatever happens to it
            return ProcessingEnd("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> ProcessingEnd:
        argv, environment = self._program()
        self._prepare()
        for entry in self.spec.inputs:
            if self._supervision.stop.is_set():
                return ProcessingEnd("Stopped")
            download(self._s3, entry.source, self._base / entry.path)
        with self._continuous_outputs():
            ending = self._execute(argv, environment)
        if ending is not Ending.BY_ITSELF:
            return ProcessingEnd("Stopped", message=self._message())
        message = self._message()
        for output in self.spec.outputs:
            if not output.continuous:
                self._upload(output)
        return ProcessingEnd("Completed", message=message)

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

    def _execute(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> Ending:
        container = Container(
            self._children,
            argv,
            folder=self._folder,
            environment={
                **environment,
                "SAGEMAKER_BASE_DIR": str(self._base),
                "HOME": str(self._folder),
            },
            on_line=self._on_line,
            owner=f"processing-job/{self.spec.name}",
        )
        status, ending = self._supervision.watch(container, lambda *_: None)
        if status != 0 and ending is Ending.BY_ITSELF:
            code = status if status >= 0 else 128 - status
            raise AlgorithmError(f"AlgorithmError: {container.last_line}, exit code: {code}")
        return ending

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
