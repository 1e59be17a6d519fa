"""Where an asynchronous event's outcome goes: dead letters and destinations.

The record is that of
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import datetime
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.authorization import permits
from local_aws.iam.policy import Access
from local_aws.lambda_.function_spec import FunctionSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an event ended. `result` is the last answer or error, None when it never ran."""

    condition: str
    at: datetime.datetime
    function_arn: str
    request_id: str
    tries: int
    version: str
    event: bytes
    result: bytes | None

    @property
    def succeeded(self) -> bool:
        """Return whether the function worked in the end."""
        return self.condition == "Success"

    def record(self) -> dict[str, Any]:
        """Return the invocation record that a destination gets."""
        unqualified = self.function_arn.count(":") == 6
        arn = f"{self.function_arn}:$LATEST" if unqualified else self.function_arn
        found: dict[str, Any] = {
            "version": "1.0",
            "timestamp": self.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": arn,
                "condition": self.condition,
                "approximateInvokeCount": self.tries,
            },
            "requestPayload": _parsed(self.event),
        }
        if self.result is not None:
            response: dict[str, Any] = {"statusCode": 200, "executedVersion": self.version}
            if not self.succeeded:
                response["functionError"] = "Unhandled"
            found |= {"responseContext": response, "responsePayload": _parsed(self.result)}
        return found


@dataclass(frozen=True, slots=True)
class _Letter:
    target: str
    text: str
    ending: Ending
    region: str
    attributes: Mapping[str, tuple[str, str]]


def settle(
    ending: Ending, spec: FunctionSpec, config: Mapping[str, Any], dead_letters: str
) -> None:
    """Send what the function is configured to send, as far as its role may.

    What cannot be sent is only told in the server's log: AWS counts it in a metric.
    """
    name = "OnSuccess" if ending.succeeded else "OnFailure"
    if destination := (config.get(name) or {}).get("Destination"):
        text = json.dumps(ending.record())
        _send(_Letter(destination, text, ending, spec.region, {}), spec)
    if dead_letters and not ending.succeeded:
        text = ending.event.decode("utf-8", "replace")
        _send(_Letter(dead_letters, text, ending, spec.region, _attributes(ending)), spec)


def _send(letter: _Letter, spec: FunctionSpec) -> None:
    service = letter.target.split(":")[2] if letter.target.count(":") > 4 else ""
    action, send = _WAYS.get(service, ("", None))
    if send is None:
        _log.error("%s sends to a target of no known kind: %s", spec.name, letter.target)
        return
    key = spec.credentials.get("AWS_ACCESS_KEY_ID", "")
    if not permits(key, Access(action, letter.target)):
        _log.error("The role of %s may not do %s on %s.", spec.name, action, letter.target)
        return
    try:
        send(letter)
    except Exception:  # each service of moto has errors of its own for a missing target
        _log.exception("%s could not send to %s", spec.name, letter.target)


def _to_queue(letter: _Letter) -> None:
    from moto.sqs.models import sqs_backends

    attributes = {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in letter.attributes.items()
    }
    queue = letter.target.rsplit(":", 1)[-1]
    sqs_backends[ACCOUNT_ID][letter.region].send_message(queue, letter.text, attributes)


def _to_topic(letter: _Letter) -> None:
    from moto.sns.models import sns_backends

    attributes = {
        name: {"Type": kind, "Value": value} for name, (kind, value) in letter.attributes.items()
    }
    sns_backends[ACCOUNT_ID][letter.region].publish(
        letter.text, arn=letter.target, message_attributes=attributes
    )


def _to_function(letter: _Letter) -> None:
    from moto.awslambda.utils import get_backend

    backend: Any = get_backend(ACCOUNT_ID, letter.region)
    headers = {"X-Amz-Invocation-Type": "Event"}
    backend.invoke(letter.target, None, letter.text, headers, {})


def _to_bus(letter: _Letter) -> None:
    from moto.events.models import events_backends

    word = "Success" if letter.ending.succeeded else "Failure"
    event = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {word}",
        "Detail": letter.text,
        "Resources": [letter.ending.record()["requestContext"]["functionArn"], letter.target],
        "EventBusName": letter.target.rsplit("/", 1)[-1],
    }
    events_backends[ACCOUNT_ID][letter.region].put_events([event])


_WAYS: dict[str, tuple[str, Callable[[_Letter], None]]] = {
    "sqs": ("sqs:SendMessage", _to_queue),
    "sns": ("sns:Publish", _to_topic),
    "lambda": ("lambda:InvokeFunction", _to_function),
    "events": ("events:PutEvents", _to_bus),
}


def _attributes(ending: Ending) -> dict[str, tuple[str, str]]:
    """Return the attributes of a dead letter; the message is cut to 1 KB, as on AWS."""
    error = _parsed(ending.result or b"{}")
    said = str(error.get("errorMessage", "")) if isinstance(error, dict) else ""
    found = {"RequestID": ("String", ending.request_id), "ErrorCode": ("Number", "200")}
    return {**found, "ErrorMessage": ("String", said[:1024])} if said else found


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace")
