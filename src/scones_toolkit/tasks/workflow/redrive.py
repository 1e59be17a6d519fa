"""The task that has failed images classified again, where another try may help."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import (
    ExecutionFailed,
    ImageNotFound,
    ImageTooLarge,
    InvalidInference,
    InvalidRequest,
    MonitorError,
    UnsupportedImage,
)
from scones_core.events import ImageRef, Result, parse_image_ref
from scones_core.json_text import parse_json
from scones_toolkit.console import plural
from scones_toolkit.project import Project
from scones_toolkit.tasks.workflow import run as running
from scones_toolkit.tasks.workflow.results import (
    RUNNING,
    ExecutionEnd,
    ends_of,
    results_of_end,
)

# The errors that the image itself causes: another try ends the same way.
INCURABLE = frozenset(
    error.__name__
    for error in (
        InvalidRequest,
        ImageNotFound,
        ImageTooLarge,
        UnsupportedImage,
        InvalidInference,
    )
)
HIDDEN_SECONDS = 120
MESSAGES_A_CALL = 10


def redrive(project: Project, *, run: str = "", everything: bool = False) -> str:
    """Have failed images classified again, and return the execution's ARN, empty for none.

    Without `run`, those of the dead-letter queue, whose messages are removed once the execution
    has them. With `run`, an execution's name or ARN, or `last`: one that failed as a whole
    continues where it failed, with its Map Run; of those that succeeded the failed images are sent
    again. Only what another try may cure, unless `everything`. Raises MonitorError for a run that
    was redriven before or cannot be.
    """
    if not run:
        return _redrive_queue(project, everything=everything)
    ends = ends_of(project, run)
    if running_still := next((end for end in ends if end.status == RUNNING), None):
        raise MonitorError(f"The execution {running_still.name} still runs; wait for its end.")
    whole = [end for end in ends if end.status == "SUCCEEDED"]
    failed = [one for end in whole for one in results_of_end(project, end) if _failed(one)]
    arns = [_continue(project, end) for end in ends if end not in whole]
    if failed or not arns:
        arns.append(_replay(project, whole, failed, everything=everything))
    return arns[-1]


def _failed(result: Result) -> bool:
    return result["decision"] == "failed"


def _continue(project: Project, end: ExecutionEnd) -> str:
    """Redrive an execution that failed as a whole: what succeeded in it is not done again."""
    states = project.client("stepfunctions")
    found = states.describe_execution(executionArn=end.arn)
    if found.get("redriveStatus") not in (None, "REDRIVABLE"):
        times = found.get("redriveCount", 0)
        before = f"It was redriven {plural(times, 'time')}. " if times else ""
        raise MonitorError(
            f"The execution {end.name} cannot be redriven: "
            f"{found.get('redriveStatusReason') or found['redriveStatus']} {before}".strip()
        )
    try:
        states.redrive_execution(executionArn=end.arn)
    except ClientError as error:
        raise MonitorError(f"The execution {end.name} cannot be redriven: {error}") from error
    project.console.say(f"{end.name} continues where it failed ({end.error}).")
    project.hint(f"results --run {end.name}")
    return end.arn


def _replay(
    project: Project, ends: Sequence[ExecutionEnd], failed: Sequence[Result], *, everything: bool
) -> str:
    """Start an execution over the failed images of a run whose executions succeeded."""
    name = ends[0].name if len(ends) == 1 else "the last run"
    described = f"the execution {name}" if len(ends) == 1 else name
    if not failed:
        raise MonitorError(f"No image of {described} failed; nothing is to redrive.")
    items = [(one["image"], one.get("error", {}).get("Error", "unknown")) for one in failed]
    images, left = _curable(items, everything=everything)
    _print_left_out(project, left)
    if not images:
        raise MonitorError(
            f"None of the {len(failed)} failed images of {name} can be cured by another try; "
            "correct them and send them again, or give --all."
        )
    arns = "#".join(end.arn for end in ends)
    redriving = f"redrive-{hashlib.sha256(arns.encode()).hexdigest()[:16]}"
    return _start(project, redriving, images, described[0].upper() + described[1:])


def _redrive_queue(project: Project, *, everything: bool) -> str:
    url = queue_url(project)
    sqs = project.client("sqs")
    taken = list(_letters(sqs, url))
    chosen: list[tuple[dict[str, Any], ImageRef]] = []
    left: Counter[str] = Counter()
    try:
        for message, content in taken:
            images, reasons = _curable([_item(content)], everything=everything)
            left += reasons
            chosen += [(message, image) for image in images]
        _print_left_out(project, left)
        if not chosen:
            project.console.say(
                "The dead-letter queue holds nothing that another try may cure."
                if taken
                else "The dead-letter queue is empty; nothing is to redrive."
            )
            return ""
        ids = sorted(message["MessageId"] for message, _ in chosen)
        name = f"redrive-{hashlib.sha256('#'.join(ids).encode()).hexdigest()[:16]}"
        arn = _start(project, name, [image for _, image in chosen], "The messages of the queue")
        _delete(sqs, url, [message for message, _ in chosen])
        return arn
    finally:
        kept = {message["MessageId"] for message, _ in chosen}
        for message, _ in taken:
            if message["MessageId"] not in kept:
                _show_again(sqs, url, message)


def _delete(sqs: Any, url: str, messages: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(messages), MESSAGES_A_CALL):
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages[first : first + MESSAGES_A_CALL])
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def _show_again(sqs: Any, url: str, message: Mapping[str, Any]) -> None:
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )


def queue_url(project: Project) -> str:
    """Return the URL of the dead-letter queue; raises MonitorError where there is none."""
    prefix = project.deployment.state_machine_arn.rpartition(":")[2].removesuffix("-classify")
    try:
        found = project.client("sqs").get_queue_url(QueueName=f"{prefix}-dead-letters")
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        raise MonitorError(
            f"{project.environment} has no dead-letter queue; give --run <execution>, or apply the "
            f"present Terraform: inv apply{project.env_flag}"
        ) from error
    return str(found["QueueUrl"])


def _letters(sqs: Any, url: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each message of a queue once, hidden from others meanwhile, with its JSON."""
    known: set[str] = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=MESSAGES_A_CALL, VisibilityTimeout=HIDDEN_SECONDS
        )
        fresh = [one for one in answer.get("Messages", []) if one["MessageId"] not in known]
        if not fresh:
            return
        for one in fresh:
            known.add(one["MessageId"])
            try:
                yield one, parse_json(one["Body"])
            except ValueError:
                yield one, None


def _item(content: Any) -> tuple[Any, str]:
    """Return what a dead letter is about, and its error."""
    if not isinstance(content, Mapping):
        return None, "no dead letter"
    return content.get("item", content.get("image")), str(content.get("error", "unknown"))


def _curable(
    items: Sequence[tuple[Any, str]], *, everything: bool
) -> tuple[list[ImageRef], Counter[str]]:
    """Return the images to try again, and why each other one is left out."""
    images: list[ImageRef] = []
    left: Counter[str] = Counter()
    for item, error in items:
        try:
            image = parse_image_ref(item)
        except InvalidRequest:
            left["it names no image"] += 1
            continue
        if error in INCURABLE and not everything:
            left[f"{error}: another try ends the same way"] += 1
        else:
            images.append(image)
    return images, left


def _print_left_out(project: Project, left: Counter[str]) -> None:
    for reason, count in left.most_common():
        project.console.say(f"  left out: {count}, {reason}")


def _start(project: Project, name: str, images: Sequence[ImageRef], description: str) -> str:
    """Start the execution of a name; raises MonitorError where it was started before."""
    try:
        arn = running.start(project, images, name=name)
    except ExecutionFailed as error:
        cause = error.__cause__
        code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""
        if code != "ExecutionAlreadyExists":
            raise
        raise MonitorError(
            f"{description} was redriven already, by the execution {name}; see how that ended: "
            f"inv results --run {name}{project.env_flag}"
        ) from error
    project.console.say(f"The execution {name} classifies {plural(len(images), 'image')} again.")
    project.hint(f"results --run {name}")
    return arn
