"""A training program while it runs: its limits, and what ends it from outside."""

import datetime
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Protocol

from local_aws.core import clock
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.containers import Container
from local_aws.sagemaker.jobs.training_spec import Ending

STOP_GRACE_SECONDS = 120.0


class AlgorithmError(LocalAwsError):
    """The training program failed; the message is the job's FailureReason."""


class Limits(Protocol):
    """The times that a job may take, in seconds."""

    @property
    def max_runtime_seconds(self) -> float:
        """Return what the program itself may take."""

    @property
    def max_wait_seconds(self) -> float | None:
        """Return what a spot job may take with its waits."""


class Supervision:
    """The limits of one job. A program is ended by SIGTERM, and SIGKILL after 120 s.

    MaxRuntimeInSeconds bounds the program's own time, MaxWaitTimeInSeconds that of a spot job
    with all its waits for another instance.
    """

    def __init__(self, spec: Limits) -> None:
        self._spec = spec
        self.stop = threading.Event()
        self.seconds = 0.0
        self._interrupted = threading.Event()
        self._began = self._back = clock.now()

    def interrupt(self, back_in_seconds: float) -> None:
        """Have the program end as when its spot instance is taken away."""
        self._back = clock.now() + datetime.timedelta(seconds=back_in_seconds)
        self._interrupted.set()

    def watch(
        self, container: Container, on_status: Callable[[str, str], None]
    ) -> tuple[int, Ending]:
        """Wait for the program's end, or end it; return its exit status and why it ended."""
        started, before = time.monotonic(), self.seconds
        while True:
            try:
                status, ending = container.wait(0.1), Ending.BY_ITSELF
            except subprocess.TimeoutExpired:
                self.seconds = before + time.monotonic() - started
                ending = self.ending()
                if ending is Ending.BY_ITSELF:
                    continue
                if ending is not Ending.INTERRUPTED:
                    on_status("Stopping", "Stopping the training job")
                status = container.stop(STOP_GRACE_SECONDS)
            self.seconds = before + time.monotonic() - started
            return status, ending

    def ending(self) -> Ending:
        """Return why the program is to end now; BY_ITSELF where nothing says so."""
        if self.stop.is_set():
            return Ending.STOPPED
        if self.seconds > self._spec.max_runtime_seconds:
            return Ending.OUT_OF_TIME
        if self._waited_too_long():
            return Ending.OUT_OF_WAIT
        return Ending.INTERRUPTED if self._interrupted.is_set() else Ending.BY_ITSELF

    def wait_for_capacity(self) -> bool:
        """Wait until there is another instance; return whether the job ends before that."""
        self._interrupted.clear()
        while (left := (self._back - clock.now()).total_seconds()) > 0:
            if clock.wait(min(left, 0.5), self.stop) or self._waited_too_long():
                return True
        return self.stop.is_set()

    def _waited_too_long(self) -> bool:
        most = self._spec.max_wait_seconds
        return most is not None and (clock.now() - self._began).total_seconds() > most
