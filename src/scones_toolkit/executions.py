"""Workflow executions: start them over images, wait, and account for every image."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones_core.errors import ExecutionFailed
from scones_core.events import DECISIONS, Decision, ImageRef, Result
from scones_toolkit.console import Advance

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class Execution:
    """One started execution and the images it was given."""

    arn: str
    images: tuple[ImageRef, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Every image of a run with how it ended: `results` in the order of the images."""

    executions: tuple[str, ...]
    results: tuple[Result, ...]

    def counts(self) -> dict[Decision, int]:
        """Return the number of results by decision; the three add up to the inputs."""
        decisions = [result["decision"] for result in self.results]
        return {decision: decisions.count(decision) for decision in DECISIONS}


def start(
    states: "SFNClient", state_machine_arn: str, images: Sequence[ImageRef], *, per_execution: int
) -> list[Execution]:
    """Start an execution for every `per_execution` images and return them.

    One execution's input and output hold 262,144 bytes each, so a long list is cut.
    Raises ExecutionFailed when the state machine takes no execution.
    """
    run = uuid.uuid4().hex[:12]
    started = []
    for number, part in enumerate(_parts(images, per_execution)):
        try:
            answer = states.start_execution(
                stateMachineArn=state_machine_arn,
                name=f"run-{run}-{number}",
                input=json.dumps({"images": part}, separators=(",", ":")),
            )
        except ClientError as error:
            raise ExecutionFailed(f"No execution could be started: {error}.") from error
        started.append(Execution(answer["executionArn"], tuple(part)))
    return started


def wait(
    states: "SFNClient",
    executions: Sequence[Execution],
    *,
    timeout: float,
    advance: Advance,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Return how every image ended, once every execution has.

    An execution that fails as a whole makes each of its images `failed`, with the execution's
    own error: no input is ever lost. Raises ExecutionFailed after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    results: list[Result] = []
    total = sum(len(execution.images) for execution in executions)
    for execution in executions:
        results += _results(states, execution, deadline, sleep)
        advance(len(results), total)
    return Run(tuple(execution.arn for execution in executions), tuple(results))


def _results(
    states: "SFNClient", execution: Execution, deadline: float, sleep: Callable[[float], None]
) -> list[Result]:
    pause = 0.1
    while True:
        state = states.describe_execution(executionArn=execution.arn)
        if state["status"] == "SUCCEEDED":
            return _account(execution, json.loads(state["output"])["results"])
        if state["status"] in ENDED:
            error = state.get("error") or f"States.{state['status'].title()}"
            return _all_failed(execution, error, state.get("cause") or "")
        if time.monotonic() > deadline:
            raise ExecutionFailed(
                f"{execution.arn} still runs; look at it in the console, or give "
                "workflow.execution_timeout_seconds more time."
            )
        sleep(pause)
        pause = min(2.0, pause * 1.5)


def _account(execution: Execution, results: list[Result]) -> list[Result]:
    """Return the results if there is one for each image, else every image as failed."""
    if len(results) == len(execution.images):
        return results
    cause = f"{len(results)} results for {len(execution.images)} images"
    return _all_failed(execution, "ResultsMissing", cause)


def _all_failed(execution: Execution, error: str, cause: str) -> list[Result]:
    return [
        {"image": image, "decision": "failed", "error": {"Error": error, "Cause": cause}}
        for image in execution.images
    ]


def _parts(images: Sequence[ImageRef], size: int) -> Iterator[list[ImageRef]]:
    for first in range(0, len(images), size):
        yield list(images[first : first + size])
