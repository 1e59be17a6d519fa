"""Metrics of the embedded AWS's own services: the one way to put them into CloudWatch."""

import datetime
from collections.abc import Mapping
from typing import Any

from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID, REGION
from local_aws.core.metric_store import Bucket, MetricStore


def emit(
    namespace: str,
    dimensions: Mapping[str, str],
    values: Mapping[str, float],
    units: Mapping[str, str] | None = None,
    *,
    at: datetime.datetime | None = None,
    region: str = REGION,
) -> None:
    """Put one value for each metric name; the time is the clock's unless `at` is given.

    `units` has those that are not `None`, by metric name; they are CloudWatch's own names,
    such as `Milliseconds`. It costs microseconds, so it may be called on a request's way.
    """
    when = (clock.now() if at is None else at).timestamp()
    where = tuple(sorted(dimensions.items()))
    store_of(region).add_together(namespace, where, when, values, units or {})


def store_of(region: str) -> MetricStore:
    """Return where the account's metrics of a region are kept: with moto's CloudWatch."""
    from moto.cloudwatch.models import cloudwatch_backends

    backend: Any = cloudwatch_backends[ACCOUNT_ID][region]
    store: MetricStore = backend.local_aws_metrics
    return store


def bucket_of(datum: Mapping[str, Any]) -> Bucket:
    """Return a `MetricDatum` of PutMetricData as a bucket.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
    """
    bucket = Bucket(unit=datum.get("Unit") or "None")
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(values)
        for value, count in zip(values, counts, strict=True):
            bucket.add(float(value), float(count))
    elif sets := datum.get("StatisticValues"):
        numbers = (float(sets[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        bucket.merge(*numbers)
    else:
        bucket.add(float(datum.get("Value", 0.0)))
    return bucket


def dimensions_of(listed: Any) -> dict[str, str]:
    """Return `[{"Name": .., "Value": ..}]` as a mapping."""
    return {item["Name"]: item["Value"] for item in listed or []}
