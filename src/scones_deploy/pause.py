"""Pause: ends what is billed by the hour: endpoints, notebooks and jobs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scones_deploy.removal import Owner

# What SageMaker says of a job that has ended, and of what is not there any more.
GONE = ("ValidationException", "ResourceNotFound")


@dataclass(frozen=True, slots=True)
class Kind:
    """How SageMaker lists and stops one kind of resource, and where it is called what."""

    label: str
    lists: str
    items: str
    prefix: str
    running: tuple[str, ...]
    stops: str


KINDS = (
    Kind("endpoint", "list_endpoints", "Endpoints", "Endpoint", (), "delete_endpoint"),
    Kind(
        "notebook",
        "list_notebook_instances",
        "NotebookInstances",
        "NotebookInstance",
        ("InService", "Pending", "Updating"),
        "stop_notebook_instance",
    ),
    Kind(
        "tuning job",
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJob",
        ("InProgress",),
        "stop_hyper_parameter_tuning_job",
    ),
    Kind(
        "training job",
        "list_training_jobs",
        "TrainingJobSummaries",
        "TrainingJob",
        ("InProgress",),
        "stop_training_job",
    ),
    Kind(
        "processing job",
        "list_processing_jobs",
        "ProcessingJobSummaries",
        "ProcessingJob",
        ("InProgress",),
        "stop_processing_job",
    ),
    Kind(
        "transform job",
        "list_transform_jobs",
        "TransformJobSummaries",
        "TransformJob",
        ("InProgress",),
        "stop_transform_job",
    ),
)


@dataclass(frozen=True, slots=True)
class Running:
    """One resource that bills by the hour now."""

    kind: Kind
    name: str

    @property
    def is_job(self) -> bool:
        """Whether stopping it loses the work that it has done so far."""
        return "InProgress" in self.kind.running


def running(sagemaker: Any, owner: Owner) -> list[Running]:
    """Return what of this owner bills by the hour now, each kind by its own list and tags."""
    return [Running(kind, name) for kind in KINDS for name in _names(sagemaker, kind, owner)]


def _names(sagemaker: Any, kind: Kind, owner: Owner) -> Iterator[str]:
    for page in _pages(sagemaker, kind.lists):
        for item in page[kind.items]:
            status = item.get(f"{kind.prefix}Status")
            if kind.running and status not in kind.running:
                continue
            if owner.owns(_tags(sagemaker, item[f"{kind.prefix}Arn"])):
                yield item[f"{kind.prefix}Name"]


def _tags(sagemaker: Any, arn: str) -> list[Any]:
    """Return a resource's tags; what was deleted since it was listed has none."""
    try:
        tags: list[Any] = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return []
        raise
    return tags


def _pages(sagemaker: Any, operation: str) -> Iterator[Any]:
    if sagemaker.can_paginate(operation):
        yield from sagemaker.get_paginator(operation).paginate()
    else:
        yield getattr(sagemaker, operation)()


def stop(sagemaker: Any, found: Running) -> bool:
    """Stop a job or a notebook, and return False for a job that has ended since it was listed.

    An endpoint has no other way to stop than to be deleted. What SageMaker refuses of endpoints
    and notebooks, such as while they change, goes on billing and is raised.
    """
    try:
        getattr(sagemaker, found.kind.stops)(**{f"{found.kind.prefix}Name": found.name})
    except ClientError as error:
        if found.is_job and error.response["Error"]["Code"] in GONE:
            return False
        raise
    return True
