"""Alarms in moto: what is refused, what an update keeps, how a state is set, their history."""

import datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.core.responses import ActionResult

from local_aws.cloudwatch.alarm_evaluation import COMPARISONS, INSUFFICIENT_DATA
from local_aws.cloudwatch.alarms import AlarmAgenda, note, queries_of
from local_aws.cloudwatch.composite_alarms import RuleError, alarms_in, parsed
from local_aws.cloudwatch.metric_math import MathError
from local_aws.cloudwatch.metric_queries import check
from local_aws.cloudwatch.requests import alarm_problems
from local_aws.core import clock
from local_aws.core.patching import add, patch

_agenda: list[AlarmAgenda] = []


def install(agenda: AlarmAgenda) -> None:
    """Have alarms whose state is set act by this agenda."""
    _agenda[:] = [agenda]


@patch(
    "moto.cloudwatch.models.CloudWatchBackend.put_metric_alarm",
    why="takes what it can't evaluate, begins with OK, and forgets the state at an update",
)
def put_metric_alarm(original: Any, backend: Any, *args: Any, **more: Any) -> Any:
    """Make or change an alarm that can be evaluated."""
    name = more.get("name") or args[0]
    before = backend.alarms.get(name)
    alarm = original(backend, *args, **more)
    try:
        found = _fault(backend, alarm) or next(alarm_problems(alarm, _periods(alarm)), "")
        if found:
            raise ValidationError(found)
    except Exception:  # also of what nothing can be made of: it must not be kept
        del backend.alarms[name]
        if before is not None:
            backend.alarms[name] = before
        raise
    _settle(alarm, before)
    return alarm


@patch(
    "moto.cloudwatch.responses.CloudWatchResponse.describe_alarms",
    why="looks at the first of several filters only, and lists composite alarms unasked",
)
def describe_alarms(original: Any, self: Any) -> ActionResult:
    """Answer DescribeAlarms: an alarm is listed where every filter that is given holds."""
    listed: dict[str, list[Any]] = original(self).result
    prefix, state = self._get_param("AlarmNamePrefix") or "", self._get_param("StateValue")
    kinds = self._get_param("AlarmTypes") or ["MetricAlarm"]
    return ActionResult(
        {
            key: [
                alarm
                for alarm in alarms
                if f"{kind}Alarm" in kinds
                and alarm.name.startswith(prefix)
                and state in (None, alarm.state_value)
            ]
            for key, alarms in listed.items()
            for kind in [key.removesuffix("Alarms")]
        }
    )


def _settle(alarm: Any, before: Any) -> None:
    """Give a new alarm its first state, an updated one that which it had."""
    now = clock.now()
    alarm.configuration_updated_timestamp = now.replace(tzinfo=None)
    if before is None:
        alarm.state_value = INSUFFICIENT_DATA
        alarm.state_updated_timestamp = now.replace(tzinfo=None)
    else:
        for name in ("state_value", "state_reason", "state_reason_data", "history"):
            setattr(alarm, name, getattr(before, name))
        alarm.state_updated_timestamp = before.state_updated_timestamp
    verb = "created" if before is None else "updated"
    note(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {verb}', "{}", now)


def _fault(backend: Any, alarm: Any) -> str:
    """Return why an alarm cannot be evaluated here, "" if it can."""
    if alarm.rule is not None:
        return _rule_fault(backend, alarm.rule)
    if alarm.threshold_metric_id or alarm.comparison_operator not in COMPARISONS:
        return (
            "The embedded AWS does not implement anomaly detection "
            f"({alarm.comparison_operator}); use a threshold."
        )
    if alarm.evaluate_low_sample_count_percentile == "ignore":
        return "The embedded AWS does not implement EvaluateLowSampleCountPercentile ignore."
    if not alarm.metric_data_queries and not (alarm.statistic or alarm.extended_statistic):
        return "Either Statistic or ExtendedStatistic must be given."
    return _query_fault(alarm)


def _periods(alarm: Any) -> list[int]:
    return [] if alarm.rule is not None else [query.period for query in queries_of(alarm)]


def _rule_fault(backend: Any, rule: str) -> str:
    try:
        parsed(rule)
    except RuleError as error:
        return str(error)
    missing = [name for name in alarms_in(rule) if name not in backend.alarms]
    if not missing:
        return ""
    names = ", ".join(missing)
    return f"Could not save the composite alarm as alarms [{names}] in the alarm rule do not exist"


def _query_fault(alarm: Any) -> str:
    queries = queries_of(alarm)
    if not all(query.key or query.expression for query in queries):
        return "Each element of the metrics list should have a MetricStat or an Expression."
    if sum(query.returned for query in queries) != 1:
        return "Exactly one element of the metrics list should return data."
    try:
        check(queries)
    except (MathError, ValueError, RecursionError) as error:
        return f"Error in expression: {error}."
    return ""


@patch("moto.cloudwatch.models.Alarm.update_state", why="takes none of the alarm's actions")
def update_state(
    original: Any, alarm: Any, reason: str, reason_data: str, state_value: str
) -> None:
    """Set an alarm's state, with its actions."""
    del original
    if alarm.state_value == state_value:
        alarm.state_reason, alarm.state_reason_data = reason, reason_data or ""
        return
    _agenda[0].change(alarm, state_value, reason, reason_data or "")


@add("moto.cloudwatch.responses.CloudWatchResponse.describe_alarm_history", why="is missing")
def describe_alarm_history(response: Any) -> Any:
    """Answer DescribeAlarmHistory."""
    name, kind = response._get_param("AlarmName"), response._get_param("HistoryItemType")
    start, end = _zoned(response, "StartDate"), _zoned(response, "EndDate")
    backend = response.cloudwatch_backend
    alarms = [a for a in backend.alarms.values() if not name or a.name == name]
    items = [
        item
        for alarm in alarms
        for item in alarm.history
        if (not kind or item["HistoryItemType"] == kind)
        and (start is None or item["Timestamp"] >= start)
        and (end is None or item["Timestamp"] <= end)
    ]
    ascending = response._get_param("ScanBy") == "TimestampAscending"
    items.sort(key=lambda item: item["Timestamp"], reverse=not ascending)
    max_records = response._get_int_param("MaxRecords") or 100
    return ActionResult({"AlarmHistoryItems": items[:max_records]})


def _zoned(response: Any, name: str) -> datetime.datetime | None:
    at: datetime.datetime | None = response._get_param(name)
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)


@add("moto.cloudwatch.responses.CloudWatchResponse.put_composite_alarm", why="is missing")
def put_composite_alarm(response: Any) -> Any:
    """Answer PutCompositeAlarm."""
    if response._get_param("ActionsSuppressor"):
        raise ValidationError("The embedded AWS does not implement ActionsSuppressor.")
    return response.put_metric_alarm()
