"""One training job: download, run the program, read its metrics, upload the artifact."""

import contextlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local_aws.core.bounded_calls import TooCostly
from local_aws.core.child_processes import Children
from local_aws.core.expressions import Expression
from local_aws.core.s3_uri import S3Uri
from local_aws.sagemaker.algorithms.algorithm_images import algorithm_of
from local_aws.sagemaker.archives import pack
from local_aws.sagemaker.container_processes import AlgorithmError, Container, LineSink
from local_aws.sagemaker.image_programs import argv_for
from local_aws.sagemaker.jobs.channels import Channel, DownloadFailed, download
from local_aws.sagemaker.jobs.checkpoints import Checkpoints
from local_aws.sagemaker.jobs.runner import (
    MAX_REASON_CHARACTERS,
    JobResult,
    JobRun,
    Outcome,
    Supervision,
    algorithm_error,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What CreateTrainingJob asked for. `environment` is the whole environment but the SM_*.

    `checkpoint_path` is relative to `/opt/ml`. `max_wait_seconds` is that of a spot job.
    """

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: tuple[Channel, ...]
    output: S3Uri
    environment: Mapping[str, str]
    metrics: Mapping[str, str] = field(default_factory=dict)
    max_runtime_seconds: float = 86_400
    max_wait_seconds: float | None = None
    instance_type: str = "ml.m5.large"
    kms_key_id: str | None = None
    checkpoints: S3Uri | None = None
    checkpoint_path: str = "checkpoints"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The places below one training job's base folder."""

    base: Path

    @property
    def model(self) -> Path:
        """Return the folder that becomes `model.tar.gz`."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """Return the folder that becomes `output.tar.gz` when it is not empty."""
        return self.base / "output" / "data"

    def channel(self, name: str) -> Path:
        """Return a channel's folder."""
        return self.base / "input" / "data" / name

    def prepare(
        self,
        hyperparameters: Mapping[str, str],
        channels: Sequence[Channel],
        instance_type: str,
    ) -> None:
        """Make the folders and write the three configuration files."""
        config = self.base / "input" / "config"
        for folder in (config, self.base / "input" / "data", self.model, self.output_data):
            folder.mkdir(parents=True, exist_ok=True)
        (self.base / "checkpoints").mkdir(exist_ok=True)
        host = {"current_host": "algo-1", "hosts": ["algo-1"]}
        files = {
            "hyperparameters": {name: str(value) for name, value in hyperparameters.items()},
            "inputdataconfig": {channel.name: channel.description() for channel in channels},
            "resourceconfig": {
                **host,
                "current_instance_type": instance_type,
                "network_interface_name": "lo",
            },
        }
        for name, content in files.items():
            (config / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    def environment(
        self, hyperparameters: Mapping[str, str], channels: Sequence[Channel]
    ) -> dict[str, str]:
        """Return the variables with the paths of the program's folders."""
        folders = {_channel_variable(c.name): str(self.channel(c.name)) for c in channels}
        return {
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DATA_DIR": str(self.output_data),
            "SM_HPS": json.dumps(dict(hyperparameters)),
            "SM_CHANNELS": json.dumps(sorted(channel.name for channel in channels)),
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_GPUS": "0",
            **folders,
        }

    def failure(self) -> str:
        """Return what the program wrote about its failure, at most 1024 characters."""
        try:
            with (self.base / "output" / "failure").open(encoding="utf-8", errors="replace") as f:
                return f.read(MAX_REASON_CHARACTERS).strip()
        except OSError:
            return ""


def _channel_variable(name: str) -> str:
    return "SM_CHANNEL_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


class TrainingRun(JobRun):
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
        super().__init__(folder, Supervision(spec.max_runtime_seconds, spec.max_wait_seconds))
        self.spec, self._images_path = spec, images_path
        self._children, self._s3 = children, s3
        self._on_line, self._on_status, self._on_metric = on_line, on_status, on_metric
        self._patterns = [(name, Expression(regex)) for name, regex in spec.metrics.items()]
        self._paths = JobFolder(folder / "ml")

    def interrupt(self, back_in_seconds: float) -> None:
        """Take the spot instance away, and give another one after that time; returns at once."""
        self.supervision.interrupt(back_in_seconds)

    def execute(self) -> JobResult:
        """Download, train and upload, once more after each interruption of a spot instance."""
        argv, environment = argv_for(self.spec.image, "train", self._images_path)
        while (outcome := self._attempt(argv, environment)) is Outcome.INTERRUPTED:
            self._on_status("Interrupted", "The spot instance was taken away")
            # Another instance has nothing of this one.
            shutil.rmtree(self._paths.base, ignore_errors=True)
            if self.supervision.wait_for_capacity():
                return self._result(self.supervision.outcome())
            self._on_status("Starting", "Preparing the instances for training")
        if outcome is Outcome.STOPPED_EARLY:
            return self._result(Outcome.STOPPED)
        self._on_status("Uploading", "Uploading generated training model")
        return self._result(outcome, self._upload())

    def _result(self, outcome: Outcome, artifact: str = "") -> JobResult:
        return JobResult(outcome, artifact=artifact, seconds=self.supervision.seconds)

    def _attempt(self, argv: tuple[str, ...], image_environment: Mapping[str, str]) -> Outcome:
        """Run the program on one instance; return how it ended."""
        spec = self.spec
        self._on_status("Downloading", "Downloading input data")
        self._paths.prepare(spec.hyperparameters, spec.channels, spec.instance_type)
        for channel in spec.channels:
            if self.supervision.stop.is_set():
                return Outcome.STOPPED_EARLY
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

    def _execute(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> Outcome:
        container = Container(
            self._children,
            argv,
            folder=self.folder,
            environment={
                **environment,
                **self._paths.environment(self.spec.hyperparameters, self.spec.channels),
                "TRAINING_JOB_NAME": self.spec.name,
                "HOME": str(self.folder),
            },
            on_line=self._read,
            owner=f"training-job/{self.spec.name}",
        )
        outcome, code = self.watch(
            container, lambda: self._on_status("Stopping", "Stopping the training job")
        )
        if code != 0 and outcome is Outcome.BY_ITSELF:
            text = self._paths.failure() or container.last_line
            algorithm = algorithm_of(self.spec.image)
            if algorithm and algorithm.own_failures and text.startswith("ClientError:"):
                # AWS's own algorithms say themselves whose fault it was.
                raise AlgorithmError(text)
            raise algorithm_error(text, code)
        return outcome

    def _read(self, line: str) -> None:
        self._on_line(line)
        for name, pattern in self._patterns:
            try:
                match = pattern.search(line)
            except TooCostly as error:
                _log.warning("The metric %s of %s is not read: %s", name, self.spec.name, error)
                continue
            if match and len(match) > 1 and _NUMBER.match(match[1] or ""):
                self._on_metric(name, float(match[1] or ""))

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
        archive = self.folder / name
        pack(folder, archive)
        target = self.spec.output.join(self.spec.name, "output", name)
        # A plain put, so that a missing bucket has its own error code.
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.spec.kms_key_id}
        with archive.open("rb") as body:
            self._s3.put_object(
                Bucket=target.bucket,
                Key=target.key,
                Body=body,
                **(extra if self.spec.kms_key_id else {}),  # type: ignore[arg-type]
            )
        return str(target)
