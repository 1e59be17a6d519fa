"""Tuning jobs: trials launched, watched, compared."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from local_aws.sagemaker.jobs.early_stopping import lags
from local_aws.sagemaker.jobs.training_jobs import TrainingJobs
from local_aws.sagemaker.jobs.training_requests import JobRecord
from local_aws.sagemaker.jobs.tuning_plan import TuningPlan
from local_aws.sagemaker.jobs.tuning_records import (
    ENDED,
    TuningRecord,
    count,
    end,
    objective_of,
    trial_summary,
)
from local_aws.sagemaker.jobs.tuning_search import Point, Trial

_LOOK_SECONDS = 0.1
_ALL_FAILED = (
    "All training jobs failed. Please take a look at the training jobs failures to get more "
    "details."
)


@dataclass(slots=True)
class _Run:
    point: Point
    job: JobRecord

    @property
    def ended(self) -> bool:
        return self.job.training_job_status in ENDED


class Tuner:
    """One tuning job; `run` once, on a thread of the caller's.

    `launch` makes and starts the training job of a CreateTrainingJob request.
    """

    def __init__(
        self,
        plan: TuningPlan,
        record: TuningRecord,
        jobs: TrainingJobs,
        launch: Callable[[dict[str, Any]], JobRecord],
    ) -> None:
        self._plan, self._record, self._jobs, self._launch = plan, record, jobs, launch
        self._stop = threading.Event()
        self._runs: list[_Run] = []
        self._exhausted = False

    def request_stop(self) -> None:
        """Have no more trials launched, and those that run stopped; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Run trials until the job ends; its record says how. Never raises."""
        began = time.monotonic()
        try:
            while not self._done(time.monotonic() - began):
                self._launch_more()
                self._count()
                self._stop_laggards()
                self._stop.wait(_LOOK_SECONDS)
            self._finish()
        except AWSValidationException as error:
            self._end("Failed", f"ClientError: {error.message}")
        except Exception as error:  # the record must say how a job ended, whatever it was
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _done(self, seconds: float) -> bool:
        plan = self._plan
        if self._stop.is_set() or seconds > plan.max_seconds or self._target_reached():
            return True
        launched = self._exhausted or len(self._runs) >= plan.most
        return launched and all(run.ended for run in self._runs)

    def _target_reached(self) -> bool:
        plan = self._plan
        if plan.target is None:
            return False
        values = [objective_of(plan, run.job) for run in self._runs if run.ended]
        return any(v is not None and plan.score(v) >= plan.score(plan.target) for v in values)

    def _launch_more(self) -> None:
        plan = self._plan
        while (
            not self._exhausted
            and len(self._runs) < plan.most
            and sum(not run.ended for run in self._runs) < plan.parallel
        ):
            point = plan.search.next([self._trial(run) for run in self._runs])
            if point is None:
                self._exhausted = True
                return
            name = f"{plan.name}-{len(self._runs) + 1:03d}-{uuid.uuid4().hex[:8]}"
            self._runs.append(_Run(point, self._launch(plan.request(name, point))))

    def _trial(self, run: _Run) -> Trial:
        value = objective_of(self._plan, run.job) if run.ended else None
        return Trial(run.point, None if value is None else self._plan.score(value))

    def _stop_laggards(self) -> None:
        if not self._plan.stops_early:
            return
        earlier = [self._series(run) for run in self._runs if run.ended]
        for run in self._runs:
            going = run.job.training_job_status == "InProgress"
            if going and lags(self._series(run), earlier, maximise=self._plan.maximise):
                self._stop_trial(run)

    def _series(self, run: _Run) -> Sequence[float]:
        return self._jobs.series(run.job, self._plan.metric)

    def _stop_trial(self, run: _Run) -> None:
        try:
            self._jobs.stop(run.job)
        except AWSValidationException:
            return  # it has just ended by itself

    def _finish(self) -> None:
        for run in self._runs:
            if not run.ended:
                self._stop_trial(run)
        while not all(run.ended for run in self._runs):
            self._count()
            time.sleep(_LOOK_SECONDS)
        failed = all(run.job.training_job_status == "Failed" for run in self._runs)
        if self._stop.is_set():
            self._end("Stopped")
        elif failed:
            self._end("Failed", _ALL_FAILED)
        else:
            self._end("Completed")

    def _count(self) -> None:
        plan = self._plan
        count(
            self._record,
            [trial_summary(plan, run.job, plan.tuned(run.point)) for run in self._runs],
            plan,
        )

    def _end(self, status: str, reason: str = "") -> None:
        self._count()
        end(self._record, status, reason)
        self._jobs.forget_series([run.job for run in self._runs])
