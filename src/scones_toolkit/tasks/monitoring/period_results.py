"""What the workflow made of a period's images: the results of all runs, and their assignments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from botocore.exceptions import ClientError

from scones_core.assignments import radius_text
from scones_core.events import Result, is_result
from scones_toolkit.project import Project
from scones_toolkit.tasks.workflow.results import RUNS, execution_end, stored_results

MAX_SMALL_RUNS = 500
"""Executions whose output is read for a period, each by a request of its own."""


def results_of_period(
    project: Project, period: tuple[datetime, datetime], left_out: list[str]
) -> Iterator[Result]:
    """Yield the results of a period: large runs' in S3, small runs' in their executions.

    `left_out` gets a sentence about those that are not read.
    """
    first, last = period
    stored = set()
    s3, bucket = project.client("s3"), project.deployment.data_bucket
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{RUNS}/", Delimiter="/"
    )
    for found in (each for page in pages for each in page.get("CommonPrefixes", [])):
        name = found["Prefix"].split("/")[1]
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{RUNS}/{name}/results/", MaxKeys=1)
        written = [each["LastModified"] for each in listed.get("Contents", [])]
        if written:
            stored.add(name)
        if written and first <= written[0] < last:
            yield from stored_results(project, name)
    yield from _small_runs(project, period, stored, left_out)


def _small_runs(
    project: Project,
    period: tuple[datetime, datetime],
    stored: set[str],
    left_out: list[str],
) -> Iterator[Result]:
    """Yield the results of the period's executions that left no files, the newest first.

    Of many, MAX_SMALL_RUNS are read, and the others counted in `left_out`.
    """
    states, (first, last) = project.client("stepfunctions"), period
    machine = project.deployment.state_machine_arn
    read = left = 0
    try:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
        for found in (each for page in pages for each in page["executions"]):
            if found["startDate"] < first:
                break
            if found["startDate"] >= last or found["name"] in stored:
                continue
            if read == MAX_SMALL_RUNS:
                left += 1
                continue
            read += 1
            end = execution_end(project, found["executionArn"])
            if isinstance(end.output, dict):
                yield from filter(is_result, end.output.get("results") or ())
    except ClientError as error:
        left_out.append(f"The results of small runs are not known: {error}")
    if left:
        left_out.append(f"Small runs whose results and assignments are not counted: {left}")


def assignments_of(results: Iterable[Result]) -> Counter[tuple[str, str, str]]:
    """Return the results by (vehicle, bay, order radius); older results have no assignment."""
    found: Counter[tuple[str, str, str]] = Counter()
    for result in results:
        each = result.get("assignment")
        if isinstance(each, Mapping):
            radius = radius_text(str(each.get("orders")), float(each.get("max_km") or 0))
            found[str(each.get("vehicle")), str(each.get("bay")), radius] += 1
    return found
