"""JSON logs, and metrics that CloudWatch reads out of the log (Embedded Metric Format).

Logged are names and sizes: key, etag, bytes. Never an image's content.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from scones_core.events import ImageRef, Result, count_by_decision

VALUES_A_METRIC = 100
"""Values of one metric in a line.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""


@cache
def logger() -> Logger:
    """Return the process's logger; a line is one JSON object on standard output."""
    return Logger(service="scones")


def log_image(message: str, image: ImageRef, **more: str | int | float) -> None:
    """Write one line: the message, the image's reference and what else is given."""
    logger().info(message, extra={**image, **more}, stacklevel=3)


def count_results(results: Sequence[Result]) -> None:
    """Write the metrics of many results in few lines: as `count_decision`, and Failed."""
    namespace = os.environ.get("METRICS_NAMESPACE") or "scones"
    counts = count_by_decision(results)
    _embed(namespace, {name.capitalize(): n for name, n in counts.items() if n}, "Count")
    confidences: dict[str, list[float]] = {}
    for result in results:
        if "inference" in result:
            values = confidences.setdefault(result["inference"]["label"], [])
            values.append(result["inference"]["confidence"])
    for label, values in confidences.items():
        for start in range(0, len(values), VALUES_A_METRIC):
            part = values[start : start + VALUES_A_METRIC]
            _embed(namespace, {"Confidence": part}, "None", {"Label": label})


def _embed(
    namespace: str,
    metrics: Mapping[str, Any],
    unit: str,
    dimensions: Mapping[str, str] | None = None,
) -> None:
    """Write one line with metrics that CloudWatch reads out of it."""
    if not metrics:
        return
    names = [{"Name": name, "Unit": unit} for name in metrics]
    directive = {"Namespace": namespace, "Dimensions": [[*(dimensions or ())]], "Metrics": names}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": about, **(dimensions or {}), **metrics}))


def count_decision(result: Result) -> None:
    """Write two metrics: Confidence by Label, and one Accepted or Review.

    The namespace is METRICS_NAMESPACE, `scones` if that is not set.
    """
    namespace = os.environ.get("METRICS_NAMESPACE") or "scones"
    inference = result["inference"]
    with single_metric(
        name="Confidence",
        unit=MetricUnit.NoUnit,
        value=inference["confidence"],
        namespace=namespace,
    ) as confidence:
        confidence.add_dimension(name="Label", value=inference["label"])
    with single_metric(
        name=result["decision"].capitalize(),
        unit=MetricUnit.Count,
        value=1,
        namespace=namespace,
    ):
        pass
