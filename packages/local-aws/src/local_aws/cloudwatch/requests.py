"""Checks of CloudWatch requests: metric data and queries.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_DIMENSIONS = 30
# "Values must be in the range of -2^360 to 2^360."
MAX_VALUE = 2.0**360
MAX_QUERIES = 500
MAX_DATAPOINTS = 1_440
_VALUES = ("Value", "Values", "StatisticValues")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.")
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_SIZES = tuple(
    f"{times}{unit}"
    for unit in ("ytes", "its")
    for times in ("B", "Kilob", "Megab", "Gigab", "Terab")
)
UNITS = frozenset(
    (
        *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
        *_SIZES,
        *(f"{size}/Second" for size in _SIZES),
    )
)
MAX_ACTIONS = 5
_DAY, _WEEK, _HOUR = 86_400, 604_800, 3_600
_ALARM_PERIODS = (10, 20, 30)
_MISSING = ("breaching", "notBreaching", "ignore", "missing")
_SHORT_PERIODS = (1, 5, 10, 20, 30)


def datum_problems(datum: Mapping[str, Any], number: int) -> Iterator[str]:
    """Yield a sentence for each thing that PutMetricData refuses of its `number`th datum."""
    place = f"MetricData.member.{number}"
    if not any(datum.get(name) is not None for name in _VALUES):
        yield f"The parameter {place} must have one of {', '.join(_VALUES)}."
    statistics = datum.get("StatisticValues") or {}
    single = [datum["Value"]] if datum.get("Value") is not None else []
    for value in [*single, *(datum.get("Values") or []), *statistics.values()]:
        if not -MAX_VALUE <= float(value) <= MAX_VALUE:
            yield f"The value {value} for parameter {place}.Value is invalid."
    for count in [*(datum.get("Counts") or []), statistics.get("SampleCount", 1.0)]:
        if not 0 <= float(count) <= MAX_VALUE:
            yield f"The number {count} of values for parameter {place} is invalid."
    if len(datum.get("Dimensions") or []) > MAX_DIMENSIONS:
        yield (
            f"The collection {place}.Dimensions must not have a size greater than {MAX_DIMENSIONS}."
        )
    if datum.get("Unit") is not None and datum["Unit"] not in UNITS:
        yield f"The parameter {place}.Unit must be a value in the set [{', '.join(sorted(UNITS))}]."
    if int(datum.get("StorageResolution") or 60) not in (1, 60):
        yield f"The value of the parameter {place}.StorageResolution is invalid; it is 1 or 60."


def query_problems(queries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each thing that GetMetricData refuses of its queries."""
    ids = [str(query.get("Id")) for query in queries]
    if len(queries) > MAX_QUERIES:
        yield f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
    for number, name in enumerate(ids, 1):
        if not _ID.fullmatch(name):
            yield (
                f"The value {name} for parameter MetricDataQueries.member.{number}.Id must start "
                "with a lowercase letter and have letters, digits and underscores only."
            )
    for name in (name for name, count in Counter(ids).items() if count > 1):
        yield f"The values for parameter id in MetricDataQueries are not unique: {name}."
    if queries and all(query.get("ReturnData") is False for query in queries):
        yield "At least one of the MetricDataQueries must return data."
    for query in queries:
        period = (query.get("MetricStat") or {}).get("Period")
        if period is not None:
            yield from _whole_problems(int(period))


def statistics_problems(period: int, start: float, end: float) -> Iterator[str]:
    """Yield a sentence for each thing that GetMetricStatistics refuses of its times.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
    """
    yield from _whole_problems(period)
    asked = math.ceil((end - start) / period) if period else 0
    if asked > MAX_DATAPOINTS:
        yield (
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of "
            f"{MAX_DATAPOINTS:,}. You may reduce the datapoints requested by increasing Period, or "
            "decreasing the time range."
        )


def _whole_problems(period: int) -> Iterator[str]:
    if period < 1 or (period not in _SHORT_PERIODS and period % 60):
        yield (
            f"The value {period} for parameter Period must be 1, 5, 10, 20, 30, or a multiple of "
            "60."
        )


def alarm_problems(alarm: Any, periods_asked: Sequence[int]) -> Iterator[str]:
    """Yield a sentence for each thing that PutMetricAlarm refuses of an alarm of moto's.

    `periods_asked` are those of its metrics and expressions.
    """
    for field in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
        actions = getattr(alarm, field) or []
        if len(actions) > MAX_ACTIONS:
            yield f"An alarm has at most {MAX_ACTIONS} actions for a state."
        for action in actions:
            if not _ARN.match(str(action)):
                yield f"Invalid arn syntax: {action}"
    if alarm.rule is not None:
        return
    yield from _evaluation_problems(alarm)
    if alarm.statistic and alarm.extended_statistic:
        yield "Only one of Statistic and ExtendedStatistic can be given."
    if alarm.treat_missing_data and alarm.treat_missing_data not in _MISSING:
        yield f"TreatMissingData is one of {', '.join(_MISSING)}."
    periods = int(alarm.evaluation_periods or 1)
    if alarm.datapoints_to_alarm and int(alarm.datapoints_to_alarm) > periods:
        yield "DatapointsToAlarm must be less than or equal to EvaluationPeriods."
    for period in periods_asked:
        yield from _period_problems(period, periods)


def _evaluation_problems(alarm: Any) -> Iterator[str]:
    if alarm.threshold is None or not math.isfinite(float(alarm.threshold)):
        yield f"The value {alarm.threshold} for parameter Threshold is invalid."
    if not alarm.metric_data_queries and not (alarm.namespace and alarm.metric_name):
        yield "Namespace and MetricName are required for an alarm on one metric."
    for name in ("evaluation_periods", "datapoints_to_alarm"):
        if int(1 if getattr(alarm, name) is None else getattr(alarm, name)) < 1:
            yield "EvaluationPeriods and DatapointsToAlarm must be at least 1."


def _period_problems(period: int, periods: int) -> Iterator[str]:
    if period < 1 or (period not in _ALARM_PERIODS and period % 60):
        yield "Period must be 10, 20, 30, or a multiple of 60."
    elif period < _HOUR and period * periods > _DAY:
        yield "EvaluationPeriods * Period must be at most a day, unless Period is an hour or more."
    elif period * periods > _WEEK:
        yield "EvaluationPeriods * Period must be at most seven days."
