"""CloudWatch Logs in moto: metric filters and embedded metrics become metrics."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from moto.logs.exceptions import (
    InvalidParameterException,
    LogsClientError,
    ResourceNotFoundException,
)

from local_aws.cloudwatch.embedded_metrics import embedded_metrics
from local_aws.core.clock import on_the_clock, others_unharmed
from local_aws.core.metric_store import MetricKey
from local_aws.core.metrics import store_of
from local_aws.core.patching import add, patch, set_value
from local_aws.eventbridge.input_transformer import at_path, is_missing, is_path
from local_aws.logs.filter_patterns import PatternError, columns_of, compiled

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = frozenset(
    (
        *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
        *(2922, 3288, 3653),
    )
)
# Commands of Logs Insights that are done, and those that are not.
_COMMANDS = ("fields", "sort", "limit")
_LACKING = (
    *("filter", "stats", "parse", "display", "dedup", "pattern", "diff", "unmask", "unnest"),
    *("filterindex", "source", "anomaly", "lookup", "join"),
)
_QUOTED = re.compile(r"""#[^\n]*|'[^']*'|"[^"]*"|`[^`]*`|(?<=like )/[^/]*/""")
_NO_METRICS = "makes no metrics of log events"


@patch("moto.logs.models.LogsBackend.put_log_events", why=_NO_METRICS)
def put_log_events(
    original: Any, backend: Any, group: str, stream: str, events: list[dict[str, Any]]
) -> Any:
    """Keep log events, and the metrics that they have."""
    answer = original(backend, group, stream, events)
    filters = [one for one in backend.filters.metric_filters if one["logGroupName"] == group]
    for event in events:
        with others_unharmed(backend):  # the events are kept, whatever a filter makes of them
            _measure(backend.region_name, filters, event)
    return answer


def _measure(region: str, filters: list[dict[str, Any]], event: dict[str, Any]) -> None:
    message = event["message"]
    for found in embedded_metrics(message):
        at = on_the_clock(found.at)
        for value in found.values:
            store_of(region).add(found.key, at, value, found.unit, found.resolution)
    for one in filters:
        matches = compiled(one["filterPattern"])(message)
        for transformation in one["metricTransformations"]:
            at = on_the_clock(event["timestamp"] / 1000)
            document = columns_of(one["filterPattern"], message) or _document(message)
            _transform(region, transformation, document, at, matches=matches)


def _transform(
    region: str, transformation: dict[str, Any], document: Any, at: float, *, matches: bool
) -> None:
    if matches:
        value = _number(transformation["metricValue"], document)
        dimensions = _dimensions(transformation.get("dimensions") or {}, document)
    else:
        value, dimensions = transformation.get("defaultValue"), {}
    if value is None or dimensions is None:
        return
    key = MetricKey.of(transformation["metricNamespace"], transformation["metricName"], dimensions)
    store_of(region).add(key, at, float(value), transformation.get("unit") or "None")


def _document(message: str) -> Any:
    try:
        return json.loads(message) if message.lstrip().startswith("{") else {}
    except ValueError:
        return {}


def _number(given: str, document: Any) -> float | None:
    found = _selected(document, given) if str(given).startswith("$") else given
    try:
        number = float(found)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _selected(document: Any, selector: str) -> Any:
    """Return what a selector names: `$.path` in JSON, `$name` among columns."""
    if is_path(selector):
        return at_path(document, selector)
    return document.get(selector[1:]) if isinstance(document, Mapping) else None


def _dimensions(given: dict[str, str], document: Any) -> dict[str, str] | None:
    """Return the dimensions' values; None where one is not in the event, which then is none."""
    found = {name: _selected(document, path) for name, path in given.items()}
    if any(value is None or is_missing(value) for value in found.values()):
        return None
    return {name: str(value) for name, value in found.items()}


@patch(
    "moto.logs.models.LogsBackend.put_metric_filter",
    why="takes a filter of no log group or with a false pattern, and an update as one more",
)
def put_metric_filter(original: Any, backend: Any, *given: Any) -> None:
    """Make or change a metric filter."""
    name, pattern, group, transformations = given
    if group not in backend.groups:
        raise ResourceNotFoundException("The specified log group does not exist.")
    try:
        compiled(pattern)
    except PatternError as error:
        raise InvalidParameterException(f"Invalid metric filter pattern: {error}") from error
    for transformation in transformations:
        _require_transformation(transformation)
    backend.filters.delete_filter(name, group)
    original(backend, *given)


def _require_transformation(transformation: dict[str, Any]) -> None:
    value = str(transformation["metricValue"])
    selectors = [*(transformation.get("dimensions") or {}).values()]
    selectors += [value] if value.startswith("$") else []
    for selector in selectors:
        if not is_path(selector) and not re.fullmatch(r"\$[\w\-]+", selector):
            raise InvalidParameterException(
                f"Invalid metric transformation: {selector[:256]} selects no field of a log event."
            )
    numbers = [transformation.get("defaultValue") or 0, 0 if value.startswith("$") else value]
    for number in numbers:
        try:
            is_number = math.isfinite(float(number))
        except ValueError:
            is_number = False
        if not is_number:
            raise InvalidParameterException(
                f"Invalid metric transformation: {str(number)[:256]} is neither a number nor "
                "selects a field of a log event."
            )


@patch("moto.logs.models.LogsBackend.put_retention_policy", why="takes any number of days")
def put_retention_policy(
    original: Any, backend: Any, log_group_name: str, retention_in_days: Any
) -> None:
    """Have a log group keep its events for one of the times that there are."""
    if int(retention_in_days) not in RETENTION_DAYS:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{retention_in_days}' at 'retentionInDays' failed "
            f"to satisfy constraint: Member must satisfy enum value set: {sorted(RETENTION_DAYS)}"
        )
    original(backend, log_group_name, retention_in_days)


class MessageFilter:
    """What moto asks whether a message is to be found."""

    def __init__(self, pattern: str | None) -> None:
        try:
            self.matches = compiled(pattern or "")
        except PatternError as error:
            raise InvalidParameterException(f"Invalid filter pattern: {error}") from error


set_value(
    "moto.logs.models.EventMessageFilter",
    MessageFilter,
    why="takes every pattern on JSON for one that all messages match",
)


@add("moto.logs.responses.LogsResponse.test_metric_filter", why="is missing")
def test_metric_filter(response: Any) -> str:
    """Answer TestMetricFilter."""
    matches = MessageFilter(response._get_param("filterPattern")).matches
    messages = response._get_param("logEventMessages")
    found = [
        {"eventNumber": number, "eventMessage": message, "extractedValues": {}}
        for number, message in enumerate(messages, 1)
        if matches(message)
    ]
    return json.dumps({"matches": found})


@patch("moto.logs.models.LogStream.get_log_events", why="gives events of the end's own moment")
def get_log_events(
    original: Any, stream: Any, start_time: int | None, end_time: int | None, *args: Any
) -> Any:
    """Return the events before an end, and how to read on.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    # Moto's end is inclusive; times are whole milliseconds.
    return original(stream, start_time, end_time - 1 if end_time else end_time, *args)


class _MalformedQuery(LogsClientError):
    def __init__(self, message: str) -> None:
        super().__init__("MalformedQueryException", message)


@patch(
    "moto.logs.responses.LogsResponse.start_query",
    why="fails with an inner error for groups that are given by their ARNs, and for none",
)
def start_query_request(original: Any, response: Any) -> Any:
    """Begin a query of the groups that a request names in one of three ways.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
    """
    ways = ("logGroupName", "logGroupNames", "logGroupIdentifiers")
    given = [name for name in ways if response._get_param(name)]
    if len(given) != 1:
        raise InvalidParameterException(f"Exactly one of {', '.join(ways)} must be given.")
    if given != ["logGroupIdentifiers"]:
        return original(response)
    groups = [str(group) for group in response._get_param("logGroupIdentifiers")]
    names = [one.partition(":log-group:")[2].removesuffix(":*") or one for one in groups]
    start, end = (response._get_int_param(name) for name in ("startTime", "endTime"))
    query = response._get_param("queryString")
    return json.dumps({"queryId": response.logs_backend.start_query(names, start, end, query)})


@patch("moto.logs.models.LogsBackend.start_query", why="passes over the commands that it lacks")
def start_query(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    log_group_names: list[str],
    start_time: int,
    end_time: int,
    query_string: str,
) -> Any:
    """Begin a query of Logs Insights, if each of its commands is done here.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
    """
    for command in _without_quotes(query_string).split("|"):
        name = command.split(maxsplit=1)[0].lower() if command.strip() else ""
        if name in _LACKING:
            raise NotImplementedError(
                f"of Logs Insights' commands only {', '.join(_COMMANDS)}, not {name}; filter with "
                "FilterLogEvents"
            )
        if name not in _COMMANDS:
            raise _MalformedQuery(f"unexpected symbol found {name or 'at the end of the query'}")
    return original(backend, log_group_names, start_time, end_time, query_string)


def _without_quotes(query: str) -> str:
    """Return a query without comments and quoted text, in which a bar separates nothing."""
    return _QUOTED.sub("''", query)
