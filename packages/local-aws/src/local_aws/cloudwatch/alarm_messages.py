"""Alarm messages: a change of state, for its topic, for EventBridge and for a function.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

import datetime
import json
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge.delivery import compact

_REGIONS = {"us-east-1": "US East (N. Virginia)"}


def stamp(at: datetime.datetime) -> str:
    """Return a time in the form of CloudWatch's messages: `2026-11-21T02:10:00.000+0000`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def topic_subject(alarm: Any) -> str:
    """Return the message's subject."""
    return f'{alarm.state_value}: "{alarm.name}" in {_region_name(alarm.region_name)}'[:100]


def topic_message(alarm: Any, old_state: str) -> str:
    """Return the JSON that an alarm's topic gets."""
    return compact(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": ACCOUNT_ID,
            "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configuration_updated_timestamp),
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": stamp(alarm.state_updated_timestamp),
            "Region": _region_name(alarm.region_name),
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": old_state,
            "OKActions": alarm.ok_actions,
            "AlarmActions": alarm.alarm_actions,
            "InsufficientDataActions": alarm.insufficient_data_actions,
            **({"AlarmRule": alarm.rule} if alarm.rule else {"Trigger": _trigger(alarm)}),
        }
    )


def change_detail(alarm: Any, previous: dict[str, Any]) -> dict[str, Any]:
    """Return the detail of the event `CloudWatch Alarm State Change`."""
    return {
        "alarmName": alarm.name,
        "state": state_of(alarm),
        "previousState": previous,
        "configuration": _configuration(alarm),
    }


def function_event(alarm: Any, previous: dict[str, Any]) -> str:
    """Return the event that a function gets as an alarm's action."""
    return compact(
        {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": ACCOUNT_ID,
            "time": stamp(alarm.state_updated_timestamp),
            "region": alarm.region_name,
            "alarmData": change_detail(alarm, previous),
        }
    )


def state_of(alarm: Any) -> dict[str, Any]:
    """Return an alarm's state as events have it."""
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": stamp(alarm.state_updated_timestamp),
    }


def history_data(alarm: Any, previous: dict[str, Any]) -> str:
    """Return the data of a StateUpdate in the alarm's history."""
    new = {"stateValue": alarm.state_value, "stateReason": alarm.state_reason}
    if alarm.state_reason_data:
        new["stateReasonData"] = json.loads(alarm.state_reason_data)
    old = {"stateValue": previous["value"], "stateReason": previous["reason"]}
    return compact({"version": "1.0", "oldState": old, "newState": new})


def _trigger(alarm: Any) -> dict[str, Any]:
    trigger = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metric_data_queries:
        return {**trigger, "Metrics": [_query(query) for query in alarm.metric_data_queries]}
    kind = "Statistic" if alarm.statistic else "ExtendedStatistic"
    statistic = str(alarm.statistic or alarm.extended_statistic)
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": kind,
        kind: statistic.upper() if kind == "Statistic" else statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": d.value, "name": d.name} for d in alarm.dimensions],
        **trigger,
    }


def _query(query: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"Id": query.id, "Label": query.label}
    if query.expression:
        return {**found, "Expression": query.expression, "ReturnData": query.return_data}
    metric = query.metric_stat.metric
    return {
        **found,
        "MetricStat": {
            "Metric": {
                "Dimensions": [{"value": d.value, "name": d.name} for d in metric.dimensions],
                "MetricName": metric.metric_name,
                "Namespace": metric.namespace,
            },
            "Period": query.metric_stat.period,
            "Stat": query.metric_stat.stat,
        },
        "ReturnData": bool(query.return_data),
    }


def _configuration(alarm: Any) -> dict[str, Any]:
    if alarm.rule:
        return {"alarmRule": alarm.rule}
    found = {"description": alarm.description} if alarm.description else {}
    if alarm.metric_data_queries:
        return {**found, "metrics": [_event_metric(q) for q in alarm.metric_data_queries]}
    stat = {
        "metric": {
            "namespace": alarm.namespace,
            "name": alarm.metric_name,
            "dimensions": {d.name: d.value for d in alarm.dimensions},
        },
        "period": alarm.period,
        "stat": alarm.statistic or alarm.extended_statistic,
    }
    return {**found, "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}]}


def _event_metric(query: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"id": query.id, "returnData": bool(query.return_data)}
    if query.expression:
        return {**found, "expression": query.expression, "label": query.label}
    stat = query.metric_stat
    metric = {
        "namespace": stat.metric.namespace,
        "name": stat.metric.metric_name,
        "dimensions": {d.name: d.value for d in stat.metric.dimensions},
    }
    return {**found, "metricStat": {"metric": metric, "period": stat.period, "stat": stat.stat}}


def _region_name(region: str) -> str:
    return _REGIONS.get(region, region)
