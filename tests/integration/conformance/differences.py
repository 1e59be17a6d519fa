"""Where the embedded AWS is known to differ from AWS: each case with its reason and its error.

What cannot be had here answers with a clear error, never with a wrong success. The test beside
this file makes every call and looks for that error. An entry goes when the difference does.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that AWS takes and the embedded AWS refuses.

    `parameters` are those of boto3. `says` are words that the message of the error has in it.
    """

    service: str
    operation: str
    differs: str
    reason: str
    code: str
    says: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what a test report calls it."""
        return f"{self.service}.{self.operation}: {self.differs}"


_NO_SERVICE = "The embedded AWS does not implement"

DIFFERENCES = (
    Difference(
        service="wellarchitected",
        operation="list_lenses",
        differs="a service that the project does not use",
        reason="The embedded AWS executes what the project deploys, and nothing beyond it.",
        code="NotImplemented",
        says=f"{_NO_SERVICE} wellarchitected",
    ),
    Difference(
        service="lambda",
        operation="get_function_recursion_config",
        parameters={"FunctionName": "any"},
        differs="an action that moto lacks",
        reason="moto answers it with a fault, which clients would try again for minutes.",
        code="NotImplemented",
        says="recursion-config",
    ),
    Difference(
        service="cloudwatch",
        operation="put_metric_alarm",
        parameters={
            "AlarmName": "any",
            "EvaluationPeriods": 1,
            "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold",
            "ThresholdMetricId": "band",
            "Metrics": [{"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1)"}],
        },
        differs="anomaly detection",
        reason="CloudWatch's models are not published.",
        code="ValidationError",
        says="does not implement anomaly detection",
    ),
    Difference(
        service="events",
        operation="put_targets",
        parameters={
            "Rule": "any",
            "Targets": [
                {"Id": "1", "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/any"},
            ],
        },
        differs="targets other than states, lambda, sqs, sns, logs and event buses",
        reason="Nothing here would take the event.",
        code="ValidationException",
        says="does not implement arn:aws:ecs",
    ),
    Difference(
        service="application-autoscaling",
        operation="register_scalable_target",
        parameters={
            "ServiceNamespace": "lambda",
            "ResourceId": "function:any:live",
            "ScalableDimension": "lambda:function:ProvisionedConcurrency",
            "MinCapacity": 1,
            "MaxCapacity": 2,
        },
        differs="scaling of anything but SageMaker's variants",
        reason="Only a variant's instances are processes that can be more or fewer.",
        code="ValidationException",
        says="does not implement scaling of lambda",
    ),
)
