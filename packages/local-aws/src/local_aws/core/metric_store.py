"""Metrics as CloudWatch keeps them: what was measured in each minute, by metric.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Exact values are kept for percentiles; past so many different ones in a minute they are
# rounded to three digits, which moves a percentile by half a percent at the most.
_EXACT_VALUES = 500
_RETENTION_SECONDS = 15 * 86_400
_MAX_BUCKETS = 200_000

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricKey:
    """What identifies a metric; the dimensions are sorted pairs."""

    namespace: str
    name: str
    dimensions: Dimensions = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "MetricKey":
        """Return the key for dimensions in any order."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(slots=True)
class Bucket:
    """What was measured in one minute, or in one second at high resolution."""

    count: float = 0.0
    sum: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    unit: str | None = None

    def add(self, value: float, count: float = 1.0) -> None:
        """Add one value, seen `count` times."""
        self.merge(count, value * count, value, value)
        if len(self.values) >= _EXACT_VALUES and value not in self.values:
            value = float(f"{value:.3g}")
        self.values[value] = self.values.get(value, 0.0) + count

    def merge(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Add a statistic set, whose single values are not known."""
        self.count += count
        self.sum += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)

    def include(self, other: "Bucket") -> None:
        """Add all that another bucket holds."""
        self.merge(other.count, other.sum, other.minimum, other.maximum)
        self.unit = self.unit or other.unit
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count


class MetricStore:
    """All metrics of an account and region. Thread-safe, and bounded in time and size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[MetricKey, dict[int, Bucket]] = {}
        self._buckets = 0

    def __getstate__(self) -> dict[str, object]:
        return {"series": self._series, "buckets": self._buckets}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__()  # type: ignore[misc]
        self._series, self._buckets = state["series"], state["buckets"]  # type: ignore[assignment]

    def add(
        self, key: MetricKey, at: float, value: float, unit: str | None = None, resolution: int = 60
    ) -> None:
        """Add one value at a time in seconds since 1970."""
        with self._lock:
            self._bucket(key, at, unit, resolution).add(value)

    def add_together(
        self,
        namespace: str,
        dimensions: Dimensions,
        at: float,
        values: Mapping[str, float],
        units: Mapping[str, str],
    ) -> None:
        """Add one value for each metric name, all of one time and of the same sorted dimensions."""
        with self._lock:
            for name, value in values.items():
                key = MetricKey(namespace, name, dimensions)
                self._bucket(key, at, units.get(name, "None"), 60).add(value)

    def include(self, key: MetricKey, at: float, measured: Bucket, resolution: int = 60) -> None:
        """Add what a bucket holds."""
        with self._lock:
            self._bucket(key, at, measured.unit, resolution).include(measured)

    def joined_with(self, other: "MetricStore") -> "MetricStore":
        """Return a store that has the series of both, without copying them."""
        joined = MetricStore()
        joined._series = {**other._series, **self._series}
        return joined

    def known(self) -> list[MetricKey]:
        """Return the metrics that have data, in the order of their first datum."""
        with self._lock:
            return list(self._series)

    def has(self, key: MetricKey) -> bool:
        """Return whether there are data of that metric."""
        return key in self._series

    def within(self, key: MetricKey, start: float, end: float) -> list[tuple[int, Bucket]]:
        """Return the buckets that begin in `[start, end)`, with their times, in order."""
        with self._lock:
            series = self._series.get(key, {})
            found = [(at, bucket) for at, bucket in series.items() if start <= at < end]
        return sorted(found, key=lambda item: item[0])

    def _bucket(self, key: MetricKey, at: float, unit: str | None, resolution: int) -> Bucket:
        start = int(at // resolution * resolution)
        series = self._series.setdefault(key, {})
        bucket = series.get(start)
        if bucket is None:
            bucket = series[start] = Bucket(unit=unit)
            self._buckets += 1
            if self._buckets > _MAX_BUCKETS:
                self._forget_oldest()
            elif len(series) % 1000 == 0:
                self._forget_before(start - _RETENTION_SECONDS, [key])
        return bucket

    def _forget_oldest(self) -> None:
        times = sorted(at for series in self._series.values() for at in series)
        self._forget_before(times[len(times) // 10], list(self._series))

    def _forget_before(self, time: float, keys: Iterable[MetricKey]) -> None:
        for key in keys:
            series = self._series[key]
            kept = {at: bucket for at, bucket in series.items() if at >= time}
            self._buckets -= len(series) - len(kept)
            if kept:
                self._series[key] = kept
            else:
                del self._series[key]


def grouped(buckets: Iterable[tuple[int, Bucket]], period: int, start: float) -> dict[int, Bucket]:
    """Return the buckets joined by periods of that many seconds, counted from `start`."""
    found: dict[int, Bucket] = {}
    for at, bucket in buckets:
        begin = int(start + (at - start) // period * period)
        found.setdefault(begin, Bucket()).include(bucket)
    return found


def statistic(bucket: Bucket, name: str) -> float | None:
    """Return a statistic of a bucket: one of the five, or a percentile such as `p99.9`.

    None for a percentile where statistic sets were put, whose values are not known. Raises
    ValueError for any other name.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    plain = {
        "SampleCount": bucket.count,
        "Sum": bucket.sum,
        "Minimum": bucket.minimum,
        "Maximum": bucket.maximum,
        "Average": bucket.sum / bucket.count if bucket.count else None,
    }
    if name in plain:
        return plain[name]
    if re.fullmatch(r"p[0-9]{1,2}(\.[0-9]{1,10})?|p100", name):
        return _percentile(bucket, float(name[1:]))
    raise ValueError(f"the statistic {name} is not known")


def _percentile(bucket: Bucket, percent: float) -> float | None:
    total = sum(bucket.values.values())
    if total < bucket.count and bucket.minimum != bucket.maximum:
        return None
    if not bucket.values:
        return bucket.minimum
    seen, target_weight = 0.0, max(total * percent / 100, 1.0)
    for value in sorted(bucket.values):
        seen += bucket.values[value]
        if seen >= target_weight - 1e-9:
            return value
    return max(bucket.values)
