"""The task that classifies images: executions of the workflow, and how each image ended."""

import hashlib
import json
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.errors import DeployError, ExecutionFailed, MonitorError, SettingsError
from scones_core.events import (
    INLINE_IMAGES,
    Failure,
    ImageRef,
    Result,
    count_by_decision,
    is_result,
)
from scones_core.json_text import parse_json
from scones_core.uris import S3Uri
from scones_monitor.captured_records import bounded_lines
from scones_monitor.joined_results import cause_text
from scones_toolkit.console import Console, plural
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient

# Results beyond these are not printed.
LISTED = 20
# A line is an item or an output of a state, and those have 262,144 bytes at most.
MAX_LINE_BYTES = 2**18
CHUNK_BYTES = 2**18
# Where local images go in the data bucket.
UPLOADS = "uploads"
SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class Run:
    """Every image of a run with how it ended: `results` in the order of the images.

    `executions` are the ARNs of what ran, one today.
    """

    executions: tuple[str, ...]
    results: tuple[Result, ...]

    def counts(self) -> dict[str, int]:
        """Return the number of results by decision; the three add up to the inputs."""
        return count_by_decision(self.results)


def start(project: Project, images: Sequence[ImageRef], *, name: str = "") -> str:
    """Start one execution over these images and return its ARN.

    A long list goes as a manifest in the data bucket, `runs/<name>/manifest.jsonl`: an input has
    262,144 bytes at most. Raises ExecutionFailed when the state machine takes no execution.
    """
    name = name or f"run-{uuid.uuid4().hex[:12]}"
    given: dict[str, Any] = {"images": images}
    if len(images) > INLINE_IMAGES:
        bucket, key = project.deployment.data_bucket, f"runs/{name}/manifest.jsonl"
        lines = "".join(f"{json.dumps(image, ensure_ascii=False)}\n" for image in images)
        project.client("s3").put_object(Bucket=bucket, Key=key, Body=lines.encode())
        given = {"source": {"bucket": bucket, "manifest": key, "format": "JSONL"}}
    try:
        answer = project.client("stepfunctions").start_execution(
            stateMachineArn=project.deployment.state_machine_arn,
            name=name,
            input=json.dumps(given, separators=(",", ":")),
        )
    except ClientError as error:
        raise ExecutionFailed(f"No execution could be started: {error}.") from error
    arn: str = answer["executionArn"]
    return arn


def wait(
    states: "SFNClient",
    storage: "S3Client",
    execution: str,
    images: Sequence[ImageRef],
    *,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Return how every image ended, once the execution has.

    An execution that fails as a whole makes each image that it had not decided `failed`, with the
    execution's own error: no input is ever lost. Raises ExecutionFailed after `timeout` seconds.
    """
    deadline, pause = time.monotonic() + timeout, 0.1
    while (state := states.describe_execution(executionArn=execution))["status"] not in ENDED:
        if time.monotonic() > deadline:
            raise ExecutionFailed(
                f"{execution} still runs; look at it in the console, or give "
                "workflow.execution_timeout_seconds more time."
            )
        sleep(pause)
        pause = min(2.0, pause * 1.5)
    results, error = {}, {"Error": "ResultsMissing", "Cause": "The execution gave no result of it."}
    if state["status"] != "SUCCEEDED":
        error["Error"] = state.get("error") or f"States.{state['status'].title()}"
        error["Cause"] = state.get("cause") or ""
    output = json.loads(state.get("output") or "{}")
    if len(images) > INLINE_IMAGES:
        given = json.loads(state["input"])["source"]
        run = given["manifest"].removesuffix("manifest.jsonl")
        stored = stored_results(storage, given["bucket"], run)
        results = {r["index"]: r for r in stored if "index" in r}
    elif len(output.get("results", ())) == len(images):
        results = dict(enumerate(output["results"]))
    lost = Failure(Error=error["Error"], Cause=error["Cause"])
    return Run(
        (execution,),
        tuple(
            results.get(n) or Result(image=image, decision="failed", error=lost)
            for n, image in enumerate(images)
        ),
    )


def stored_results(storage: "S3Client", bucket: str, run: str) -> Iterator[Result]:
    """Yield the results of a large run, `run` being its prefix in the bucket, with the slash.

    Raises MonitorError for a line that is no result.
    """
    where = S3Uri(bucket, f"{run}results/")
    pages = storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=where.key)
    for entry in (entry for page in pages for entry in page.get("Contents", ())):
        for content in json_lines(storage.get_object(Bucket=bucket, Key=entry["Key"])["Body"]):
            if not is_result(content):
                raise MonitorError(f"{where} has a line that is no result of the workflow.")
            yield content


def json_lines(body: Any) -> Iterator[Any]:
    """Yield the value of each line of a stored file that is not empty; None for what is no JSON.

    botocore's `iter_lines` takes minutes for a line of megabytes.
    """
    for line in bounded_lines(body.iter_chunks(CHUNK_BYTES), MAX_LINE_BYTES):
        if line.content is not None and not line.content.strip():
            continue
        try:
            yield parse_json(line.content or b"")
        except ValueError:
            yield None


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
    rows = etl.current(project).split("test")
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
    with project.console.working("listing the images"):
        files = local_images(location)
        sentence = passed_over(location, files)
    if sentence:
        project.console.say(f"  {sentence}")
    with project.console.progress("uploading") as advance:
        for done, file in enumerate(files, start=1):
            yield _upload(project, file), _folder_label(file.as_posix(), labels)
            if len(files) > 1:
                advance(done, len(files))


def local_images(location: str) -> list[Path]:
    """Return the image at a path, or the PNG and JPEG files of a folder; raises SettingsError."""
    path = Path(location).expanduser()
    if not path.exists():
        raise SettingsError(f"--image {location} does not exist.")
    files = sorted(each for each in path.rglob("*") if _is_image(each)) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise SettingsError(
            f"--image {location} is not an image, nor a folder with PNG or JPEG files, nor an "
            "s3:// location."
        )
    return files


def passed_over(location: str, chosen: Collection[Path]) -> str:
    """Return a sentence about the files of a folder that are not among the chosen; "" for none."""
    folder = Path(location).expanduser()
    other = sorted({each for each in folder.rglob("*") if not each.is_dir()}.difference(chosen))
    if not other:
        return ""
    return (
        f"{plural(len(other), 'other file')} of {location} {'was' if len(other) == 1 else 'were'} "
        "passed over: hidden, or neither PNG nor JPEG by name; the first is "
        f"{other[0].relative_to(folder)}."
    )


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
    timeout = project.settings.workflow.execution_timeout_seconds
    started_at = project.now()
    execution = start(project, images)
    with project.console.progress("classifying") as advance:
        run = wait(
            project.client("stepfunctions"),
            project.client("s3"),
            execution,
            images,
            timeout=timeout,
        )
        advance(len(images), len(images))
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
        location, total = _location(failed[0]), len(done.results)
        # The functions name the image in their causes, too.
        failure = _failure(failed[0]).replace(f"{location}: ", "")
        which = f"{len(failed)} of {total} images failed; the first" if total > 1 else "Failed"
        raise ExecutionFailed(f"{which}: {location}: {failure}")


def _print(project: Project, done: Run, truth: Sequence[str]) -> None:
    say = project.console.say
    rows = [_row(result, label) for result, label in zip(done.results, truth, strict=True)]
    if len(rows) > LISTED:
        file = project.records.path("execution").relative_to(project.root)
        title = f"First {LISTED} of {len(rows)}; all are in {file}, or printed by --json"
    else:
        title = ""
    header = ("image", "decision", "answer", "confidence", "assignment", "truth")
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
            "assignment": result.get("assignment"),
            "truth": label or None,
            "error": _failure(result) if result["decision"] == "failed" else None,
        }
        for result, label in zip(done.results, truth, strict=True)
    ]
    counts = {**done.counts(), "right": right, "of_known_class": known}
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


def _row(result: Result, truth: str) -> tuple[str, ...]:
    image = result["image"].get("key", str(result["image"]))
    inference = result.get("inference")
    if inference is None:
        error = result.get("error", {"Error": "unknown", "Cause": ""})
        return (image, result["decision"], error["Error"], "", "", truth)
    confidence = f"{inference['confidence']:.4f}"
    return (
        image,
        result["decision"],
        inference["label"],
        confidence,
        assignment_text(result),
        truth,
    )


def assignment_text(result: Result) -> str:
    """Return what an image leads to, as `bay A, near orders to 3 km`; empty for none."""
    found = result.get("assignment")
    if found is None:
        return ""
    return f"bay {found['bay']}, {found['orders']} orders to {found['max_km']:g} km"
