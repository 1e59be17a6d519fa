"""The one job runner: a program or a model runs within limits, and its record gets the result.

Training, processing and transform jobs each say what they download, execute and upload
(`JobRun`); threads, limits, stops, failures and the end of the record are here.
"""

import abc
import datetime
import enum
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core import clock
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.container_processes import AlgorithmError, Container
from local_aws.sagemaker.jobs.job_lists import Kind, not_stoppable

Status = Literal["Completed", "Failed", "Stopped"]
STOP_GRACE_SECONDS = 120.0
MAX_REASON_CHARACTERS = 1024
# One of moto's records of a job.
Job = Any


class Outcome(enum.Enum):
    """Why a job ended: a training job's last secondary status, and AWS's message for it."""

    BY_ITSELF = ("Completed", "Training job completed")
    FAILED = ("Failed", "Training job failed")
    STOPPED = ("Stopped", "Training job stopped")
    # Before the program was started.
    STOPPED_EARLY = ("Stopped", "Training job stopped before it began")
    OUT_OF_TIME = (
        "MaxRuntimeExceeded",
        "Training job runtime exceeded MaxRuntimeInSeconds provided",
    )
    OUT_OF_WAIT = ("MaxWaitTimeExceeded", "Training job exceeded MaxWaitTimeInSeconds provided")
    INTERRUPTED = ("Interrupted", "Training job interrupted")


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended.

    `reason` is the FailureReason of a failed job. `message` is what a processing job's program
    left as its message. `artifact` and `seconds` (the program's time) are a training job's.
    """

    outcome: Outcome = Outcome.BY_ITSELF
    reason: str = ""
    message: str = ""
    artifact: str = ""
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """Return the job's final status."""
        if self.outcome is Outcome.FAILED:
            return "Failed"
        return "Completed" if self.outcome is Outcome.BY_ITSELF else "Stopped"


def failed(reason: str, *, message: str = "", seconds: float = 0.0) -> JobResult:
    """Return the result of a failed job; its reason is cut at 1,024 characters as AWS does."""
    reason = reason[:MAX_REASON_CHARACTERS]
    return JobResult(Outcome.FAILED, reason, message=message, seconds=seconds)


class Supervision:
    """The limits of one job. A program is ended by SIGTERM, and SIGKILL after 120 s.

    MaxRuntimeInSeconds bounds the program's own time, MaxWaitTimeInSeconds that of a spot job
    with all its waits for another instance.
    """

    def __init__(self, max_runtime_seconds: float, max_wait_seconds: float | None = None) -> None:
        self._max_runtime_seconds, self._max_wait_seconds = max_runtime_seconds, max_wait_seconds
        self.stop = threading.Event()
        self.seconds = 0.0
        self._interrupted = threading.Event()
        self._began = self._back = clock.now()

    def interrupt(self, back_in_seconds: float) -> None:
        """Have the program end as when its spot instance is taken away."""
        self._back = clock.now() + datetime.timedelta(seconds=back_in_seconds)
        self._interrupted.set()

    def watch(
        self, container: Container, on_stopping: Callable[[], None] = lambda: None
    ) -> tuple[int, Outcome]:
        """Wait for the program's end, or end it; return its exit status and why it ended."""
        started, before = time.monotonic(), self.seconds
        while True:
            try:
                status, outcome = container.wait(0.1), Outcome.BY_ITSELF
            except subprocess.TimeoutExpired:
                self.seconds = before + time.monotonic() - started
                outcome = self.outcome()
                if outcome is Outcome.BY_ITSELF:
                    continue
                if outcome is not Outcome.INTERRUPTED:
                    on_stopping()
                status = container.stop(STOP_GRACE_SECONDS)
            self.seconds = before + time.monotonic() - started
            return status, outcome

    def outcome(self) -> Outcome:
        """Return why the program is to end now; BY_ITSELF where nothing says so."""
        if self.stop.is_set():
            return Outcome.STOPPED
        if self.seconds > self._max_runtime_seconds:
            return Outcome.OUT_OF_TIME
        if self._waited_too_long():
            return Outcome.OUT_OF_WAIT
        return Outcome.INTERRUPTED if self._interrupted.is_set() else Outcome.BY_ITSELF

    def wait_for_capacity(self) -> bool:
        """Wait until there is another instance; return whether the job ends before that."""
        self._interrupted.clear()
        while (left := (self._back - clock.now()).total_seconds()) > 0:
            if clock.wait(min(left, 0.5), self.stop) or self._waited_too_long():
                return True
        return self.stop.is_set()

    def _waited_too_long(self) -> bool:
        max_seconds = self._max_wait_seconds
        return max_seconds is not None and (clock.now() - self._began).total_seconds() > max_seconds


class JobRun(abc.ABC):
    """A job from its start to its end; `run` once, on a thread of the caller's.

    `folder` is the job's own, and removed at its end.
    """

    def __init__(self, folder: Path, supervision: Supervision) -> None:
        self.folder, self.supervision = folder, supervision

    def request_stop(self) -> None:
        """Have the job stop: SIGTERM to the program, SIGKILL after 120 s; returns at once."""
        self.supervision.stop.set()

    def run(self) -> JobResult:
        """Run the job and return how it ended; its folder is gone afterwards. Never raises."""
        try:
            return self.execute()
        except LocalAwsError as error:
            return self.failure(str(error))
        except (ClientError, BotoCoreError) as error:
            return self.failure(f"ClientError: {error}")
        except Exception as error:  # a job ends as Failed whatever happens to it
            return self.failure(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self.clean_up()
            shutil.rmtree(self.folder, ignore_errors=True)

    @abc.abstractmethod
    def execute(self) -> JobResult:
        """Download, run, upload; return how it ended. Whatever it raises fails the job."""

    def failure(self, reason: str) -> JobResult:
        """Return the result for an error; a kind of job adds what its record has more."""
        return failed(reason, seconds=self.supervision.seconds)

    def clean_up(self) -> None:  # noqa: B027 - most kinds have nothing to do here
        """End what still runs when the job has ended."""

    def watch(
        self, container: Container, on_stopping: Callable[[], None] = lambda: None
    ) -> tuple[Outcome, int]:
        """Return why the program ended, and its exit code as a container has it."""
        status, outcome = self.supervision.watch(container, on_stopping)
        return outcome, status if status >= 0 else 128 - status


def algorithm_error(message: str, code: int) -> AlgorithmError:
    """Return the error of a program that ended with an exit code other than 0."""
    return AlgorithmError(f"AlgorithmError: {message}, exit code: {code}")


Run = TypeVar("Run", bound=JobRun)


class RunningJobs(Generic[Run]):
    """The jobs of one kind that run, each on a thread of its own.

    `end` puts a result into a job's record.
    """

    def __init__(self, kind: Kind, end: Callable[[Job, JobResult], None]) -> None:
        self._kind, self._end = kind, end
        self._runs: dict[str, Run] = {}

    def start(self, job: Job, run: Run) -> None:
        """Run a recorded job from now on."""
        self._runs[job.arn] = run
        name = f"{self._kind.attribute}-{self._kind.of(job, 'job_name')}"
        threading.Thread(target=self._run, args=(job, run), name=name, daemon=True).start()

    def find(self, job: Job) -> Run | None:
        """Return the run of a job; None for one that has ended."""
        return self._runs.get(job.arn)

    def stop(self, job: Job) -> None:
        """Have a running job stop; raises AWSValidationException for one that has ended."""
        run = self._runs.get(job.arn)
        if run is None:
            raise not_stoppable(self._kind.attribute, self._kind.of(job, "job_status"))
        setattr(job, f"{self._kind.attribute}_job_status", "Stopping")
        run.request_stop()

    def _run(self, job: Job, run: Run) -> None:
        try:
            self._end(job, run.run())
        finally:
            self._runs.pop(job.arn, None)
