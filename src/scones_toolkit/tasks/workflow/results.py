"""The task that shows what became of a run, and where its files lie."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import InvalidRequest, MonitorError
from scones_core.events import (
    DECISIONS,
    Failure,
    ImageRef,
    Result,
    is_result,
    parse_image_ref,
)
from scones_core.json_text import parse_json
from scones_core.uris import S3Uri
from scones_monitor.joined_results import cause_text
from scones_toolkit.console import Console, plural
from scones_toolkit.project import Project
from scones_toolkit.tasks.workflow import run as running

LAST = "last"
RUNS = "runs"
RUNNING = "RUNNING"
# Groups of failures beyond these are counted, not listed.
LISTED = 20
# What differs between two causes of one kind: locations, quoted values, ids, numbers.
_OWN = re.compile(r"s3://\S+|'[^']*'|\"[^\"]*\"|\b[0-9a-f]{16,}\b|\d+")


class NoResults(MonitorError):
    """A run has left no results in the data bucket."""


@dataclass(frozen=True, slots=True)
class ExecutionEnd:
    """An execution: `stopped` is None while it runs; `input` and `output` are its JSON, parsed."""

    arn: str
    status: str
    started: datetime
    stopped: datetime | None
    input: Any
    output: Any
    error: str
    cause: str

    @property
    def name(self) -> str:
        """The execution's name, which its folder in the data bucket has as well."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed images of one error and, but for their own values, one cause.

    `image` is the first of them, and `cause` its own.
    """

    error: str
    cause: str
    count: int
    image: str


def execution_arn(project: Project, run: str) -> str:
    """Return the ARN of an execution of this environment's workflow, by its name or its ARN."""
    if run.startswith("arn:"):
        return run
    return f"{project.deployment.state_machine_arn.replace(':stateMachine:', ':execution:')}:{run}"


def execution_end(project: Project, run: str) -> ExecutionEnd:
    """Return an execution by its name or ARN; raises MonitorError where there is none."""
    try:
        described = project.client("stepfunctions").describe_execution(
            executionArn=execution_arn(project, run)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            raise MonitorError(
                f"There is no execution {run!r} in {project.environment}; give a name that "
                "`inv run` printed, or last."
            ) from error
        raise
    return ExecutionEnd(
        described["executionArn"],
        described["status"],
        described["startDate"],
        described.get("stopDate"),
        _parsed(described.get("input")),
        _parsed(described.get("output")),
        described.get("error") or f"States.{described['status'].title()}",
        described.get("cause") or "",
    )


def ends_of(project: Project, run: str) -> list[ExecutionEnd]:
    """Return the executions of a run: of the last one, or the one of this name or ARN."""
    names = project.records.read("execution")["executions"] if run == LAST else [run]
    return [execution_end(project, name) for name in names]


def _parsed(text: str | None) -> Any:
    try:
        return parse_json(text or "null")
    except ValueError:
        return None


def results_of(project: Project, run: str = "") -> list[Result]:
    """Return the results of an execution by its name or ARN; of the last run without one.

    Raises MonitorError for an execution that is unknown, still runs, or left no results.
    """
    if run in ("", LAST):
        recorded: list[Result] = project.records.read("execution")["results"]
        return recorded
    end = execution_end(project, run)
    if end.status == RUNNING:
        raise MonitorError(f"The execution {end.name} still runs; wait for its end.")
    return results_of_end(project, end)


def results_of_end(project: Project, end: ExecutionEnd) -> list[Result]:
    """Return the results of an ended execution.

    Where it failed as a whole, each of its images that it had not decided is `failed` with its
    error. Raises MonitorError where it left no results, and names no images.
    """
    if end.status == "SUCCEEDED":
        inline = end.output.get("results") if isinstance(end.output, dict) else None
        if isinstance(inline, list) and all(map(is_result, inline)):
            return inline
        return list(stored_results(project, end.name))
    try:
        decided = list(stored_results(project, end.name))
    except NoResults:
        decided = []
    known = {place(result["image"]) for result in decided}
    failure: Failure = {"Error": end.error, "Cause": cause_text(end.cause)}
    lost: list[Result] = [
        {"image": image, "decision": "failed", "error": failure}
        for image in images_of(project, end.input)
        if place(image) not in known
    ]
    if not decided and not lost:
        raise MonitorError(
            f"The execution {end.name} ended as {end.status} and names no images: {end.error} "
            f"{failure['Cause']}".rstrip()
        )
    return [*decided, *lost]


def images_of(project: Project, execution_input: Any) -> Iterator[ImageRef]:
    """Yield the images that an execution's input names: a list, one item, or lines of a manifest.

    Those of a prefix are not listed: what lies there may have changed since.
    """
    if not isinstance(execution_input, Mapping):
        return
    source, images = execution_input.get("source"), execution_input.get("images")
    named: Any = images if isinstance(images, list) else [execution_input]
    if isinstance(source, Mapping):
        named = []
        if source.get("format") == "JSONL":
            body = project.client("s3").get_object(Bucket=source["bucket"], Key=source["manifest"])
            named = running.json_lines(body["Body"])
    for image in named:
        try:
            yield parse_image_ref(image)
        except InvalidRequest:
            # It failed for that in its own result, where its execution got so far.
            continue


def stored_results(project: Project, name: str) -> Iterator[Result]:
    """Yield the results that a large run wrote to `runs/<name>/results/`.

    Raises NoResults where there are none, MonitorError for a line that is no result.
    """
    bucket, any_line = project.deployment.data_bucket, False
    for content in running.stored_results(project.client("s3"), bucket, f"{RUNS}/{name}/"):
        any_line = True
        yield content
    if not any_line:
        where = S3Uri(bucket, f"{RUNS}/{name}/results/")
        raise NoResults(f"The execution {name} left no results below {where}")


def results(project: Project, *, run: str = LAST, as_json: bool = False) -> dict[str, Any]:
    """Print a run's counts, rate, failures by cause and places, and return them.

    `run` is an execution's name or ARN, or `last`. `as_json` prints them as JSON on stdout.
    Raises MonitorError as `results_of` does.
    """
    ends = ends_of(project, run)
    unfinished = [end.name for end in ends if end.status == RUNNING]
    decided = [
        result for end in ends if end.status != RUNNING for result in results_of_end(project, end)
    ]
    groups = failure_groups(decided)
    decisions = Counter(result["decision"] for result in decided)
    seconds = _seconds(ends, project.now())
    summary: dict[str, Any] = {
        "executions": [{"name": end.name, "status": end.status} for end in ends],
        "running": unfinished,
        "images": len(decided),
        **{decision: decisions[decision] for decision in DECISIONS},
        "seconds": round(seconds, 3),
        "images_per_second": round(len(decided) / seconds, 3) if seconds > 0 else None,
        "failures": [
            {"error": group.error, "cause": group.cause, "count": group.count, "first": group.image}
            for group in groups
        ],
        "files": _files(project, ends),
    }
    if as_json:
        Console().raw(json.dumps(summary, indent=1))
    else:
        _print(project, summary, groups)
    return summary


def failure_groups(decided: Sequence[Result]) -> list[FailureGroup]:
    """Return the failures by error and cause, the most frequent first."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for result in decided:
        if result["decision"] == "failed":
            error: Mapping[str, Any] = result.get("error", {})
            cause = cause_text(error.get("Cause", ""))
            groups[error.get("Error", "unknown"), _OWN.sub("…", cause)].append(
                (cause, place(result["image"]))
            )
    failures = [
        FailureGroup(error, ones[0][0], len(ones), ones[0][1])
        for (error, _), ones in groups.items()
    ]
    return sorted(failures, key=lambda group: (-group.count, group.error, group.cause))


def place(image: Any) -> str:
    """Return an image's S3 location; an input that names no image is shown as it is."""
    if isinstance(image, Mapping) and "bucket" in image and "key" in image:
        return str(S3Uri(str(image["bucket"]), str(image["key"])))
    return f"{image!r:.120}"


def _seconds(ends: Sequence[ExecutionEnd], now: datetime) -> float:
    """Return the time from the first start to the last end; to now where one still runs."""
    if not ends:
        return 0.0
    last = max(end.stopped or now for end in ends)
    return max(0.0, (last - min(end.started for end in ends)).total_seconds())


def _files(project: Project, ends: Sequence[ExecutionEnd]) -> list[str]:
    """Return where the runs left files: those of small runs are in the executions alone."""
    bucket = project.deployment.data_bucket
    s3 = project.client("s3")
    prefixes = [f"{RUNS}/{end.name}/" for end in ends]
    return [
        str(S3Uri(bucket, prefix))
        for prefix in prefixes
        if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount")
    ]


def _print(project: Project, summary: Mapping[str, Any], groups: Sequence[FailureGroup]) -> None:
    say = project.console.say
    executions = summary["executions"]
    rate = summary["images_per_second"]
    say(
        f"{plural(summary['images'], 'image')} of {plural(len(executions), 'execution')}: "
        + ", ".join(f"{summary[decision]} {decision}" for decision in DECISIONS)
        + f"; {summary['seconds']:.1f} s"
        + (f", {rate:.1f} images a second" if rate else "")
    )
    if summary["running"]:
        say(
            f"  Still running: {plural(len(summary['running']), 'execution')}: "
            f"{', '.join(summary['running'][:5])}"
        )
    if groups:
        rows = [(group.count, group.error, group.cause, group.image) for group in groups[:LISTED]]
        project.console.grid("", ("failed", "error", "cause", "first image"), rows)
        if len(groups) > LISTED:
            say(f"  {len(groups) - LISTED} further causes; all are printed by --json")
    for file in summary["files"]:
        say(f"  files: {file}")
    if not summary["files"]:
        say("  The results of these executions are in their outputs; they left no files.")
    run_flag = f" --run {executions[0]['name'] if len(executions) == 1 else LAST}"
    steps = [f"redrive{run_flag}"] if groups else []
    steps += [f"review{run_flag}"] if summary["review"] else []
    if steps:
        project.hint(*steps)
