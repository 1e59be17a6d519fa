"""What buckets are configured with, and how it is read back: policies, logging, events, lifecycle.

Where moto answers otherwise than AWS, Terraform shows changes for ever, or waits in vain.
"""

import json
from typing import Any

from moto.iam.access_control import PermissionResult

from local_aws.core.patching import patch
from local_aws.s3.lifecycle import require_rules

_SECURE_TRANSPORT = "aws:SecureTransport"
_KEPT = "newer_noncurrent_versions"
_FORGOTTEN = "drops how many noncurrent versions a rule keeps, so that Terraform waits in vain"


@patch(
    "moto.iam.access_control.IAMPolicyStatement.is_action_permitted",
    why="denies where a statement's condition is not met, so a TLS-only bucket is closed",
)
def is_action_permitted(original: Any, statement: Any, action: str, *args: Any, **more: Any) -> Any:
    """Return what a statement says of an action; nothing where its condition is not met."""
    condition = statement._statement.get("Condition")
    if condition and not _meets(condition):
        return PermissionResult.NEUTRAL
    return original(statement, action, *args, **more)


def _meets(condition: dict[str, Any]) -> bool:
    """Return whether a request that never leaves the host meets what is asked of transport.

    It counts as secure. A condition on anything else is left to moto, which knows the values.
    """
    conditions = [
        str(value).lower()
        for operator, keys in condition.items()
        if operator in ("Bool", "BoolIfExists")
        for key, value in keys.items()
        if key == _SECURE_TRANSPORT
    ]
    return "false" not in conditions


@patch(
    "moto.s3.models.FakeBucket._log_permissions_enabled_policy",
    why='breaks on a statement with "Principal": "*" in the target bucket\'s policy',
)
def may_deliver_logs(original: Any, target_bucket: Any, target_prefix: str | None) -> bool:
    """Return whether the target bucket's policy lets logs be delivered."""
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


@patch(
    "moto.s3.responses.S3Response.get_bucket_notification",
    why="does not show that a bucket sends its events to EventBridge",
)
def get_bucket_notification(original: Any, response: Any) -> Any:
    """Answer GetBucketNotificationConfiguration."""
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


@patch("moto.s3.models.FakeBucket.set_lifecycle", why=_FORGOTTEN)
def set_lifecycle(original: Any, bucket: Any, rules: list[dict[str, Any]]) -> None:
    """Keep the rules as they were given, if S3 takes them."""
    require_rules(rules)
    original(bucket, rules)
    for rule, given in zip(bucket.rules, rules, strict=True):
        expiration = given.get("NoncurrentVersionExpiration") or {}
        setattr(rule, _KEPT, expiration.get("NewerNoncurrentVersions"))


@patch("moto.s3.responses.S3Response.get_bucket_lifecycle", why=_FORGOTTEN)
def get_bucket_lifecycle(original: Any, response: Any) -> Any:
    """Answer GetBucketLifecycleConfiguration."""
    status, headers, body = original(response)
    rules = response.backend.get_bucket_lifecycle(response.bucket_name)
    text = body.decode() if isinstance(body, bytes) else body
    kept = [getattr(rule, _KEPT, None) for rule in rules if rule.nve_noncurrent_days]
    return status, headers, _with_kept(text, kept)


def _with_kept(text: str, kept: list[str | None]) -> str:
    """Return a configuration's document with the versions that each expiration in it keeps."""
    closing = "</NoncurrentVersionExpiration>"
    *expirations, rest = text.split(closing)
    elements = (
        f"<NewerNoncurrentVersions>{number}</NewerNoncurrentVersions>" if number else ""
        for number in kept
    )
    written = (f"{one}{added}{closing}" for one, added in zip(expirations, elements, strict=True))
    return "".join([*written, rest])
