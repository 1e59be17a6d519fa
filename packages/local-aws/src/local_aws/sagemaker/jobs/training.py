"""One training job: download, run the program, read its metrics, upload the artifact."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local_aws.core.child_processes import Children
from local_aws.sagemaker.algorithms.images import is_builtin
from local_aws.sagemaker.archives import pack
from local_aws.sagemaker.containers import Container, LineSink
from local_aws.sagemaker.images import UnknownImage, argv_for
from local_aws.sagemaker.jobs.channels import DownloadFailed, download
from local_aws.sagemaker.jobs.checkpoints import Checkpoints, CheckpointsFailed
from local_aws.sagemaker.jobs.job_folder import JobFolder
from local_aws.sagemaker.jobs.training_process import AlgorithmError, Supervision
from local_aws.sagemaker.jobs.training_spec import Ending, TrainingEnd, TrainingSpec, ended, failed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")


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
        self._supervision = Supervision(spec)
        self._paths = JobFolder(folder / "ml")

    def request_stop(self) -> None:
        """Have the job stop: SIGTERM to the program, SIGKILL after 120 s; returns at once."""
        self._supervision.stop.set()

    def interrupt(self, back_in_seconds: float) -> None:
        """Take the spot instance away, and give another one after that time; returns at once."""
        self._supervision.interrupt(back_in_seconds)

    def run(self) -> TrainingEnd:
        """Run the job and return how it ended; its folder is gone afterwards. Never raises."""
        try:
            return self._run()
        except (AlgorithmError, CheckpointsFailed, DownloadFailed, UnknownImage) as error:
            return failed(str(error), self._supervision.seconds)
        except Exception as error:  # a job ends as Failed whatever happens to it
            return failed(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> TrainingEnd:
        argv, environment = argv_for(self.spec.image, "train", self._images_path)
        while (ending := self._attempt(argv, environment)) is Ending.INTERRUPTED:
            self._on_status("Interrupted", "The spot instance was taken away")
            # Another instance has nothing of this one.
            shutil.rmtree(self._paths.base, ignore_errors=True)
            if self._supervision.wait_for_capacity():
                return ended("", self._supervision.seconds, self._supervision.ending())
            self._on_status("Starting", "Preparing the instances for training")
        if ending is Ending.STOPPED_EARLY:
            return ended("", self._supervision.seconds, Ending.STOPPED)
        self._on_status("Uploading", "Uploading generated training model")
        return ended(self._upload(), self._supervision.seconds, ending)

    def _attempt(self, argv: tuple[str, ...], image_environment: Mapping[str, str]) -> Ending:
        """Run the program on one instance; return how it ended."""
        spec = self.spec
        self._on_status("Downloading", "Downloading input data")
        self._paths.prepare(spec.hyperparameters, spec.channels, spec.instance_type)
        for channel in spec.channels:
            if self._supervision.stop.is_set():
                return Ending.STOPPED_EARLY
            download(self._s3, channel, self._paths.channel(channel.name))
        with self._checkpointed():
            self._on_status("Training", "Training image download completed. Training in progress.")
            return self._execute(argv, {**image_environment, **spec.environment})

    @contextlib.contextmanager
    def _checkpointed(self) -> Iterator[None]:
        if self.spec.checkpoints is None:
            yield
            return
        folder = self._paths.base / self.spec.checkpoint_path
        checkpoints = Checkpoints(self._s3, self.spec.checkpoints, folder)
        checkpoints.start()
        try:
            yield
        finally:
            checkpoints.finish()

    def _execute(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> Ending:
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
        status, ending = self._supervision.watch(container, self._on_status)
        if status != 0 and ending is Ending.BY_ITSELF:
            code = status if status >= 0 else 128 - status
            said = self._paths.failure() or container.last_line
            if is_builtin(self.spec.image) and said.startswith("ClientError:"):
                # AWS's own algorithms say themselves whose fault it was.
                raise AlgorithmError(said)
            raise AlgorithmError(f"AlgorithmError: {said}, exit code: {code}")
        return ending

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
