"""The task that classifies images: executions of the workflow, and how each image ended."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones_core.errors import ExecutionFailed, SettingsError
from scones_core.events import DECISIONS, Decision, ImageRef, Result
from scones_core.uris import S3Uri
from scones_toolkit.console import ProgressCallback
from scones_toolkit.project import Project
from scones_toolkit.tasks import data

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


# Results beyond these are counted only.
LISTED = 20
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
    advance: ProgressCallback,
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


def choose_images(
    project: Project, *, uris: Sequence[str] = (), count: int = 0, seed: int = 0
) -> list[ImageRef]:
    """Return the images of these locations, else `count` random test images, 0 meaning all."""
    if count < 0:
        raise SettingsError(f"--count must be 0 or more, not {count}.")
    if uris:
        found = [S3Uri.parse(uri) for uri in uris]
        return [{"bucket": uri.bucket, "key": uri.key} for uri in found]
    rows = data.current(project).split("test")
    if count:
        # A sample for a person to look at; nothing depends on its being unpredictable.
        rows = tuple(random.Random(seed).sample(rows, min(count, len(rows))))  # noqa: S311
    bucket = project.deployment.data_bucket
    return [{"bucket": bucket, "key": row.key} for row in rows]


def classify(project: Project, images: Sequence[ImageRef]) -> Run:
    """Run the workflow over these images, record the results and return them."""
    states, settings = project.client("stepfunctions"), project.settings.workflow
    started_at = datetime.now(UTC)
    started = start(
        states,
        project.deployment.state_machine_arn,
        images,
        per_execution=settings.images_per_execution,
    )
    with project.console.progress("classifying") as advance:
        run = wait(states, started, timeout=settings.execution_timeout_seconds, advance=advance)
    record = {
        "executions": run.executions,
        "started_at": started_at.isoformat(),
        "results": run.results,
    }
    project.records.write("execution", record)
    return run


def run(project: Project, *, images: Sequence[str] = (), count: int = 0, seed: int = 0) -> Run:
    """Classify images and print how each ended; raises ExecutionFailed where any failed."""
    chosen = choose_images(project, uris=images, count=count, seed=seed)
    done = classify(project, chosen)
    rows = [_row(result) for result in done.results]
    title = f"First {LISTED} of {len(rows)}" if len(rows) > LISTED else ""
    project.console.grid(title, ("image", "decision", "answer", "confidence"), rows[:LISTED])
    project.console.say(", ".join(f"{n} {name}" for name, n in done.counts().items()))
    require_none_failed(done)
    return done


def require_none_failed(done: Run) -> None:
    """Raise ExecutionFailed, naming the first one, where an image failed."""
    failed = [result for result in done.results if result["decision"] == "failed"]
    if failed:
        error = failed[0].get("error", {"Error": "unknown", "Cause": ""})
        raise ExecutionFailed(
            f"{len(failed)} of {len(done.results)} images failed; the first is "
            f"{failed[0]['image']}: {error['Error']}: {error['Cause']}"
        )


def _row(result: Result) -> tuple[str, str, str, str]:
    image = result["image"].get("key", str(result["image"]))
    inference = result.get("inference")
    if inference is None:
        error = result.get("error", {"Error": "unknown", "Cause": ""})
        return (image, result["decision"], error["Error"], "")
    return (image, result["decision"], inference["label"], f"{inference['confidence']:.4f}")
