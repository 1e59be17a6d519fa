"""One training job: download, run the program, read its metrics, upload the artifact."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones_core.errors import LocalAwsError
from scones_local.children import Children
from scones_local.sagemaker.archives import pack
from scones_local.sagemaker.channels import DownloadFailed, download
from scones_local.sagemaker.containers import Container, LineSink
from scones_local.sagemaker.images import UnknownImage, argv_for
from scones_local.sagemaker.job_folder import JobFolder
from scones_local.sagemaker.training_spec import TrainingEnd, TrainingSpec, ended, failed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STOP_GRACE_SECONDS = 120.0
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")


class AlgorithmError(LocalAwsError):
    """The training program failed; the message is the job's FailureReason."""


class TrainingRun:
    """A job from its start to its end; `run` once, on a thread of the caller's.

    `on_status` gets each secondary status as it begins, with AWS's message for it; `on_metric`
    each match of a metric's expression, with its value.
    """

    def __init__(
        self,
        spec: TrainingSpec,
        *,
        images_path: Path,
        folder: Path,
        children: Children,
        s3: "S3Client",
        on_line: LineSink,
        on_status: Callable[[str, str], None],
        on_metric: Callable[[str, float], None],
    ) -> None:
        self.spec = spec
        self._images_path, self._folder = images_path, folder
        self._children, self._s3 = children, s3
        self._on_line, self._on_status, self._on_metric = on_line, on_status, on_metric
        self._patterns = [(name, re.compile(regex)) for name, regex in spec.metrics.items()]
        self._stop = threading.Event()
        self._paths = JobFolder(folder / "ml")

    def request_stop(self) -> None:
        """Have the job stop: SIGTERM to the program, SIGKILL after 120 s; returns at once."""
        self._stop.set()

    def run(self) -> TrainingEnd:
        """Run the job and return how it ended; its folder is gone afterwards. Never raises."""
        try:
            return self._run()
        except (AlgorithmError, DownloadFailed, UnknownImage) as error:
            return failed(str(error))
        except Exception as error:  # a job ends as Failed whatever happens to it
            return failed(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> TrainingEnd:
        spec = self.spec
        argv, image_environment = argv_for(spec.image, "train", self._images_path)
        self._on_status("Downloading", "Downloading input data")
        self._paths.prepare(spec.hyperparameters, spec.channels, spec.instance_type)
        for channel in spec.channels:
            if self._stop.is_set():
                return ended("", 0.0, timed_out=False, stopped=True)
            download(self._s3, channel, self._paths.channel(channel.name))
        self._on_status("Training", "Training image download completed. Training in progress.")
        started = time.monotonic()
        timed_out = self._execute(argv, {**image_environment, **spec.environment})
        seconds = time.monotonic() - started
        self._on_status("Uploading", "Uploading generated training model")
        artifact = self._upload()
        return ended(artifact, seconds, timed_out=timed_out, stopped=self._stop.is_set())

    def _execute(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> bool:
        """Run the program to its end; return whether it ran out of time."""
        container = Container(
            self._children,
            argv,
            folder=self._folder,
            environment={
                **environment,
                **self._paths.environment(self.spec.hyperparameters, self.spec.channels),
                "TRAINING_JOB_NAME": self.spec.name,
                "HOME": str(self._folder),
            },
            on_line=self._read,
            owner=f"training-job/{self.spec.name}",
        )
        status, timed_out = self._supervise(container)
        if status != 0 and not timed_out and not self._stop.is_set():
            code = status if status >= 0 else 128 - status
            said = self._paths.failure() or container.last_line
            raise AlgorithmError(f"AlgorithmError: {said}, exit code: {code}")
        return timed_out

    def _supervise(self, container: Container) -> tuple[int, bool]:
        deadline = time.monotonic() + self.spec.max_runtime_seconds
        while True:
            try:
                return container.wait(0.1), False
            except subprocess.TimeoutExpired:
                timed_out = time.monotonic() > deadline
                if timed_out or self._stop.is_set():
                    self._on_status("Stopping", "Stopping the training job")
                    return container.stop(STOP_GRACE_SECONDS), timed_out

    def _read(self, line: str) -> None:
        self._on_line(line)
        for name, pattern in self._patterns:
            match = pattern.search(line)
            if match and match.groups() and _NUMBER.match(match.group(1) or ""):
                self._on_metric(name, float(match.group(1)))

    def _upload(self) -> str:
        """Upload what the program left; return the artifact's location, empty without one."""
        try:
            self._upload_folder(self._paths.output_data, "output.tar.gz")
            return self._upload_folder(self._paths.model, "model.tar.gz")
        except ClientError as error:
            message = error.response["Error"]["Message"]
            raise DownloadFailed(
                f"ClientError: Artifact upload failed:{message} ({self.spec.output})"
            ) from error

    def _upload_folder(self, folder: Path, name: str) -> str:
        if not folder.is_dir() or not any(folder.iterdir()):
            return ""
        archive = self._folder / name
        pack(folder, archive)
        target = self.spec.output.join(self.spec.name, "output", name)
        # A plain put, so that a missing bucket is told by its own code.
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.spec.kms_key_id}
        with archive.open("rb") as body:
            self._s3.put_object(
                Bucket=target.bucket,
                Key=target.key,
                Body=body,
                **(extra if self.spec.kms_key_id else {}),  # type: ignore[arg-type]
            )
        return str(target)
