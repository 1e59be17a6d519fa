"""Delivery from one AWS service to another: to a queue, a topic or a function.

The receiver's own policy must allow the service, and the key of an encrypted one as well:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.policy_evaluation import Access, Principal, Verdict, verdict
from local_aws.iam.resource_policies import kms_key, resource_policy
from local_aws.iam.roles import is_enforced


class DeliveryFailed(Exception):
    """A receiver that did not take it; `code` is AWS's, `lasting` says that trying is no use."""

    def __init__(self, code: str, message: str, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.code, self.message, self.lasting = code, message, lasting


@dataclass(frozen=True, slots=True)
class Sender:
    """A service, and the resource on whose behalf it sends: a rule, an alarm, a schedule."""

    service: str
    source_arn: str

    def require(
        self, action: str, resource: str, values: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Raise DeliveryFailed unless the resource's policy lets the service do it.

        `values` are of condition keys, in lower case, that only this action has.
        """
        access = Access(action, resource, {**self._values(), **values})
        if not is_enforced():
            return
        document = resource_policy(access)
        principal = Principal(ACCOUNT_ID, service=self.service)
        if document is None or verdict([document], access, principal) is not Verdict.ALLOW:
            raise DeliveryFailed(
                "NO_PERMISSIONS",
                f"{self.service} is not authorized to perform: {action} on resource: {resource} "
                "because no resource-based policy allows it.",
            )

    def require_key(self, key_id: str | None, region: str) -> None:
        """Raise DeliveryFailed unless the service may use the key that a receiver is behind."""
        if not key_id or key_id.startswith("alias/aws/"):
            return
        key = kms_key(key_id, region)
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            self.require(action, key_id if key is None else key.arn)

    def _values(self) -> dict[str, str]:
        return {
            "aws:sourceaccount": ACCOUNT_ID,
            "aws:sourceowner": ACCOUNT_ID,
            "aws:sourcearn": self.source_arn,
            "aws:securetransport": "true",
            "aws:principalisawsservice": "true",
            "aws:principalservicename": self.service,
        }


def require_queue(sender: Sender, queue_arn: str) -> None:
    """Raise DeliveryFailed unless the queue is there and its policy and key let the sender in."""
    from moto.sqs.models import sqs_backends

    *_, region, account, name = queue_arn.split(":")
    queue = sqs_backends[account][region].queues.get(name)
    if queue is None:
        raise DeliveryFailed("NO_RESOURCE", f"The queue {queue_arn} does not exist.")
    sender.require("sqs:SendMessage", queue_arn)
    sender.require_key(getattr(queue, "kms_master_key_id", None), region)


def send_to_queue(
    sender: Sender,
    queue_arn: str,
    body: str,
    *,
    group_id: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Put one message on a queue. Raises DeliveryFailed."""
    from moto.sqs.models import sqs_backends

    require_queue(sender, queue_arn)
    *_, region, account, name = queue_arn.split(":")
    typed = {
        key: {"DataType": "String", "StringValue": value}
        for key, value in (attributes or {}).items()
    }
    with failing("INVALID_PARAMETER"):
        sqs_backends[account][region].send_message(
            name, body, message_attributes=typed, group_id=group_id
        )


def require_topic(sender: Sender, topic_arn: str) -> None:
    """Raise DeliveryFailed unless the topic is there and its policy and key let the sender in."""
    from moto.sns.models import sns_backends

    *_, region, account, _ = topic_arn.split(":")
    topic = sns_backends[account][region].topics.get(topic_arn)
    if topic is None:
        raise DeliveryFailed("NO_RESOURCE", f"The topic {topic_arn} does not exist.")
    sender.require("sns:Publish", topic_arn)
    sender.require_key(getattr(topic, "kms_master_key_id", None), region)


def publish_to_topic(
    sender: Sender, topic_arn: str, message: str, subject: str | None = None
) -> None:
    """Publish one message. Raises DeliveryFailed."""
    from moto.sns.models import sns_backends

    require_topic(sender, topic_arn)
    *_, region, account, _ = topic_arn.split(":")
    with failing("INVALID_PARAMETER"):
        sns_backends[account][region].publish(message, arn=topic_arn, subject=subject)


def require_function(sender: Sender, function_arn: str) -> Any:
    """Return a function whose policy lets the sender invoke it. Raises DeliveryFailed."""
    from moto.awslambda.utils import get_backend

    region, account = function_arn.split(":")[3:5]
    name, _, qualifier = function_arn.split(":", 6)[6].partition(":")
    with failing("NO_RESOURCE"):
        function = get_backend(account, region).get_function(name, qualifier or None)
    sender.require("lambda:InvokeFunction", function_arn)
    return function


def invoke_function(sender: Sender, function_arn: str, event: str) -> None:
    """Hand an event to a function, which runs by itself. Raises DeliveryFailed."""
    function = require_function(sender, function_arn)
    with failing("INTERNAL_ERROR", lasting=False):
        function.invoke(event, {"X-Amz-Invocation-Type": "Event"}, {})


@contextlib.contextmanager
def failing(code: str, *, lasting: bool = True) -> Iterator[None]:
    """Turn a refusal of moto's into DeliveryFailed with that code."""
    try:
        yield
    except Exception as error:  # each service of moto has a tree of errors of its own
        message = getattr(error, "message", None) or str(error) or type(error).__name__
        raise DeliveryFailed(code, str(message), lasting=lasting) from error


def compact(value: Any) -> str:
    """Return JSON as AWS sends it: without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
