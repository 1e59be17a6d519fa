"""Monitoring schedules: kept, and executed by the clock as processing jobs."""

import datetime
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from local_aws.core import clock
from local_aws.core.clock import CLOCK
from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.jobs import monitoring_spec
from local_aws.sagemaker.jobs.monitoring_spec import DAILY, InvalidSchedule, Window
from local_aws.sagemaker.jobs.processing_jobs import ProcessingJobs
from local_aws.state.stores import changed, keep

# What fell due while the server was down is past; AWS would not be late.
_LATENESS = datetime.timedelta(minutes=5)
# AWS's words where the window has no captured records.
NO_DATA = "Job inputs had no data"


@dataclass(slots=True)
class Execution:
    """One execution: a processing job, or the reason why there is none."""

    schedule: str
    endpoint: str
    scheduled: datetime.datetime
    created: datetime.datetime
    job: str = ""
    reason: str = ""


@dataclass(slots=True)
class Schedule:
    """A schedule as it was asked for, and since when it runs."""

    name: str
    arn: str
    config: dict[str, Any]
    created: datetime.datetime
    modified: datetime.datetime
    last: datetime.datetime
    status: str = "Scheduled"
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def expression(self) -> str:
        """Return the schedule's expression."""
        return str((self.config.get("ScheduleConfig") or {}).get("ScheduleExpression") or DAILY)


class Monitoring:
    """All schedules and their executions; the clock's agenda of them. Thread-safe."""

    def __init__(self, platform: Platform, jobs: ProcessingJobs) -> None:
        self._platform, self._jobs = platform, jobs
        self._lock = threading.RLock()
        self.schedules: dict[str, Schedule] = {}
        self.executions: list[Execution] = []
        keep("sagemaker.monitoring", self._saved, self._restore)
        CLOCK.follow(self)

    def put(self, schedule: Schedule) -> None:
        """Keep a schedule, and execute one that says NOW.

        Raises LocalAwsError and KeyError where it could not be executed as it is.
        """
        monitoring_spec.next_time(schedule.expression, schedule.last)
        definition = self.definition(schedule)
        monitoring_spec.endpoint_input(definition)
        monitoring_spec.window(schedule.config.get("ScheduleConfig") or {}, schedule.last)
        with self._lock:
            self.schedules[schedule.name] = schedule
        if schedule.expression == "NOW":
            self._execute(schedule, clock.now())

    def remove(self, name: str) -> None:
        """Forget a schedule and its executions; their jobs stay."""
        with self._lock:
            del self.schedules[name]
            self.executions = [one for one in self.executions if one.schedule != name]

    def definition(self, schedule: Schedule) -> dict[str, Any]:
        """Return what a schedule's executions do; raises InvalidSchedule where there is none."""
        inline = schedule.config.get("MonitoringJobDefinition")
        name = str(schedule.config.get("MonitoringJobDefinitionName"))
        if inline:
            return dict(inline)
        found = self._backend.data_quality_job_definitions.get(name)
        if found is None:
            raise InvalidSchedule(f"Could not find the data quality job definition {name}.")
        return monitoring_spec.normalised(found.response_object)

    def next_due(self) -> datetime.datetime | None:
        """Return when the next execution begins."""
        with self._lock:
            times = [self._next(schedule) for schedule in self.schedules.values()]
        return min((time for time in times if time is not None), default=None)

    def run(self, now: datetime.datetime) -> None:
        """Begin the executions that are due."""
        with self._lock:
            due = [(schedule, self._next(schedule)) for schedule in self.schedules.values()]
        for schedule, when in due:
            if when is not None and when <= now:
                schedule.last = when
                self._execute(schedule, when)

    def status(self, execution: Execution) -> tuple[str, str]:
        """Return an execution's status, and why it failed."""
        if not execution.job:
            return "Failed", execution.reason
        job: Any = self._backend.processing_jobs.get(execution.job)
        if job is None:
            return "Failed", "The processing job is gone."
        if (job.exit_message or "").startswith("CompletedWithViolations"):
            return "CompletedWithViolations", ""
        return job.processing_job_status, job.failure_reason or ""

    @property
    def _backend(self) -> SageMakerModelBackend:
        backend: SageMakerModelBackend = sagemaker_backends[self._platform.account_id][
            self._platform.region
        ]
        return backend

    def _next(self, schedule: Schedule) -> datetime.datetime | None:
        if schedule.status != "Scheduled":
            return None
        oldest = (clock.now() - _LATENESS).replace(second=0, microsecond=0)
        return monitoring_spec.next_time(schedule.expression, max(schedule.last, oldest))

    def _execute(self, schedule: Schedule, due: datetime.datetime) -> None:
        execution = Execution(schedule.name, "", due, clock.now())
        with self._lock:
            self.executions.append(execution)
        try:
            definition = self.definition(schedule)
            execution.endpoint = monitoring_spec.endpoint_input(definition)["EndpointName"]
            execution.job = self._start(schedule, definition, due)
        except (LocalAwsError, AWSValidationException, KeyError) as error:
            execution.reason = str(getattr(error, "message", error))
        except (ClientError, BotoCoreError) as error:
            execution.reason = f"ClientError: {error}"
        changed()

    def _start(
        self, schedule: Schedule, definition: Mapping[str, Any], due: datetime.datetime
    ) -> str:
        """Start the processing job of one execution; return its name."""
        watched = monitoring_spec.endpoint_input(definition)["EndpointName"]
        looked_at = monitoring_spec.window(schedule.config.get("ScheduleConfig") or {}, due)
        environment = self._platform.role_environment(definition["RoleArn"], schedule.arn)
        source = self._captured(watched)
        folders = _with_records(self._platform.s3(environment), source, looked_at)
        if not folders:
            raise InvalidSchedule(NO_DATA)
        name = f"model-monitoring-{due:%Y%m%d%H%M}-{uuid.uuid4().hex[:24]}"
        request = monitoring_spec.processing_request(
            definition, source, folders, looked_at, schedule=schedule.name, name=name
        )
        self._jobs.create(self._backend, request, monitoring_schedule_arn=schedule.arn)
        return name

    def _captured(self, name: str) -> S3Uri:
        """Return below which prefix an endpoint's records are; raises InvalidSchedule."""
        endpoint = self._backend.endpoints.get(name)
        config = endpoint and self._backend.endpoint_configs.get(endpoint.endpoint_config_name)
        capture: Mapping[str, Any] = (config and config.data_capture_config) or {}
        if not capture.get("EnableCapture"):
            raise InvalidSchedule(f"The endpoint {name} captures no data.")
        return S3Uri.parse(capture["DestinationS3Uri"]).join(name)

    def _saved(self) -> dict[str, Any]:
        with self._lock:
            return {"schedules": dict(self.schedules), "executions": list(self.executions)}

    def _restore(self, kept: dict[str, Any]) -> None:
        with self._lock:
            self.schedules, self.executions = kept["schedules"], kept["executions"]


def _with_records(s3: Any, source: S3Uri, looked_at: Window) -> list[str]:
    """Return the folders `<variant>/yyyy/mm/dd/hh` of a window that have records."""
    listed = s3.list_objects_v2(Bucket=source.bucket, Prefix=f"{source.key}/", Delimiter="/")
    variants = [
        entry["Prefix"].rstrip("/").rpartition("/")[2] for entry in listed.get("CommonPrefixes", ())
    ]
    return [
        f"{variant}/{hour}"
        for variant in variants
        for hour in looked_at.hours()
        if s3.list_objects_v2(
            Bucket=source.bucket, Prefix=f"{source.key}/{variant}/{hour}/", MaxKeys=1
        )["KeyCount"]
    ]
