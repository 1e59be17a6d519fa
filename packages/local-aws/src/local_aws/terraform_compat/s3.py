"""Answers of S3, and the bucket policies in front of it."""

import contextlib
import json
import threading
from typing import Any

from local_aws.core.patching import wrap

_SECURE_TRANSPORT = "aws:SecureTransport"
# What the standard library computes; moto takes CRC32 for the others.
_CHECKED = ("SHA256", "SHA1", "CRC32")


def install() -> None:
    """Mend bucket notifications, policies and logging."""
    _bucket_policy()
    _bucket_logging()
    _bucket_notification()
    _checksums()
    _conditional_puts()


def _bucket_policy() -> None:
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    fault = "denies where a statement's condition is not met, so a TLS-only bucket is closed"

    @wrap(IAMPolicyStatement, "is_action_permitted", fault=fault)
    def is_action_permitted(
        original: Any, statement: Any, action: str, *args: Any, **more: Any
    ) -> Any:
        condition = statement._statement.get("Condition")
        if condition and not _meets(condition):
            return PermissionResult.NEUTRAL
        return original(statement, action, *args, **more)


def _meets(condition: dict[str, Any]) -> bool:
    """Return whether a request that never leaves the machine meets what is asked of transport.

    It counts as secure. A condition on anything else is left to moto, which knows the values.
    """
    asked = [
        str(value).lower()
        for operator, keys in condition.items()
        if operator in ("Bool", "BoolIfExists")
        for key, value in keys.items()
        if key == _SECURE_TRANSPORT
    ]
    return "false" not in asked


def _bucket_logging() -> None:
    from moto.s3.models import FakeBucket

    fault = 'breaks on a statement with "Principal": "*" in the target bucket\'s policy'

    @wrap(FakeBucket, "_log_permissions_enabled_policy", fault=fault)
    def log_permissions(original: Any, target_bucket: Any, target_prefix: str | None) -> bool:
        return bool(original(_ServicePolicy(target_bucket), target_prefix))


class _ServicePolicy:
    """A bucket as the check for log delivery may see it: statements on services alone."""

    def __init__(self, bucket: Any) -> None:
        self.partition, self.name = bucket.partition, bucket.name
        self.policy = bucket.policy
        if bucket.policy:
            document = json.loads(bucket.policy.decode())
            statements = document["Statement"]
            statements = statements if isinstance(statements, list) else [statements]
            kept = [item for item in statements if isinstance(item.get("Principal"), dict)]
            self.policy = json.dumps({**document, "Statement": kept}).encode()


def _bucket_notification() -> None:
    from moto.s3.responses import S3Response

    fault = "does not tell that a bucket sends its events to EventBridge"

    @wrap(S3Response, "get_bucket_notification", fault=fault)
    def get_bucket_notification(original: Any, response: Any) -> Any:
        found = response.backend.get_bucket_notification_configuration(response.bucket_name)
        if found is None or found.event_bridge is None:
            return original(response)
        status, headers, body = original(response)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, _with_event_bridge(text)


def _with_event_bridge(text: str) -> str:
    """Return a NotificationConfiguration document with the element that has no content."""
    element, closing = "<EventBridgeConfiguration/>", "</NotificationConfiguration>"
    if closing in text:
        return text.replace(closing, f"{element}{closing}")
    head, _, rest = text.rpartition("/>")  # the document is one empty element
    return f"{head}>{element}{closing}{rest}"


def _checksums() -> None:
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response
    from moto.s3.utils import compute_checksum

    fault = "takes any checksum for the body's, and drops one without the algorithm's name"

    @wrap(S3Response, "_get_checksum", fault=fault)
    def get_checksum(original: Any, response: Any, headers: dict[str, Any]) -> Any:
        for algorithm in _CHECKED:
            name = f"x-amz-checksum-{algorithm.lower()}"
            given = response.headers.get(name)
            if given is None:
                continue
            if compute_checksum(response.body or b"", algorithm).decode() != given:
                sentence = f"The {algorithm} you specified did not match the calculated checksum."
                raise S3ClientError("BadDigest", sentence)
            headers[name] = given
            return algorithm, given
        return original(response, headers)


def _conditional_puts() -> None:
    from moto.s3.responses import S3Response

    lock = threading.Lock()

    @wrap(S3Response, "put_object", fault="lets two conditional writers both be the first")
    def put_object(original: Any, response: Any) -> Any:
        conditional = any(response.headers.get(name) for name in ("If-Match", "If-None-Match"))
        with lock if conditional else contextlib.nullcontext():
            return original(response)
