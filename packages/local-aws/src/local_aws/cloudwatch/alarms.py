"""Metric and composite alarms: evaluated on the clock, changed, published and acted on."""

import datetime
from collections.abc import Iterator
from typing import Any

from local_aws.cloudwatch import alarm_messages, composite_alarms
from local_aws.cloudwatch.alarm_actions import Actions
from local_aws.cloudwatch.alarm_evaluation import EXTRA_PERIODS, OK, Rule, new_state, reason
from local_aws.cloudwatch.metric_math import MathError, Series
from local_aws.cloudwatch.metric_queries import Query, fetching, run
from local_aws.cloudwatch.queue_metrics import NAMESPACE, sample_queues
from local_aws.core.clock import Clock, others_unharmed
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.metric_store import MetricKey
from local_aws.eventbridge.delivery import compact

_EVERY_SECONDS = 60
_EVERY_SECONDS_HIGH_RESOLUTION = 10
# CloudWatch keeps an alarm's history for 30 days; a changing alarm must not fill the memory.
_HISTORY_LENGTH = 500


class AlarmAgenda:
    """Looks at every alarm of the account each minute, at high resolution each ten seconds."""

    def __init__(self, clock: Clock, actions: Actions) -> None:
        self._clock, self._actions = clock, actions
        self._last = clock.now().timestamp()

    def next_due(self) -> datetime.datetime | None:
        """Return the next full minute, or ten seconds; None while there is no alarm."""
        if not any(True for _ in all_alarms()):
            self._last = self._clock.now().timestamp()
            return None
        step = _step(all_alarms())
        return datetime.datetime.fromtimestamp((self._last // step + 1) * step, datetime.UTC)

    def run(self, now: datetime.datetime) -> None:
        """Evaluate the alarms that are due; those of metrics come before those of alarms."""
        self._last = at = now.timestamp()
        if asked := [dict(key.dimensions) for key in _asked() if key.namespace == NAMESPACE]:
            sample_queues(now, {each.get("QueueName", "") for each in asked})
        for backend, alarm in list(all_alarms()):
            if alarm.rule is None and at % _step([(backend, alarm)]) < 1:
                with others_unharmed(alarm):
                    self._evaluate_metric(backend, alarm, int(at), now)
        for backend, alarm in list(all_alarms()):
            if alarm.rule is not None:
                with others_unharmed(alarm):
                    self._evaluate_rule(backend, alarm, now)

    def _evaluate_metric(self, backend: Any, alarm: Any, at: int, now: datetime.datetime) -> None:
        rule, queries = rule_of(alarm), queries_of(alarm)
        period = max(query.period for query in queries)
        end = at // min(period, _EVERY_SECONDS) * min(period, _EVERY_SECONDS)
        start = end - (rule.periods + EXTRA_PERIODS) * period
        try:
            found = run(queries, fetching(backend.local_aws_metrics), start, end)
        except (MathError, ValueError):  # was refused when it was put; a metric may be gone since
            return
        series = next(found[query.id] for query in queries if query.returned)
        values = [series.get(time) for time in range(start, end, period)]
        state = new_state(rule, values)
        if state is not None and state != alarm.state_value:
            data = _reason_data(alarm, series, period, now)
            points = _recent_points(series, rule.periods)
            text = reason(rule, state, points, rule.periods - len(points))
            self.change(alarm, state, text, compact(data), now)
        elif alarm.state_value == "ALARM":
            self._actions.repeat(alarm)

    def _evaluate_rule(self, backend: Any, alarm: Any, now: datetime.datetime) -> None:
        def states(name: str, state: str) -> bool:
            found = backend.alarms.get(name)
            return found is not None and found.state_value == state

        state = "ALARM" if composite_alarms.parsed(alarm.rule)(states) else OK
        if state != alarm.state_value:
            text = f"{alarm.alarm_arn} transitioned to {state} at {now:%A %d %B, %Y %H:%M:%S} UTC"
            self.change(alarm, state, text, "", now)

    def change(
        self, alarm: Any, state: str, text: str, data: str, now: datetime.datetime | None = None
    ) -> None:
        """Set an alarm's state, record and publish the change, and take the alarm's actions."""
        now = self._clock.now() if now is None else now
        previous = alarm_messages.state_of(alarm)
        alarm.state_value, alarm.state_reason, alarm.state_reason_data = state, text, data
        alarm.state_updated_timestamp = now.replace(tzinfo=None)
        summary = f"Alarm updated from {previous['value']} to {state}"
        note(alarm, "StateUpdate", summary, alarm_messages.history_data(alarm, previous), now)
        for kind, summary in self._actions.take(alarm, previous):
            note(alarm, kind, summary, "{}", now)


def note(alarm: Any, kind: str, summary: str, data: str, now: datetime.datetime) -> None:
    """Add an item to an alarm's history, as DescribeAlarmHistory gives it."""
    alarm.history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": now,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": data,
        }
    )
    del alarm.history[:-_HISTORY_LENGTH]


def all_alarms() -> Iterator[tuple[Any, Any]]:
    """Yield every alarm of the account with the CloudWatch backend of its region."""
    from moto.cloudwatch.models import cloudwatch_backends

    for backend in list(cloudwatch_backends[ACCOUNT_ID].values()):
        for alarm in list(backend.alarms.values()):
            yield backend, alarm


def _asked() -> Iterator[MetricKey]:
    for _, alarm in all_alarms():
        queries: list[Query] = []
        with others_unharmed(alarm):
            queries = queries_of(alarm) if alarm.rule is None else []
        yield from (query.key for query in queries if query.key is not None)


def rule_of(alarm: Any) -> Rule:
    """Return what an alarm asks of its data."""
    periods = int(alarm.evaluation_periods)
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=periods,
        datapoints=int(alarm.datapoints_to_alarm or periods),
        missing=alarm.treat_missing_data or "missing",
    )


def queries_of(alarm: Any) -> list[Query]:
    """Return what an alarm looks at; one query is returned."""
    if not alarm.metric_data_queries:
        dimensions = {d.name: d.value for d in alarm.dimensions}
        key = MetricKey.of(alarm.namespace, alarm.metric_name, dimensions)
        stat = alarm.statistic or alarm.extended_statistic
        return [Query("m1", int(alarm.period), key=key, stat=stat, unit=alarm.unit)]
    metrics = [_metric(query) for query in alarm.metric_data_queries if query.metric_stat]
    longest = max((metric.period for metric in metrics), default=60)
    alone = len(alarm.metric_data_queries) == 1
    expressions = [
        Query(q.id, int(q.period or longest), expression=q.expression, returned=_returned(q, alone))
        for q in alarm.metric_data_queries
        if not q.metric_stat
    ]
    return [*metrics, *expressions]


def _metric(query: Any) -> Query:
    stat = query.metric_stat
    dimensions = {d.name: d.value for d in stat.metric.dimensions}
    return Query(
        query.id,
        int(stat.period),
        key=MetricKey.of(stat.metric.namespace, stat.metric.metric_name, dimensions),
        stat=stat.stat,
        returned=_returned(query, alone=False),
        unit=stat.unit,
    )


def _returned(query: Any, alone: bool) -> bool:
    return alone or query.return_data not in (False, "false")


def _step(alarms: Any) -> int:
    """Return how often the alarms are looked at, in seconds."""
    fast = False
    for _, alarm in alarms:
        with others_unharmed(alarm):
            fast = fast or (alarm.rule is None and int(alarm.period or 60) < _EVERY_SECONDS)
    return _EVERY_SECONDS_HIGH_RESOLUTION if fast else _EVERY_SECONDS


def _recent_points(series: Series, count: int) -> list[tuple[str, float]]:
    newest = sorted(series, reverse=True)[:count]
    times = {at: datetime.datetime.fromtimestamp(at, datetime.UTC) for at in newest}
    return [(f"{times[at]:%d/%m/%y %H:%M:%S}", series[at]) for at in newest]


def _reason_data(alarm: Any, series: Series, period: int, now: datetime.datetime) -> dict[str, Any]:
    return {
        "version": "1.0",
        "queryDate": alarm_messages.stamp(now),
        **({"statistic": alarm.statistic} if alarm.statistic else {}),
        "period": period,
        "recentDatapoints": [series[at] for at in sorted(series)],
        "threshold": float(alarm.threshold),
    }
