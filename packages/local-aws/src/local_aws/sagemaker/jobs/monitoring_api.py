"""The operations of monitoring schedules, which moto has not."""

from collections.abc import Callable, Iterable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import (
    AWSValidationException,
    ResourceInUseException,
    ResourceNotFound,
)
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core import clock
from local_aws.core.patching import implement, wrap
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.monitoring import Execution, Monitoring, Schedule
from local_aws.sagemaker.names import require_resource_name

_PAGE = 100
_FAULT = "the operation is missing"


def install(monitoring: Monitoring) -> None:
    """Add the operations to moto."""
    _changes(monitoring)
    _states(monitoring)
    _reads(monitoring)
    _tags(monitoring)


def _tags(monitoring: Monitoring) -> None:
    fault = "knows no monitoring schedules"

    @wrap(SageMakerModelBackend, "_get_resource_from_arn", fault=fault)
    def find(original: Any, self: SageMakerModelBackend, arn: str) -> Any:
        _, _, name = arn.partition(":monitoring-schedule/")
        return monitoring.schedules[name] if name in monitoring.schedules else original(self, arn)


def _changes(monitoring: Monitoring) -> None:
    def put(schedule: Schedule) -> ActionResult:
        try:
            monitoring.put(schedule)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        return ActionResult({"MonitoringScheduleArn": schedule.arn})

    @implement(SageMakerResponse, "create_monitoring_schedule", fault=_FAULT)
    def create(self: SageMakerResponse) -> ActionResult:
        name, now = self._get_param("MonitoringScheduleName"), clock.now()
        try:
            require_resource_name("monitoringScheduleName", name)
        except LocalAwsError as error:
            raise AWSValidationException(str(error)) from error
        if name in monitoring.schedules:
            raise ResourceInUseException(f"Monitoring Schedule {name} already exists.")
        backend = self.sagemaker_backend
        start = f"arn:aws:sagemaker:{self.region}:{backend.account_id}"
        config = self._get_param("MonitoringScheduleConfig")
        tags = self._get_param("Tags") or []
        arn = f"{start}:monitoring-schedule/{name}"
        return put(Schedule(name, arn, config, now, now, now, tags=tags))

    @implement(SageMakerResponse, "update_monitoring_schedule", fault=_FAULT)
    def update(self: SageMakerResponse) -> ActionResult:
        before, now = _asked(monitoring, self), clock.now()
        config = self._get_param("MonitoringScheduleConfig")
        return put(
            Schedule(
                before.name,
                before.arn,
                config,
                before.created,
                now,
                now,
                status=before.status,
                tags=before.tags,
            )
        )

    @implement(SageMakerResponse, "delete_monitoring_schedule", fault=_FAULT)
    def delete(self: SageMakerResponse) -> ActionResult:
        monitoring.remove(_asked(monitoring, self).name)
        return EmptyResult()


def _states(monitoring: Monitoring) -> None:
    @implement(SageMakerResponse, "stop_monitoring_schedule", fault=_FAULT)
    def stop(self: SageMakerResponse) -> ActionResult:
        schedule = _asked(monitoring, self)
        schedule.status, schedule.modified = "Stopped", clock.now()
        return EmptyResult()

    @implement(SageMakerResponse, "start_monitoring_schedule", fault=_FAULT)
    def start(self: SageMakerResponse) -> ActionResult:
        schedule = _asked(monitoring, self)
        schedule.status = "Scheduled"
        schedule.modified = schedule.last = clock.now()
        return EmptyResult()


def _reads(monitoring: Monitoring) -> None:
    @implement(SageMakerResponse, "describe_monitoring_schedule", fault=_FAULT)
    def describe(self: SageMakerResponse) -> ActionResult:
        schedule = _asked(monitoring, self)
        own = [one for one in monitoring.executions if one.schedule == schedule.name]
        last = {"LastMonitoringExecutionSummary": _execution(monitoring, own[-1])} if own else {}
        told = {**_summary(monitoring, schedule), **last}
        return ActionResult({**told, "MonitoringScheduleConfig": schedule.config})

    @implement(SageMakerResponse, "list_monitoring_schedules", fault=_FAULT)
    def list_schedules(self: SageMakerResponse) -> ActionResult:
        found = [_summary(monitoring, one) for one in monitoring.schedules.values()]
        named = self._get_param("NameContains")
        kept = [one for one in found if not named or named in one["MonitoringScheduleName"]]
        filters = {"EndpointName": "EndpointName", "StatusEquals": "MonitoringScheduleStatus"}
        keys = {"Name": "MonitoringScheduleName", "Status": "MonitoringScheduleStatus"}
        page = _page(self, kept, filters, keys, "MonitoringScheduleSummaries")
        return ActionResult(page)

    @implement(SageMakerResponse, "list_monitoring_executions", fault=_FAULT)
    def list_executions(self: SageMakerResponse) -> ActionResult:
        found = [_execution(monitoring, one) for one in monitoring.executions]
        filters = {
            "MonitoringScheduleName": "MonitoringScheduleName",
            "EndpointName": "EndpointName",
            "StatusEquals": "MonitoringExecutionStatus",
            "MonitoringJobDefinitionName": "MonitoringJobDefinitionName",
        }
        keys = {"ScheduledTime": "ScheduledTime", "Status": "MonitoringExecutionStatus"}
        page = _page(self, found, filters, keys, "MonitoringExecutionSummaries")
        return ActionResult(page)


def _asked(monitoring: Monitoring, response: SageMakerResponse) -> Schedule:
    name = response._get_param("MonitoringScheduleName")
    schedule = monitoring.schedules.get(name)
    if schedule is None:
        raise ResourceNotFound(f"Monitoring Schedule {name} not found.")
    return schedule


def _summary(monitoring: Monitoring, schedule: Schedule) -> dict[str, Any]:
    told = {
        "MonitoringScheduleName": schedule.name,
        "MonitoringScheduleArn": schedule.arn,
        "CreationTime": schedule.created,
        "LastModifiedTime": schedule.modified,
        "MonitoringScheduleStatus": schedule.status,
        **_of_config(schedule),
    }
    endpoint = _told(lambda: monitoring.definition(schedule)["MonitoringInputs"][0])
    watched = (endpoint or {}).get("EndpointInput") or {}
    return {**told, "EndpointName": watched["EndpointName"]} if watched else told


def _execution(monitoring: Monitoring, execution: Execution) -> dict[str, Any]:
    status, reason = monitoring.status(execution)
    schedule = monitoring.schedules[execution.schedule]
    start = schedule.arn.partition(":monitoring-schedule/")[0]
    told = {
        "MonitoringScheduleName": execution.schedule,
        "ScheduledTime": execution.scheduled,
        "CreationTime": execution.created,
        "LastModifiedTime": execution.created,
        "MonitoringExecutionStatus": status,
        "ProcessingJobArn": f"{start}:processing-job/{execution.job}" if execution.job else None,
        "EndpointName": execution.endpoint,
        "FailureReason": reason,
        **_of_config(schedule),
    }
    return {name: value for name, value in told.items() if value}


def _of_config(schedule: Schedule) -> dict[str, Any]:
    fields = ("MonitoringJobDefinitionName", "MonitoringType")
    found = {field: schedule.config.get(field) for field in fields}
    return {"MonitoringType": "DataQuality"} | {k: v for k, v in found.items() if v}


def _told(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except LocalAwsError:
        return None  # its definition was deleted


def _page(
    response: SageMakerResponse,
    found: Iterable[dict[str, Any]],
    filters: dict[str, str],
    keys: dict[str, str],
    name: str,
) -> dict[str, Any]:
    """Return one page of what is found, filtered and sorted as the request says."""
    asked = {field: response._get_param(parameter) for parameter, field in filters.items()}
    kept = [
        one
        for one in found
        if all(value is None or one.get(key) == value for key, value in asked.items())
    ]
    key = keys.get(response._get_param("SortBy") or "", "CreationTime")
    # Both lists are sorted newest first where the request does not say otherwise.
    descending = (response._get_param("SortOrder") or "Descending") == "Descending"
    kept.sort(key=lambda one: one[key], reverse=descending)
    start = int(response._get_param("NextToken") or 0)
    most = int(response._get_param("MaxResults") or _PAGE)
    page: dict[str, Any] = {name: kept[start : start + most]}
    return {**page, "NextToken": str(start + most)} if start + most < len(kept) else page
