"""`AWS/Lambda`'s metrics, from each invocation that runs or is turned away.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from local_aws.core.metrics import emit
from local_aws.lambda_.function_spec import FunctionSpec


class LambdaMeter:
    """Tells CloudWatch of invocations, by function and by what they were invoked as."""

    def ran(
        self, spec: FunctionSpec, arn: str, *, seconds: float, failed: bool, running: int
    ) -> None:
        """Put the metrics of an invocation; `running` counts those of the function at its start."""
        values = {
            "Invocations": 1.0,
            "Errors": float(failed),
            "Throttles": 0.0,
            "Duration": seconds * 1000,
            "ConcurrentExecutions": float(running),
        }
        self._put(spec, arn, values)

    def throttled(self, spec: FunctionSpec, arn: str) -> None:
        """Put the metric of an invocation that was turned away."""
        self._put(spec, arn, {"Throttles": 1.0})

    def _put(self, spec: FunctionSpec, arn: str, values: dict[str, float]) -> None:
        units = {"Duration": "Milliseconds"}
        resource = arn.split(":function:", 1)[-1]
        for dimensions in (
            {"FunctionName": spec.name},
            {"FunctionName": spec.name, "Resource": resource},
        ):
            emit("AWS/Lambda", dimensions, values, units, region=spec.region)
