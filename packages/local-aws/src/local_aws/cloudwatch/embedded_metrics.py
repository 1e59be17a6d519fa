"""Metrics inside log lines: CloudWatch's embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.core.metric_store import MetricKey

_MARK = '"_aws"'
_MAX_METRICS = 100
_MAX_DIMENSIONS = 30
_MAX_VALUES = 100


@dataclass(frozen=True, slots=True)
class Embedded:
    """One metric's values; `at` is in seconds since 1970, `resolution` too."""

    key: MetricKey
    values: tuple[float, ...]
    unit: str
    at: float
    resolution: int = 60


def embedded_metrics(message: str) -> Iterator[Embedded]:
    """Yield the metrics of a log line; none of a line that does not keep to the format."""
    if _MARK not in message:
        return
    try:
        document = json.loads(message)
    except ValueError:
        return
    about = document.get("_aws") if isinstance(document, dict) else None
    if not isinstance(about, Mapping) or not isinstance(about.get("Timestamp"), int | float):
        return
    for directive in _list(about.get("CloudWatchMetrics")):
        if isinstance(directive, Mapping) and directive.get("Namespace"):
            yield from _directed(directive, document, float(about["Timestamp"]) / 1000)


def _directed(
    directive: Mapping[str, Any], document: Mapping[str, Any], at: float
) -> Iterator[Embedded]:
    sets = [found for names in _list(directive.get("Dimensions")) if (found := _set(names))]
    for metric in _list(directive.get("Metrics"))[:_MAX_METRICS]:
        name = metric.get("Name") if isinstance(metric, Mapping) else None
        values = _values(document.get(str(name)))
        if not name or not values:
            continue
        resolution = 1 if metric.get("StorageResolution") == 1 else 60
        for names in sets or [()]:
            if any(one not in document for one in names):
                continue
            dimensions = {one: str(document[one]) for one in names}
            key = MetricKey.of(directive["Namespace"], str(name), dimensions)
            yield Embedded(key, values, metric.get("Unit") or "None", at, resolution)


def _set(names: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in _list(names)[:_MAX_DIMENSIONS])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: Any) -> tuple[float, ...]:
    given = value if isinstance(value, list) else [value]
    numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
    whole = len(numbers) == len(given) <= _MAX_VALUES
    return tuple(float(number) for number in numbers) if whole else ()
