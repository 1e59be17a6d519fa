"""JSON logs, and metrics that CloudWatch reads out of the log (Embedded Metric Format).

Logged are names and sizes: key, etag, bytes. Never an image's content.
"""

import os
from functools import cache

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from scones_core.events import ImageRef, Result


@cache
def logger() -> Logger:
    """Return the process's logger; a line is one JSON object on standard output."""
    return Logger(service="scones")


def log_image(message: str, image: ImageRef, **more: str | int | float) -> None:
    """Write one line: the message, the image's reference and what else is given."""
    logger().info(message, extra={**image, **more}, stacklevel=3)


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
