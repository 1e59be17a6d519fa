"""What a topic hands to the queues and functions that subscribed to it.

The receiver's own policy must let SNS in, and a function gets the message as it was published:
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

import copy
import json
import logging
from typing import Any

from local_aws.core.clock import others_unharmed
from local_aws.core.patching import patch
from local_aws.eventbridge.delivery import (
    DeliveryFailed,
    Sender,
    compact,
    failing,
    invoke_function,
    require_queue,
    send_to_queue,
)

_log = logging.getLogger(__name__)

_SERVICE = "sns.amazonaws.com"


@patch(
    "moto.sns.models.Subscription.publish",
    why="delivers past the receiver's policy, and runs functions with fixed values",
)
def publish(original: Any, subscription: Any, *arguments: Any, **more: Any) -> None:
    """Hand a message to a subscriber that lets SNS in; else keep a dead letter."""
    sender = Sender(_SERVICE, subscription.topic.arn)
    try:
        if subscription.protocol == "lambda":
            _run(sender, subscription, *arguments, **more)
        elif subscription.protocol == "sqs":
            require_queue(sender, subscription.endpoint)
            with failing("INVALID_PARAMETER"):
                original(_with_true_flags(subscription), *arguments, **more)
        elif subscription.protocol not in ("http", "https"):  # AWS has these confirmed first
            original(subscription, *arguments, **more)
    except DeliveryFailed as error:
        _log.warning("%s is not delivered: %s", subscription.topic.arn, error.message)
        with others_unharmed(subscription):
            _dead_letter(sender, subscription, *arguments, **more)
    except Exception:  # of a subscriber that nothing can be handed to: the others get theirs
        _log.exception("%s is not delivered to %s", subscription.topic.arn, subscription.endpoint)


def _with_true_flags(subscription: Any) -> Any:
    """Return the subscription for moto, to which the text "false" is true."""
    if str(subscription.attributes.get("RawMessageDelivery")).lower() == "true":
        return subscription
    plain = copy.copy(subscription)
    plain.attributes = {**subscription.attributes, "RawMessageDelivery": ""}
    return plain


def _run(sender: Sender, subscription: Any, *arguments: Any, **more: Any) -> None:
    notification = _notification(subscription, *arguments, **more)
    if notification is not None:
        event = {"Records": [record(notification, subscription)]}
        invoke_function(sender, subscription.endpoint, compact(event))


def _notification(
    subscription: Any,
    message: str,
    message_id: str,
    *,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    message_structure: str | None = None,
    **_: Any,
) -> dict[str, Any] | None:
    """Return the message for a subscriber; None where its filter leaves the message out."""
    matcher = subscription._filter_policy_matcher
    if matcher is not None and not matcher.matches(message_attributes, message):
        return None
    if message_structure == "json":
        message = subscription._parse_message_structure(message, subscription.protocol)
    post_data: dict[str, Any] = subscription.get_post_data(
        message, message_id, subject, message_attributes
    )
    return post_data


def record(notification: dict[str, Any], subscription: Any) -> dict[str, Any]:
    """Return the record that a function gets of a notification."""
    key_spelling = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    body = {key_spelling.get(name, name): value for name, value in notification.items()}
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {"Subject": None, "MessageAttributes": {}, **body},
    }


def _dead_letter(sender: Sender, subscription: Any, *arguments: Any, **more: Any) -> None:
    """Put what was not delivered on the subscription's queue of dead letters, if it has one."""
    policy = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
    if "deadLetterTargetArn" not in policy:
        return
    notification = _notification(subscription, *arguments, **more)  # signed, which takes a while
    if notification is None:
        return
    try:
        send_to_queue(sender, policy["deadLetterTargetArn"], compact(notification))
    except DeliveryFailed as error:
        _log.warning("Nor do its dead letters take it: %s", error.message)
