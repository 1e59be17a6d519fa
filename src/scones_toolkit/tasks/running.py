"""The task that classifies images: executions of the workflow, and how each image ended."""

import hashlib
import json
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.errors import DeployError, ExecutionFailed, SettingsError
from scones_core.events import DECISIONS, Decision, ImageRef, Result
from scones_core.limits import STATE_BYTES
from scones_core.uris import S3Uri
from scones_monitor.join import cause_text
from scones_toolkit.console import Console, ProgressCallback
from scones_toolkit.project import Project
from scones_toolkit.tasks import data

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

RESULT_BYTES = 740
"""A result without its key, at most: references, three labels of 64 characters, figures."""


# Results beyond these are not printed.
LISTED = 20
# Where local images go in the data bucket.
UPLOADS = "uploads"
SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
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
    """Yield batches of at most `size` images whose results fit into a state together."""
    part: list[ImageRef] = []
    room = STATE_BYTES
    for image in images:
        needed = RESULT_BYTES + len(json.dumps(image["key"], ensure_ascii=False).encode())
        if part and (len(part) == size or needed > room):
            yield part
            part, room = [], STATE_BYTES
        part.append(image)
        room -= needed
    if part:
        yield part


def run(
    project: Project,
    *,
    images: Sequence[str] = (),
    count: int = 0,
    seed: int = 0,
    as_json: bool = False,
) -> Run:
    """Classify images, print how each ended and how many are right, and return the results.

    `images` are S3 locations, local files and folders (see `choose_images`). `as_json` prints
    the results as JSON on stdout, and all else on stderr. Raises DeployError where no
    endpoint is deployed, and ExecutionFailed where an image failed.
    """
    project = project.on_stderr() if as_json else project
    if not project.deployment.endpoint_name:
        flag = project.env_flag
        raise DeployError(f"No endpoint is deployed: inv release{flag}, then inv apply{flag}")
    chosen = choose_images(project, images=images, count=count, seed=seed)
    done = classify(project, [image for image, _ in chosen])
    truth = [label for _, label in chosen]
    if as_json:
        Console().raw(json.dumps(summary(done, truth), indent=1))
    else:
        _print(project, done, truth)
    require_none_failed(done)
    return done


def choose_images(
    project: Project, *, images: Sequence[str] = (), count: int = 0, seed: int = 0
) -> list[tuple[ImageRef, str]]:
    """Return images with their true labels, empty where the label is not known.

    They are those of `images`: S3 locations, and local files or folders, which are uploaded;
    without `images`, `count` random test images of the dataset, 0 meaning all. Raises
    SettingsError for a path without images.
    """
    if count < 0:
        raise SettingsError(f"--count must be 0 or more, not {count}.")
    bucket = project.deployment.data_bucket
    if images:
        known = set(project.deployment.labels)
        return [found for each in images for found in _given_images(project, each, known)]
    rows = data.current(project).split("test")
    if count:
        # A sample for a person to look at; nothing depends on its being unpredictable.
        rows = tuple(random.Random(seed).sample(rows, min(count, len(rows))))  # noqa: S311
    return [({"bucket": bucket, "key": row.key}, row.label) for row in rows]


def _given_images(
    project: Project, location: str, labels: Collection[str]
) -> Iterator[tuple[ImageRef, str]]:
    """Yield the images of an S3 location, a file or a folder; a class folder is the truth."""
    if location.startswith("s3://"):
        uri = S3Uri.parse(location)
        yield {"bucket": uri.bucket, "key": uri.key}, _folder_label(uri.key, labels)
        return
    for file in local_images(location):
        yield _upload(project, file), _folder_label(file.as_posix(), labels)


def local_images(location: str) -> list[Path]:
    """Return the image at a path, or the PNG and JPEG files of a folder; raises SettingsError."""
    path = Path(location).expanduser()
    files = sorted(each for each in path.rglob("*") if _is_image(each)) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise SettingsError(
            f"--image {location} is not an image, nor a folder with PNG or JPEG files, nor an "
            "s3:// location."
        )
    return files


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _folder_label(key: str, labels: Collection[str]) -> str:
    folder = PurePosixPath(key).parent.name
    return folder if folder in labels else ""


def _upload(project: Project, file: Path) -> ImageRef:
    """Put a local image into the data bucket, under its hash, and return where it is."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error
    bucket = project.deployment.data_bucket
    name = re.sub(r"[^A-Za-z0-9._-]", "_", file.name)
    key = f"{UPLOADS}/{hashlib.sha256(body).hexdigest()[:16]}/{name}"
    project.client("s3").put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType=SUFFIXES.get(file.suffix.lower(), "application/octet-stream"),
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=project.deployment.kms_key_arn,
    )
    return {"bucket": bucket, "key": key}


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


def require_none_failed(done: Run) -> None:
    """Raise ExecutionFailed, naming the first one, where an image failed."""
    failed = [result for result in done.results if result["decision"] == "failed"]
    if failed:
        raise ExecutionFailed(
            f"{len(failed)} of {len(done.results)} images failed; the first: "
            f"{_location(failed[0])}: {_failure(failed[0])}"
        )


def _print(project: Project, done: Run, truth: Sequence[str]) -> None:
    say = project.console.say
    rows = [_row(result, label) for result, label in zip(done.results, truth, strict=True)]
    if len(rows) > LISTED:
        file = project.records.path("execution").relative_to(project.root)
        title = f"First {LISTED} of {len(rows)}; all are in {file}, or printed by --json"
    else:
        title = ""
    header = ("image", "decision", "answer", "confidence", "truth")
    shown = [row if any(truth) else row[:-1] for row in rows[:LISTED]]
    project.console.grid(title, header if any(truth) else header[:-1], shown)
    counts = done.counts()
    say(", ".join(f"{n} {name}" for name, n in counts.items()))
    if any(truth):
        right, known = _right(done, truth)
        if known:
            say(f"{right} of {known} classified images of known class are right.")
    if counts["accepted"] + counts["review"]:
        project.hint("report", *(["review"] if counts["review"] else []))


def _right(done: Run, truth: Sequence[str]) -> tuple[int, int]:
    """Return how many classified images of known class are right, and how many there are."""
    pairs = [
        (result["inference"]["label"], label)
        for result, label in zip(done.results, truth, strict=True)
        if label and "inference" in result
    ]
    return sum(answer == label for answer, label in pairs), len(pairs)


def summary(done: Run, truth: Sequence[str]) -> dict[str, Any]:
    """Return a run as JSON: its executions, counts, and every result."""
    right, known = _right(done, truth)
    results = [
        {
            "image": _location(result),
            "decision": result["decision"],
            "label": result["inference"]["label"] if "inference" in result else None,
            "confidence": result["inference"]["confidence"] if "inference" in result else None,
            "truth": label or None,
            "error": _failure(result) if result["decision"] == "failed" else None,
        }
        for result, label in zip(done.results, truth, strict=True)
    ]
    counts: dict[str, int] = {str(name): n for name, n in done.counts().items()}
    counts |= {"right": right, "of_known_class": known}
    return {"executions": done.executions, "counts": counts, "results": results}


def _location(result: Result) -> str:
    """Return an image's S3 location; an input that names no image is shown as it is."""
    image: Mapping[str, Any] = result["image"]
    if "bucket" in image and "key" in image:
        return f"s3://{image['bucket']}/{image['key']}"
    return str(image)


def _failure(result: Result) -> str:
    error = result.get("error", {"Error": "unknown", "Cause": ""})
    cause = cause_text(error["Cause"])
    return f"{error['Error']}: {cause}" if cause else error["Error"]


def _row(result: Result, truth: str) -> tuple[str, str, str, str, str]:
    image = result["image"].get("key", str(result["image"]))
    inference = result.get("inference")
    if inference is None:
        error = result.get("error", {"Error": "unknown", "Cause": ""})
        return (image, result["decision"], error["Error"], "", truth)
    confidence = f"{inference['confidence']:.4f}"
    return (image, result["decision"], inference["label"], confidence, truth)
