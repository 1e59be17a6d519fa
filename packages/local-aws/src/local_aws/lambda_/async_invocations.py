"""Asynchronous invocations: a queue, two more tries, dead letters and destinations.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import datetime
import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.awslambda.utils import get_backend
from moto.events.models import events_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_aws.core.clock import Clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.request_chains import LoopFound, current, following
from local_aws.core.work_queue import WorkQueue
from local_aws.errors import LocalAwsError
from local_aws.iam.access_decisions import permits
from local_aws.iam.policy_evaluation import Access
from local_aws.lambda_.functions import FunctionSpec
from local_aws.lambda_.pools import LambdaPools, Outcome, Throttled

_RETRY_SECONDS = (60.0, 120.0)
_MAX_AGE_SECONDS = 21_600
# "The retry interval increases exponentially from 1 second after the first attempt to a maximum of
# 5 minutes": https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_MAX_THROTTLE_SECONDS = 300.0
_THREADS = 32
_log = logging.getLogger(__name__)


LATEST = "$LATEST"


def settings_of(arn: str) -> dict[str, Any]:
    """Return the settings of the function, version or alias that was invoked by that ARN.

    Empty where it has none, or is not there any more.
    """
    parts = arn.split(":")
    try:
        function = lambda_backends[ACCOUNT_ID][parts[3]].get_function(parts[6])
    except UnknownFunctionException:
        return {}
    qualifier = parts[7] if len(parts) > 7 else LATEST
    found = find_settings(function, f"{':'.join(parts[:7])}:{qualifier}")
    return dict(found.config) if found else {}


def find_settings(function: Any, arn: str) -> Any:
    """Return moto's record of the settings for that ARN; None where there are none."""
    return next((one for one in function.event_invoke_config if one.arn == arn), None)


@dataclass(frozen=True, slots=True)
class EventOutcome:
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
class _Delivery:
    target: str
    text: str
    ended: EventOutcome
    region: str
    attributes: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Event:
    """One event on its way: what is invoked, by which ARN, and how often it was tried."""

    body: bytes
    arn: str
    version: str
    queued: datetime.datetime
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tries: int = 0
    throttles: int = 0
    chain: str = ""

    def setting(self, name: str, default: int) -> int:
        """Return a number of its EventInvokeConfig."""
        value = settings_of(self.arn).get(name)
        return default if value is None else int(value)


class AsyncInvoker:
    """Runs `Event` invocations in the background; those of an earlier process as well."""

    def __init__(
        self, pools: LambdaPools, clock: Clock, spec_of: Callable[[Any], FunctionSpec]
    ) -> None:
        self._pools = pools
        self._clock = clock
        self._spec_of = spec_of
        self._queue = WorkQueue("lambda.events", clock, self._start)
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="lambda-event")

    def submit(self, function: Any, arn: str, body: bytes) -> str:
        """Queue one event of moto's function; return its request id at once."""
        event = Event(body, arn, str(function.version), self._clock.now(), chain=current())
        self._queue.accept(event.request_id, event)
        return event.request_id

    def stop(self) -> None:
        """Begin no more: what is queued stays for the next process."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _start(self, request_id: str, event: Event) -> None:
        del request_id
        if not self._stopping.is_set():
            self._executor.submit(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        try:
            with following(event.chain):
                self._try(event)
        except Exception:  # no caller waits for this thread
            if not self._stopping.is_set():
                _log.exception("The event of %s was lost", event.arn)
                self._queue.done(event.request_id)

    def _try(self, event: Event) -> None:
        function = _function(event)
        if function is None:
            _log.warning("%s is deleted, and its event %s with it", event.arn, event.request_id)
            self._queue.done(event.request_id)
            return
        spec = self._spec_of(function)
        if spec.reserved_concurrency == 0:
            self._report(event, function, spec, "RetriesExhausted", None)
        elif self._age(event) > event.setting("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS):
            self._report(event, function, spec, "EventAgeExceeded", None)
        else:
            self._invoke(event, function, spec)

    def _invoke(self, event: Event, function: Any, spec: FunctionSpec) -> None:
        try:
            outcome = self._pools.invoke(
                spec, event.body, arn=event.arn, request_id=event.request_id
            )
        except Throttled:  # does not count as a try
            later = replace(event, throttles=event.throttles + 1)
            self._again(later, min(2.0**event.throttles, _MAX_THROTTLE_SECONDS))
            return
        except LoopFound:  # it goes to the dead letters or the destination for failures at once
            self._report(event, function, spec, "RetriesExhausted", None)
            return
        except LocalAwsError as error:
            _log.error("%s was not invoked: %s", spec.name, error)
            outcome = Outcome(b"null", True, "", event.request_id)
        if outcome.failed and self._stopping.is_set():
            return  # the end of the server is no fault of the function
        event = replace(event, tries=event.tries + 1)
        retries = event.setting("MaximumRetryAttempts", len(_RETRY_SECONDS))
        if not outcome.failed:
            self._report(event, function, spec, "Success", outcome)
        elif event.tries > retries:
            self._report(event, function, spec, "RetriesExhausted", outcome)
        else:
            self._again(event, _RETRY_SECONDS[event.tries - 1])

    def _again(self, event: Event, seconds: float) -> None:
        self._queue.again(event.request_id, event, seconds)

    def _age(self, event: Event) -> float:
        return (self._clock.now() - event.queued).total_seconds()

    def _report(
        self,
        event: Event,
        function: Any,
        spec: FunctionSpec,
        condition: str,
        outcome: Outcome | None,
    ) -> None:
        """Tell the destinations how an event ended; it is done then."""
        config: dict[str, Any] = settings_of(event.arn).get("DestinationConfig") or {}
        ended = EventOutcome(
            condition=condition,
            at=self._clock.now(),
            function_arn=event.arn,
            request_id=event.request_id,
            tries=event.tries,
            version=event.version,
            event=event.body,
            result=outcome.payload if outcome else None,
        )
        dead_letters = function.kept.get("DeadLetterConfig", {}).get("TargetArn", "")
        with following(outcome.trace if outcome else event.chain):
            deliver(ended, spec, config, dead_letters)
        self._queue.done(event.request_id)


def _function(event: Event) -> Any:
    """Return moto's function of an event; None where it is deleted."""
    parts = event.arn.split(":")
    qualifier = None if event.version == LATEST else event.version
    try:
        return lambda_backends[ACCOUNT_ID][parts[3]].get_function(parts[6], qualifier)
    except UnknownFunctionException:
        return None


def deliver(
    ended: EventOutcome, spec: FunctionSpec, config: Mapping[str, Any], dead_letters: str
) -> None:
    """Send what the function is configured to send, as far as its role may.

    What cannot be sent is only logged by the server: AWS counts it in a metric.
    """
    name = "OnSuccess" if ended.succeeded else "OnFailure"
    if destination := (config.get(name) or {}).get("Destination"):
        text = json.dumps(ended.record())
        _send(_Delivery(destination, text, ended, spec.region, {}), spec)
    if dead_letters and not ended.succeeded:
        text = ended.event.decode("utf-8", "replace")
        _send(_Delivery(dead_letters, text, ended, spec.region, _attributes(ended)), spec)


def _send(delivery: _Delivery, spec: FunctionSpec) -> None:
    service = delivery.target.split(":")[2] if delivery.target.count(":") > 4 else ""
    action, send = _WAYS.get(service, ("", None))
    if send is None:
        _log.error("%s sends to a target of no known kind: %s", spec.name, delivery.target)
        return
    key = spec.credentials.get("AWS_ACCESS_KEY_ID", "")
    if not permits(key, Access(action, delivery.target)):
        _log.error("The role of %s may not do %s on %s.", spec.name, action, delivery.target)
        return
    try:
        send(delivery)
    except Exception:  # each service of moto has errors of its own for a missing target
        _log.exception("%s could not send to %s", spec.name, delivery.target)


def _to_queue(delivery: _Delivery) -> None:
    attributes = {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in delivery.attributes.items()
    }
    queue = delivery.target.rsplit(":", 1)[-1]
    sqs_backends[ACCOUNT_ID][delivery.region].send_message(queue, delivery.text, attributes)


def _to_topic(delivery: _Delivery) -> None:
    attributes = {
        name: {"Type": kind, "Value": value} for name, (kind, value) in delivery.attributes.items()
    }
    sns_backends[ACCOUNT_ID][delivery.region].publish(
        delivery.text, arn=delivery.target, message_attributes=attributes
    )


def _to_function(delivery: _Delivery) -> None:
    backend: Any = get_backend(ACCOUNT_ID, delivery.region)
    headers = {"X-Amz-Invocation-Type": "Event"}
    backend.invoke(delivery.target, None, delivery.text, headers, {})


def _to_bus(delivery: _Delivery) -> None:
    result_name = "Success" if delivery.ended.succeeded else "Failure"
    event = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result_name}",
        "Detail": delivery.text,
        "Resources": [delivery.ended.record()["requestContext"]["functionArn"], delivery.target],
        "EventBusName": delivery.target.rsplit("/", 1)[-1],
    }
    events_backends[ACCOUNT_ID][delivery.region].put_events([event])


_WAYS: dict[str, tuple[str, Callable[[_Delivery], None]]] = {
    "sqs": ("sqs:SendMessage", _to_queue),
    "sns": ("sns:Publish", _to_topic),
    "lambda": ("lambda:InvokeFunction", _to_function),
    "events": ("events:PutEvents", _to_bus),
}


def missing_action(access_key_id: str, target: str) -> str:
    """Return what a key's owner may not do with a destination and must, as `SendMessage`."""
    action, _ = _WAYS.get([*target.split(":"), "", "", ""][2], ("", None))
    is_missing = action and not permits(access_key_id, Access(action, target))
    return action.partition(":")[2] if is_missing else ""


def _attributes(ended: EventOutcome) -> dict[str, tuple[str, str]]:
    """Return the attributes of a dead letter; the message is cut to 1 KB, as on AWS."""
    error = _parsed(ended.result or b"{}")
    message = str(error.get("errorMessage", "")) if isinstance(error, dict) else ""
    found = {"RequestID": ("String", ended.request_id), "ErrorCode": ("Number", "200")}
    return {**found, "ErrorMessage": ("String", message[:1024])} if message else found


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace")
