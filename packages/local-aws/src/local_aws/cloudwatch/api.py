"""CloudWatch's metrics in moto: kept by the minute, asked for with AWS's statistics and math."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from moto.cloudwatch.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    ValidationError,
)
from moto.cloudwatch.models import MetricDatumBase
from moto.core.responses import ActionResult

from local_aws.cloudwatch.metric_math import MathError, Series
from local_aws.cloudwatch.metric_queries import Query, fetching, run
from local_aws.cloudwatch.requests import datum_problems, query_problems, statistics_problems
from local_aws.core import clock
from local_aws.core.metric_store import Bucket, MetricKey, MetricStore, grouped, statistic
from local_aws.core.metrics import bucket_of, dimensions_of
from local_aws.core.patching import patch

MAX_AHEAD_SECONDS = 7_200
MAX_AGE_SECONDS = 14 * 86_400
_KEEPS_ALL = "keeps every datum for good, and looks through all of them for each question"


@patch("moto.cloudwatch.models.CloudWatchBackend.__init__", why=_KEEPS_ALL)
def init(original: Any, backend: Any, *args: Any, **more: Any) -> None:
    """Give a backend its metrics."""
    original(backend, *args, **more)
    backend.local_aws_metrics = MetricStore()


@patch("moto.cloudwatch.models.CloudWatchBackend.put_metric_data", why=_KEEPS_ALL)
def put_metric_data(
    original: Any, backend: Any, namespace: str, metric_data: list[dict[str, Any]]
) -> None:
    """Keep the data of a PutMetricData request."""
    del original
    for number, datum in enumerate(metric_data, 1):
        backend._validate_parameters_put_metric_data(datum, number)
        for problem in datum_problems(datum, number):
            raise InvalidParameterValue(problem)
        if (at := datum.get("Timestamp")) and _is_ahead(_seconds(at)):
            raise InvalidParameterValue(
                f"The parameter MetricData.member.{number}.Timestamp must specify a time no more "
                "than two hours in the future."
            )
        if at and clock.now().timestamp() - _seconds(at) > MAX_AGE_SECONDS:
            raise InvalidParameterValue(
                f"The parameter MetricData.member.{number}.Timestamp must specify a time no more "
                "than two weeks in the past."
            )
    put_data(backend.local_aws_metrics, namespace, metric_data)


def put_data(store: MetricStore, namespace: str, data: Iterable[Mapping[str, Any]]) -> None:
    """Keep the data of a PutMetricData request; what has no time gets the clock's.

    What is hours ahead is dropped: the newest data say which are old enough to be forgotten.
    """
    for datum in data:
        key = MetricKey.of(namespace, datum["MetricName"], dimensions_of(datum.get("Dimensions")))
        at = datum.get("Timestamp")
        seconds = _seconds(at) if at else clock.now().timestamp()
        resolution = 1 if datum.get("StorageResolution") == 1 else 60
        if _is_ahead(seconds):
            continue
        store.include(key, seconds, bucket_of(datum), resolution)


def _is_ahead(seconds: float) -> bool:
    return seconds > clock.now().timestamp() + MAX_AHEAD_SECONDS


def _seconds(at: datetime.datetime) -> float:
    """Return seconds since 1970; moto's times without a zone are in UTC."""
    zoned = at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)
    return zoned.timestamp()


@patch("moto.cloudwatch.models.CloudWatchBackend.get_filtered_metrics", why=_KEEPS_ALL)
def get_filtered_metrics(
    original: Any, backend: Any, metric_name: str, namespace: str, dimensions: Any
) -> list[Any]:
    """Return the metrics that ListMetrics asks for."""
    found = original(backend, metric_name, namespace, dimensions)
    for key in backend.local_aws_metrics.known():
        listed = [{"Name": name, "Value": value} for name, value in key.dimensions]
        metric = MetricDatumBase(key.namespace, key.name, listed, None)
        if metric.filter(namespace, metric_name, dimensions):
            found.append(metric)
    return list(found)


def query_of(given: Mapping[str, Any]) -> Query:
    """Return a MetricDataQuery of a request."""
    stat = given.get("MetricStat")
    common = {"id": given["Id"], "returned": given.get("ReturnData") is not False}
    if stat is None:
        period = int(given.get("Period") or 60)
        label = given.get("Label") or given["Id"]
        return Query(**common, period=period, expression=given["Expression"], label=label)
    metric = stat["Metric"]
    key = MetricKey.of(
        metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions"))
    )
    return Query(
        **common,
        period=int(stat["Period"]),
        key=key,
        stat=stat["Stat"],
        unit=stat.get("Unit"),
        label=given.get("Label") or key.name,
    )


@patch(
    "moto.cloudwatch.models.CloudWatchBackend.get_metric_data",
    why="knows neither percentiles nor metric math",
)
def get_metric_data(original: Any, backend: Any, **request: Any) -> list[dict[str, Any]]:
    """Return the series that GetMetricData asks for."""
    del original
    for problem in query_problems(request["queries"]):
        raise ValidationError(problem)
    queries = [query_of(query) for query in request["queries"]]
    periods = [query.period for query in queries if query.key] or [60]
    queries = [q if q.key else q.with_period(max(periods)) for q in queries]
    start, end = _aligned(request["start_time"], min(periods)), _seconds(request["end_time"])
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    try:
        found = run(queries, fetching(_with_services_own(backend, queries)), start, end)
    except (MathError, ValueError) as error:
        raise ValidationError(f"Error in expression: {error}.") from error
    descending = request["scan_by"] == "TimestampDescending"
    return [_result(q, found[q.id], descending=descending) for q in queries if q.returned]


def _result(query: Query, series: Series, *, descending: bool) -> dict[str, Any]:
    times = sorted(series, reverse=descending)
    return {
        "id": query.id,
        "label": query.label,
        "timestamps": [datetime.datetime.fromtimestamp(at, datetime.UTC) for at in times],
        "values": [series[at] for at in times],
        "status_code": "Complete",
    }


def _aligned(start: datetime.datetime, period: int) -> float:
    """Return the begin of the first period: on the minute, or on the period if it is shorter."""
    step = min(period, 60)
    return _seconds(start) // step * step


def _with_services_own(backend: Any, queries: Iterable[Query]) -> MetricStore:
    """Return the store, with what moto's services report of themselves only when they are asked."""
    store: MetricStore = backend.local_aws_metrics
    missing = {query.key for query in queries if query.key and not store.has(query.key)}
    reported = [] if not missing else backend.aws_metric_data
    if not reported:
        return store
    own = MetricStore()
    for datum in reported:
        key = MetricKey.of(datum.namespace, datum.name, {d.name: d.value for d in datum.dimensions})
        if key in missing:
            own.add(key, _seconds(datum.timestamp), datum.value, datum.unit)
    return own.joined_with(store)


@patch(
    "moto.cloudwatch.responses.CloudWatchResponse.get_metric_statistics",
    why="lacks percentiles, and counts periods from the first datum",
)
def get_metric_statistics(original: Any, response: Any) -> Any:
    """Answer GetMetricStatistics."""
    del original
    names = response._get_param("Statistics") or []
    extended = response._get_param("ExtendedStatistics") or []
    if not names and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    try:
        points = _points(response, names, extended)
    except ValueError as error:
        raise InvalidParameterValue(f"{error}.") from error
    return ActionResult({"Label": response._get_param("MetricName"), "Datapoints": points})


def _points(response: Any, names: list[str], extended: list[str]) -> list[dict[str, Any]]:
    period = response._get_int_param("Period")
    start = _aligned(response._get_param("StartTime"), period)
    end = _seconds(response._get_param("EndTime"))
    if start >= end:
        raise ValueError("The parameter StartTime must be less than the parameter EndTime")
    for problem in statistics_problems(period, start, end):
        raise InvalidParameterCombination(problem)
    dimensions = dimensions_of(response._get_param("Dimensions"))
    key = MetricKey.of(
        response._get_param("Namespace"), response._get_param("MetricName"), dimensions
    )
    query = Query("m", period, key=key, unit=response._get_param("Unit"))
    store = _with_services_own(response.cloudwatch_backend, [query])
    buckets = [b for b in store.within(key, start, end) if query.takes(b[1])]
    joined = grouped(buckets, period, start)
    return [_point(at, bucket, names, extended) for at, bucket in joined.items()]


def _point(at: int, bucket: Bucket, names: list[str], extended: list[str]) -> dict[str, Any]:
    point: dict[str, Any] = {
        "Timestamp": datetime.datetime.fromtimestamp(at, datetime.UTC),
        "Unit": bucket.unit or "None",
        **{name: statistic(bucket, name) for name in names},
    }
    shares = {name: statistic(bucket, name) for name in extended}
    if known := {name: value for name, value in shares.items() if value is not None}:
        point["ExtendedStatistics"] = known
    return point
