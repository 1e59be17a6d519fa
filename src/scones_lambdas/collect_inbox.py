"""Inbox: a batch of the queue's messages about `inbox/` becomes one execution.

EventBridge gives keys as they are; S3's own notifications encode them (`+` for a space), so those
are decoded here, where their form is known.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import InvalidRequest
from scones_core.events import INLINE_IMAGES, ImageRef, parse_image_ref
from scones_core.json_text import parse_json
from scones_lambdas import clients
from scones_lambdas.environment import InboxEnvironment
from scones_lambdas.logs_and_metrics import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def environment() -> InboxEnvironment:
    """Return the state machine and the bucket of lists; raises SettingsError."""
    return InboxEnvironment.of(os.environ)


def handler(event: Any, _context: "LambdaContext | None" = None) -> dict[str, Any]:
    """Start one execution for a batch of messages, and put those that are no S3 event aside.

    Raises botocore's errors where the execution cannot be started: all of the batch comes again.
    A message that could not be put aside comes again by itself.
    """
    images: list[ImageRef] = []
    accepted: list[str] = []
    kept: list[dict[str, str]] = []
    for message in event["Records"]:
        try:
            images += parse_message(message["body"])
            accepted.append(message["messageId"])
        except InvalidRequest as error:
            if not send_to_dead_letters(environment().dead_letter_queue, message, str(error)):
                kept.append({"itemIdentifier": message["messageId"]})
    if images:
        # Of the messages, so that a batch that comes again is the same execution.
        digest = hashlib.sha256("#".join(sorted(accepted)).encode()).hexdigest()[:32]
        start(environment(), f"inbox-{digest}", images)
    return {"batchItemFailures": kept}


def send_to_dead_letters(queue: str, message: Mapping[str, Any], reason: str) -> bool:
    """Send a message, as it came, to the dead-letter queue, with the reason as an attribute.

    Returns whether the queue took it.
    """
    logger().warning("no S3 event", extra={"message_id": message["messageId"], "reason": reason})
    sqs = clients.sqs()
    try:
        sqs.send_message(
            QueueUrl=clients.queue_url(sqs, queue),
            MessageBody=message["body"],
            MessageAttributes={"Reason": {"DataType": "String", "StringValue": reason}},
        )
    except (ClientError, BotoCoreError) as error:
        logger().error("not put aside", extra={"reason": str(error)})
        return False
    return True


def parse_message(body: str) -> list[ImageRef]:
    """Return the objects that an S3 event names, by EventBridge or directly from S3.

    Raises InvalidRequest for another message.
    """
    try:
        event = parse_json(body)
    except ValueError as error:
        raise InvalidRequest(f"The message is not valid JSON: {body[:80]!r}.") from error
    try:
        found = list(_objects(event))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"The message is no S3 event: {body[:80]!r}.") from error
    return [parse_image_ref(image) for image in found]


def _objects(event: Any) -> Iterator[Mapping[str, Any]]:
    if event.get("Event") == "s3:TestEvent":
        return
    if "detail" in event:
        entry, bucket = event["detail"]["object"], event["detail"]["bucket"]["name"]
        version = entry.get("version-id")
        yield {"bucket": bucket, "key": entry["key"], "version": version}
        return
    for record in event["Records"]:
        entry, bucket = record["s3"]["object"], record["s3"]["bucket"]["name"]
        version = entry.get("versionId")
        yield {"bucket": bucket, "key": unquote_plus(entry["key"]), "version": version}


def start(settings: InboxEnvironment, name: str, images: list[ImageRef]) -> None:
    """Start the execution of that name over these images, unless it was started before."""
    given: dict[str, Any] = {"images": images}
    if len(images) > INLINE_IMAGES:
        key = f"runs/{name}/manifest.jsonl"
        lines = "".join(f"{json.dumps(image, ensure_ascii=False)}\n" for image in images)
        clients.s3().put_object(Bucket=settings.bucket, Key=key, Body=lines.encode())
        given = {"source": {"bucket": settings.bucket, "manifest": key, "format": "JSONL"}}
    try:
        clients.stepfunctions().start_execution(
            stateMachineArn=settings.state_machine, name=name, input=json.dumps(given)
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
            raise
    logger().info("execution started", extra={"execution_name": name, "images": len(images)})
