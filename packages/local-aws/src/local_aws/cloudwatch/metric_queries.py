"""Metric data queries, as GetMetricData and alarms have them: metrics, and math over them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from local_aws.cloudwatch.metric_math import (
    MathError,
    Scope,
    Series,
    evaluate,
    names_in,
    parts_of,
)
from local_aws.core.metric_store import Bucket, MetricKey, MetricStore, grouped, statistic


@dataclass(frozen=True, slots=True)
class Query:
    """One query: a metric's statistic by period, or an expression over the others."""

    id: str
    period: int
    expression: str | None = None
    key: MetricKey | None = None
    stat: str = ""
    returned: bool = True
    label: str = ""
    unit: str | None = None

    def takes(self, bucket: Bucket) -> bool:
        """Return whether a bucket is in the unit that is asked for."""
        return self.unit is None or bucket.unit == self.unit

    def with_period(self, period: int) -> "Query":
        """Return the query over other periods."""
        return replace(self, period=period)


MAX_EXPRESSION_CHARACTERS = 2_048
MAX_POINTS = 100_800
"""Of all expressions of a request, as GetMetricData returns at most."""
_MAX_STEPS = 10_000_000
"""Points times the parts of their expressions: some ten seconds' work."""

Fetch = Callable[[Query, float, float], Series]


def fetching(store: MetricStore) -> Fetch:
    """Return the function that reads a metric's statistic out of a store."""

    def fetch(query: Query, start: float, end: float) -> Series:
        if query.key is None:
            return {}
        buckets = [item for item in store.within(query.key, start, end) if query.takes(item[1])]
        joined = grouped(buckets, query.period, start)
        found = {at: statistic(bucket, query.stat) for at, bucket in joined.items()}
        return {at: value for at, value in found.items() if value is not None}

    return fetch


def run(queries: Sequence[Query], fetch: Fetch, start: float, end: float) -> dict[str, Series]:
    """Return each query's series by its id, for the periods that begin in `[start, end)`.

    Raises MathError for an expression, also one of too many periods, and ValueError for a
    statistic that is not known.
    """
    _require_bounded(queries, start, end)
    found = {query.id: fetch(query, start, end) for query in queries if query.key is not None}
    metric_ids = tuple(found)
    waiting = [query for query in queries if query.expression]
    while waiting:
        ready = [query for query in waiting if not _needs(query, waiting)]
        if not ready:
            raise MathError(f"{waiting[0].expression} refers to itself")
        for query in ready:
            times = range(int(start), int(end), query.period)
            scope = Scope(found, times, query.period, metric_ids)
            found[query.id] = evaluate(str(query.expression), scope)
        waiting = [query for query in waiting if query not in ready]
    return found


def _require_bounded(queries: Sequence[Query], start: float, end: float) -> None:
    points = steps = 0
    for query in queries:
        if query.expression:
            if len(query.expression) > MAX_EXPRESSION_CHARACTERS:
                raise MathError(f"it has over {MAX_EXPRESSION_CHARACTERS:,} characters")
            count = len(range(int(start), int(end), query.period))
            points, steps = points + count, steps + count * parts_of(query.expression)
    if points > MAX_POINTS or steps > _MAX_STEPS:
        raise MathError(
            f"{points:,} data points are more than are computed here (at most {MAX_POINTS:,}, and "
            "fewer of long expressions); ask for a shorter time or a longer period"
        )


def check(queries: Sequence[Query]) -> None:
    """Raise MathError for an expression that cannot be read, ValueError for such a statistic."""
    for query in queries:
        if query.key is not None:
            statistic(Bucket(), query.stat)
    run(queries, lambda *_: {}, 0, 0)


def _needs(query: Query, waiting: Sequence[Query]) -> bool:
    return bool(names_in(str(query.expression)) & {other.id for other in waiting})
