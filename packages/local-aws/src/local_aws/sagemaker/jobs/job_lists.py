"""Lists of jobs, of every kind: filtered, then sorted, then cut into pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import patch

# One of moto's records of a job.
Job = Any
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: the start of its fields' names, and the record's attribute of each.

    `more` are the fields that this kind's summaries have in addition.
    """

    name: str
    attribute: str
    more: tuple[tuple[str, str], ...] = ()

    def of(self, job: Job, field: str) -> Any:
        """Return a field that every kind has: `job_name`, `job_status` or `end_time`."""
        return getattr(job, f"{self.attribute}_{field}")


TRAINING = Kind("Training", "training", (("SecondaryStatus", "secondary_status"),))
PROCESSING = Kind(
    "Processing",
    "processing",
    (("FailureReason", "failure_reason"), ("ExitMessage", "exit_message")),
)
TRANSFORM = Kind("Transform", "transform", (("FailureReason", "failure_reason"),))


def list_patches(kind: Kind) -> None:
    """Declare that moto's list of that kind of job is sorted, filtered and cut as AWS does."""
    why = "sorts nothing, and cuts a page before it filters"
    operation, records = f"list_{kind.attribute}_jobs", f"{kind.attribute}_jobs"

    @patch(f"moto.sagemaker.models.SageMakerModelBackend.{operation}", why=why)
    def list_jobs(original: Any, self: SageMakerModelBackend, **given: Any) -> dict[str, Any]:
        del original
        return {"jobs": list(getattr(self, records).values()), "given": given}

    @patch(f"moto.sagemaker.responses.SageMakerResponse.{operation}", why=why)
    def respond(original: Any, self: SageMakerResponse) -> ActionResult:
        checked: Any = original(self).result
        by = self._get_param("SortBy") or "CreationTime"
        descending = self._get_param("SortOrder") == "Descending"
        jobs, given = checked["jobs"], checked["given"]
        return ActionResult(job_page(kind, jobs, given, by=by, descending=descending))


def not_stoppable(kind: str, status: str) -> AWSValidationException:
    """Return the refusal to stop a job that has ended; `kind` is its kind in words."""
    return AWSValidationException(
        f"The request was rejected because the {kind} job is in status {status}."
    )


def require_new(records: Mapping[str, Job], name: str) -> None:
    """Raise ResourceInUseException where a job has that name."""
    if name in records:
        raise ResourceInUseException(
            "Job name must be unique within an AWS account and region, and a job with this "
            f"name already exists ({records[name].arn})"
        )


def job_of(records: Mapping[str, Job], name: str) -> Job:
    """Return the record of a job; raises AWSValidationException where there is none."""
    job = records.get(name)
    if job is None:
        raise AWSValidationException("Requested resource not found.")
    return job


def job_page(
    kind: Kind, jobs: Iterable[Job], given: Mapping[str, Any], *, by: str, descending: bool
) -> dict[str, Any]:
    """Return one page of summaries; `given` has moto's names of the request's filters."""
    found = sorted(
        (job for job in jobs if _matches(kind, job, given)), key=_key(kind, by), reverse=descending
    )
    start = _start(given.get("next_token"), len(found))
    page_size = int(given.get("max_results") or _PAGE)
    summaries = [_summary(kind, job) for job in found[start : start + page_size]]
    page: dict[str, Any] = {f"{kind.name}JobSummaries": summaries}
    return {**page, "NextToken": str(start + page_size)} if start + page_size < len(found) else page


def _matches(kind: Kind, job: Job, given: Mapping[str, Any]) -> bool:
    name, status = given.get("name_contains"), given.get("status_equals")
    if name is not None and name.lower() not in kind.of(job, "job_name").lower():
        return False
    if status is not None and status != kind.of(job, "job_status"):
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


def _key(kind: Kind, by: str) -> Any:
    if by == "CreationTime":
        return lambda job: job.creation_time
    return lambda job: kind.of(job, {"Name": "job_name", "Status": "job_status"}[by])


def _start(token: str | None, number: int) -> int:
    if token and (not token.isdigit() or int(token) > number):
        raise AWSValidationException(f'Invalid pagination token "{token}".')
    return int(token or 0)


def _summary(kind: Kind, job: Job) -> dict[str, Any]:
    described = {
        f"{kind.name}JobName": kind.of(job, "job_name"),
        f"{kind.name}JobArn": job.arn,
        "CreationTime": job.creation_time,
        f"{kind.name}EndTime": kind.of(job, "end_time"),
        "LastModifiedTime": job.last_modified_time,
        f"{kind.name}JobStatus": kind.of(job, "job_status"),
        **{field: getattr(job, attribute) for field, attribute in kind.more},
    }
    return {name: value for name, value in described.items() if value is not None}
