"""Subscription filters: log events that match are handed to a function that lets them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
"""

import base64
import gzip
import json
import threading
from collections.abc import Sequence
from typing import Any

from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException

from local_aws.core.clock import others_unharmed
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch
from local_aws.core.request_chains import current, following, without_lineage
from local_aws.eventbridge.delivery import DeliveryFailed, Sender, invoke_function
from local_aws.logs.filter_patterns import PatternError, compiled

_HALF_WAY = "has log events that are on their way end half-way, and be put again"
_changing = threading.Lock()
_FUNCTION_LOGS = "/aws/lambda/"


@patch(
    "moto.logs.models.LogsBackend.put_subscription_filter",
    why="takes a function that lets nobody invoke it, and a log group, which may lead in a circle",
)
def put_subscription_filter(original: Any, backend: Any, group: str, *given: Any) -> None:
    """Make or change a filter, whose function must let CloudWatch Logs invoke it."""
    _, pattern, destination, _ = given
    if group not in backend.groups:
        raise ResourceNotFoundException
    service, _, resource = f"{destination}:::::".partition("arn:aws:")[2].partition(":")
    if service == "logs" and ":log-group:" in resource:
        raise InvalidParameterException(
            f"destinationArn is not that of a function or a destination: {destination}"
        )
    try:
        compiled(pattern)
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from error
    if service == "lambda":
        _require_function(backend.region_name, group, destination)
    original(backend, group, *given)


@patch("moto.logs.models.LogGroup.put_subscription_filter", why=_HALF_WAY)
@patch("moto.logs.models.LogGroup.delete_subscription_filter", why=_HALF_WAY)
def change_filters(original: Any, group: Any, *given: Any, **more: Any) -> None:
    """Change a group's filters; events on their way go through the filters of before."""
    with _changing:
        group.subscription_filters = dict(group.subscription_filters)
        original(group, *given, **more)


@patch(
    "moto.logs.models.LogStream._send_log_events",
    why="sends what does not match, in the request that brings the events, which fails with it",
)
def send_log_events(original: Any, stream: Any, **given: Any) -> None:
    """Hand those events that match to a function, which runs by itself."""
    if given["service"] != "lambda":
        original(stream, **given)
        return
    destination_arn, filter_name = given["destination_arn"], given["filter_name"]
    with others_unharmed(stream):  # the events are kept, whatever becomes of them
        matches = compiled(stream.log_group.subscription_filters[filter_name].filter_pattern)
        matching = [event for event in given["log_events"] if matches(event["message"])]
        if matching:
            sender = _sender(stream.region, stream.log_group.name, destination_arn)
            # Lambda sees no loop through logs.
            with following(without_lineage(current())):
                invoke_function(sender, destination_arn, _event(stream, filter_name, matching))


def _event(stream: Any, filter_name: str, log_events: Sequence[dict[str, Any]]) -> str:
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT_ID,
        "logGroup": stream.log_group.name,
        "logStream": stream.log_stream_name,
        "subscriptionFilters": [filter_name],
        "logEvents": log_events,
    }
    packed = gzip.compress(json.dumps(data, separators=(",", ":")).encode())
    return json.dumps({"awslogs": {"data": base64.b64encode(packed).decode()}})


def _require_function(region: str, group: str, function_arn: str) -> None:
    if group == _FUNCTION_LOGS + function_arn.split(":", 6)[-1].partition(":")[0]:
        raise InvalidParameterException(
            "The log group provided is reserved for the function logs of the destination function."
        )
    try:
        _sender(region, group, function_arn)
    except DeliveryFailed as error:
        raise InvalidParameterException(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
            "permission to execute your function."
        ) from error


def _sender(region: str, group: str, function_arn: str) -> Sender:
    """Return the service as which a function lets the group's logs in; raises DeliveryFailed."""
    source = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{group}:*"
    regional = Sender(f"logs.{region}.amazonaws.com", source)
    try:
        regional.require("lambda:InvokeFunction", function_arn)
    except DeliveryFailed:
        everywhere = Sender("logs.amazonaws.com", source)
        everywhere.require("lambda:InvokeFunction", function_arn)
        return everywhere
    return regional
