"""ListTrainingJobs: filtered, then sorted, then cut into pages."""

from collections.abc import Iterable, Mapping
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from scones_local.sagemaker.training_requests import JobRecord

_PAGE = 100
_SORT_FIELDS = {
    "Name": "training_job_name",
    "CreationTime": "creation_time",
    "Status": "training_job_status",
}


def training_job_page(
    jobs: Iterable[JobRecord], given: Mapping[str, Any], *, by: str, descending: bool
) -> dict[str, Any]:
    """Return one page of summaries; `given` has moto's names of the request's filters."""
    found = sorted((job for job in jobs if _matches(job, given)), key=_key(by), reverse=descending)
    start, most = (
        _start(given.get("next_token"), len(found)),
        int(given.get("max_results") or _PAGE),
    )
    page = {"TrainingJobSummaries": [_summary(job) for job in found[start : start + most]]}
    return {**page, "NextToken": str(start + most)} if start + most < len(found) else page


def _matches(job: JobRecord, given: Mapping[str, Any]) -> bool:
    name, status = given.get("name_contains"), given.get("status_equals")
    if name is not None and name.lower() not in job.training_job_name.lower():
        return False
    if status is not None and status != job.training_job_status:
        return False
    return _within(job.creation_time, given, "creation_time") and _within(
        job.last_modified_time, given, "last_modified_time"
    )


def _within(time: Any, given: Mapping[str, Any], field: str) -> bool:
    after, before = given.get(f"{field}_after"), given.get(f"{field}_before")
    seconds = time.timestamp()
    return (after is None or seconds > _seconds(after)) and (
        before is None or seconds < _seconds(before)
    )


def _seconds(value: Any) -> float:
    """Return a filter's time, which comes as a number, as seconds."""
    return float(value.timestamp()) if hasattr(value, "timestamp") else float(value)


def _key(by: str) -> Any:
    field = _SORT_FIELDS[by]
    return lambda job: getattr(job, field)


def _start(token: str | None, number: int) -> int:
    if token and (not token.isdigit() or int(token) > number):
        raise AWSValidationException(f'Invalid pagination token "{token}".')
    return int(token or 0)


def _summary(job: JobRecord) -> dict[str, Any]:
    told = {
        "TrainingJobName": job.training_job_name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.creation_time,
        "TrainingEndTime": job.training_end_time,
        "LastModifiedTime": job.last_modified_time,
        "TrainingJobStatus": job.training_job_status,
        "SecondaryStatus": job.secondary_status,
    }
    return {name: value for name, value in told.items() if value is not None}
