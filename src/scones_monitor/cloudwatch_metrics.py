"""What CloudWatch knows of an endpoint: invocations, errors, latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

Series = Sequence[tuple[datetime, float]]
PERCENTILES = ("p50", "p90", "p99")

_NAMESPACE = "AWS/SageMaker"
_ERRORS = ("Invocation4XXErrors", "Invocation5XXErrors")
# CloudWatch keeps minutes for 15 days, five minutes for 63, hours for 455.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_KEPT = ((timedelta(days=15), 60), (timedelta(days=63), 300))
_OLDEST = 3600


@dataclass(frozen=True, slots=True)
class EndpointMetrics:
    """Timed sums of invocations and errors, latency of the model in milliseconds by percentile.

    `overall` holds the percentiles of the whole period. All are empty where nothing is known.
    """

    invocations: Series = ()
    errors: Series = ()
    latency: Mapping[str, Series] = field(default_factory=dict)
    overall: Mapping[str, float] = field(default_factory=dict)

    @property
    def invoked(self) -> int:
        """How many requests the variant got in the period."""
        return round(sum(value for _, value in self.invocations))

    @property
    def failed(self) -> int:
        """How many of them were answered with an error."""
        return round(sum(value for _, value in self.errors))


def read_metrics(
    cloudwatch: "CloudWatchClient",
    endpoint: str,
    variant: str,
    *,
    since: datetime,
    until: datetime,
    step: timedelta,
) -> EndpointMetrics:
    """Return an endpoint's metrics, a value for each `step`, or longer where no finer is kept.

    `since` and `until` are aware. Raises ClientError.
    """
    period = _period(step, datetime.now(since.tzinfo) - since)
    whole = max(period, -(-int((until - since).total_seconds()) // period) * period)
    queries = {
        "invocations": ("Invocations", "Sum", period),
        **{name.lower(): (name, "Sum", period) for name in _ERRORS},
        **{f"latency_{p}": ("ModelLatency", p, period) for p in PERCENTILES},
        # Percentiles of percentiles would say nothing.
        **{f"overall_{p}": ("ModelLatency", p, whole) for p in PERCENTILES},
    }
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": variant},
    ]
    asked: list[Any] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": _NAMESPACE, "MetricName": metric, "Dimensions": dimensions
                },
                "Stat": stat,
                "Period": seconds,
            },
        }
        for name, (metric, stat, seconds) in queries.items()
    ]  # fmt: skip
    found: dict[str, list[tuple[datetime, float]]] = {name: [] for name in queries}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=asked, StartTime=since, EndTime=until, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]] += zip(result["Timestamps"], result["Values"], strict=True)
    # SageMaker measures in microseconds.
    latency = {
        p: [(time, value / 1000) for time, value in found[f"latency_{p}"]] for p in PERCENTILES
    }
    overall = {p: found[f"overall_{p}"][-1][1] / 1000 for p in PERCENTILES if found[f"overall_{p}"]}
    errors = [point for name in _ERRORS for point in found[name.lower()]]
    return EndpointMetrics(
        found["invocations"], errors, latency if any(latency.values()) else {}, overall
    )


def _period(step: timedelta, age: timedelta) -> int:
    finest = next((seconds for kept, seconds in _KEPT if age < kept), _OLDEST)
    return max(1, -(-int(step.total_seconds()) // finest)) * finest
