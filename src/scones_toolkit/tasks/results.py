"""The results of a run: of the last one, or of an execution by its name."""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import MonitorError
from scones_core.events import Result
from scones_toolkit.project import Project

LAST = "last"
RUNS = "runs"


def execution_arn(project: Project, run: str) -> str:
    """Return the ARN of an execution of this environment's workflow, by its name or its ARN."""
    if run.startswith("arn:"):
        return run
    return f"{project.deployment.state_machine_arn.replace(':stateMachine:', ':execution:')}:{run}"


def results_of(project: Project, run: str = "") -> list[Result]:
    """Return the results of an execution by its name or ARN; of the last run without one.

    Raises MonitorError for an execution that is unknown, still runs, or left no results.
    """
    if run in ("", LAST):
        found: list[Result] = project.records.read("execution")["results"]
        return found
    arn = execution_arn(project, run)
    states = project.client("stepfunctions")
    try:
        described = states.describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            raise MonitorError(
                f"There is no execution {run!r} in {project.environment}; give a name that "
                "`inv run` printed, or last."
            ) from error
        raise
    if described["status"] == "RUNNING":
        raise MonitorError(f"The execution {run} still runs; wait for its end.")
    output = json.loads(described.get("output") or "{}")
    if isinstance(output, dict) and isinstance(output.get("results"), list):
        given: list[Result] = output["results"]
        return given
    return list(stored_results(project, arn.rpartition(":")[2]))


def stored_results(project: Project, name: str) -> Iterable[Result]:
    """Yield the results that a large run wrote to `runs/<name>/results/`.

    Raises MonitorError where there are none, and for a line that is no result.
    """
    s3, bucket = project.client("s3"), project.deployment.data_bucket
    prefix, found = f"{RUNS}/{name}/results/", False
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            found = True
            for line in s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_lines():
                if line.strip():
                    yield _result(line, f"s3://{bucket}/{item['Key']}")
    if not found:
        raise MonitorError(f"The execution {name} left no results below s3://{bucket}/{prefix}")


def _result(line: bytes, where: str) -> Result:
    try:
        content: Any = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "decision" not in content or "image" not in content:
        raise MonitorError(f"{where} has a line that is no result of the workflow.")
    result: Result = content  # type: ignore[assignment]
    return result
