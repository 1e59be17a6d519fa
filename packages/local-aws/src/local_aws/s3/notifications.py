"""What S3 publishes about an object: to EventBridge, and to functions, queues and topics directly.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

from moto.s3.exceptions import InvalidArgumentError

from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch, set_value
from local_aws.core.service_events import publish_event
from local_aws.eventbridge.delivery import (
    DeliveryFailed,
    Sender,
    compact,
    invoke_function,
    publish_to_topic,
    require_function,
    require_queue,
    require_topic,
    send_to_queue,
)

_log = logging.getLogger(__name__)
# What the request that this thread answers has in its query.
_asked = threading.local()
_SERVICE = "s3.amazonaws.com"
_ADDRESS = "127.0.0.1"
# By S3's own event name: the type of EventBridge's event, and what the reason is there.
_TYPES = {
    "ObjectCreated:Put": ("Object Created", "PutObject"),
    "ObjectCreated:Post": ("Object Created", "POST Object"),
    "ObjectCreated:Copy": ("Object Created", "CopyObject"),
    "ObjectCreated:CompleteMultipartUpload": ("Object Created", "CompleteMultipartUpload"),
    "ObjectRemoved:Delete": ("Object Deleted", "DeleteObject"),
    "ObjectRemoved:DeleteMarkerCreated": ("Object Deleted", "DeleteObject"),
    "ObjectAcl:Put": ("Object ACL Updated", ""),
    "ObjectTagging:Put": ("Object Tags Added", ""),
    "ObjectTagging:Delete": ("Object Tags Deleted", ""),
}
_DELETIONS = {
    "ObjectRemoved:Delete": "Permanently Deleted",
    "ObjectRemoved:DeleteMarkerCreated": "Delete Marker Created",
}


def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
    """Publish what happened to an object, as its bucket is configured to."""
    del account_id
    configuration = bucket.notification_configuration
    name = str(getattr(event_name, "value", event_name)).removeprefix("s3:")
    if configuration is None or not _was_asked_for(name):
        return
    _notify(configuration, event_name, name, bucket, key)
    if configuration.event_bridge is not None and name in _TYPES:
        detail = event_detail(name, bucket, key)
        publish_event("aws.s3", _TYPES[name][0], detail, [bucket.arn], bucket.region_name)


set_value(
    "moto.s3.notifications.send_event",
    send_event,
    why="runs functions within the request, past all policies, with events of fixed values",
)


@patch("moto.s3.responses.S3Response._key_response", why="publishes several events of one upload")
def key_response(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Answer a request about an object, with what it asks for at hand."""
    _asked.parts = set(parse_qs(urlsplit(full_url).query, keep_blank_values=True))
    try:
        return original(response, request, full_url)
    finally:
        _asked.parts = None


def _was_asked_for(name: str) -> bool:
    """Return whether the request is about what the event reports.

    moto sets tags and an ACL at every upload, and puts an object to complete one in parts; S3
    publishes one creation.
    """
    parts = getattr(_asked, "parts", None)
    if parts is None:
        return True
    if name == "ObjectCreated:Put":
        return "uploadId" not in parts
    part = {"ObjectTagging": "tagging", "ObjectAcl": "acl"}.get(name.partition(":")[0])
    return part is None or part in parts


def event_detail(name: str, bucket: Any, key: Any) -> dict[str, Any]:
    """Return the detail of EventBridge's event about an object."""
    reason = _TYPES[name][1]
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _object(name, bucket, key, quoted=False),
        "request-id": _request_id(),
        "requester": ACCOUNT_ID,
        "source-ip-address": _ADDRESS,
        **({"reason": reason} if reason else {}),
        **({"deletion-type": _DELETIONS[name]} if name in _DELETIONS else {}),
    }


def record(name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, Any]:
    """Return the record that functions, queues and topics get."""
    at = clock.now()
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "eventName": name,
        "userIdentity": {"principalId": f"AWS:{ACCOUNT_ID}"},
        "requestParameters": {"sourceIPAddress": _ADDRESS},
        "responseElements": {"x-amz-request-id": _request_id(), "x-amz-id-2": uuid.uuid4().hex},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": notification_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": ACCOUNT_ID},
                "arn": bucket.arn,
            },
            "object": _object(name, bucket, key, quoted=True),
        },
    }


def _object(name: str, bucket: Any, key: Any, *, quoted: bool) -> dict[str, Any]:
    tag, version = ("eTag", "versionId") if quoted else ("etag", "version-id")
    found: dict[str, Any] = {"key": quote_plus(key.name, safe="/") if quoted else key.name}
    if not name.startswith("ObjectRemoved"):
        found |= {"size": key.size, tag: key.etag.strip('"')}
    if bucket.versioning_status == "Enabled":
        found[version] = key.version_id
    return {**found, "sequencer": f"{int(clock.now().timestamp() * 1e6):016X}"}


def _request_id() -> str:
    return uuid.uuid4().hex[:16].upper()


def _notify(configuration: Any, event_name: Any, name: str, bucket: Any, key: Any) -> None:
    sender = Sender(_SERVICE, bucket.arn)
    senders = (
        (configuration.cloud_function, invoke_function),
        (configuration.queue, send_to_queue),
        (configuration.topic, publish_to_topic),
    )
    for notifications, send in senders:
        for notification in notifications:
            if not notification.matches(event_name, key.name):
                continue
            text = compact({"Records": [record(name, bucket, key, notification.id)]})
            try:
                send(sender, notification.arn, text)
            except DeliveryFailed as error:  # S3 reports a failed notification to nobody
                _log.warning(
                    "%s did not get the notification of %s: %s",
                    notification.arn,
                    name,
                    error.message,
                )


# By the kind of a configuration: its field, the service of its ARN, what S3 asks of it, and what
# S3 says of one that is absent and of one that does not let it in.
_DESTINATIONS: dict[str, tuple[str, str, Callable[[Sender, str], Any], str, str]] = {
    "QueueConfiguration": (
        "Queue",
        "sqs",
        require_queue,
        "The destination queue does not exist",
        "Permissions on the destination queue do not allow S3 to publish notifications from this "
        "bucket",
    ),
    "TopicConfiguration": (
        "Topic",
        "sns",
        require_topic,
        "The destination topic does not exist",
        "Permissions on the destination topic do not allow S3 to publish notifications from this "
        "bucket",
    ),
    "CloudFunctionConfiguration": (
        "CloudFunction",
        "lambda",
        require_function,
        "The destination Lambda does not exist",
        "Not authorized to invoke function [{arn}]",
    ),
}


@patch(
    "moto.s3.responses.S3Response._notification_config_from_body",
    why="takes destinations that are not there, or do not let S3 in",
)
def notification_configuration(original: Any, response: Any) -> Any:
    """Return the configuration of a request; raises InvalidArgument where S3 would not publish.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
    """
    configuration = original(response) or {}
    if response.headers.get("x-amz-skip-destination-validation", "").lower() != "true":
        bucket = response.backend.get_bucket(response.bucket_name)
        sender = Sender(_SERVICE, bucket.arn)
        for kind, rule in _DESTINATIONS.items():
            given = configuration.get(kind) or []
            for one in given if isinstance(given, list) else [given]:
                _require_destination(sender, str(one.get(rule[0])), kind)
    return configuration


def _require_destination(sender: Sender, arn: str, kind: str) -> None:
    _, service, require, absent, closed = _DESTINATIONS[kind]
    parts = arn.split(":")
    try:
        if len(parts) < 6 or parts[2] != service or parts[4] != ACCOUNT_ID:
            raise DeliveryFailed("NO_RESOURCE", arn)
        require(sender, arn)
    except (DeliveryFailed, KeyError) as error:  # moto has no backend of a region that is none
        is_closed = getattr(error, "code", "") == "NO_PERMISSIONS"
        reason = closed.format(arn=arn) if is_closed else absent
        message = "Unable to validate the following destination configurations"
        raise InvalidArgumentError(message, arn, reason) from error
