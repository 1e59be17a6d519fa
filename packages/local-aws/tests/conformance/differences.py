"""Where the embedded AWS is known to differ from AWS: each case with its reason and its error.

What cannot be had here answers with a clear error, never with a wrong success. The test next to
this file makes every call and looks for that error. An entry goes when the difference does.
"""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that AWS takes and the embedded AWS refuses.

    `parameters` are those of boto3. `says` is a part of the error's message.
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


# The end record of an archive without entries.
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
_NO_SERVICE = "The embedded AWS does not implement"


def _state_machine(differs: str, reason: str, says: str, **state: Any) -> Difference:
    """Return the refusal of a state machine that has one state."""
    states = {"S": {"End": True, **state}}
    return Difference(
        service="stepfunctions",
        operation="create_state_machine",
        parameters={
            "name": "refused",
            "roleArn": "arn:aws:iam::123456789012:role/test",
            "definition": json.dumps({"StartAt": "S", "States": states}),
        },
        differs=differs,
        reason=reason,
        code="InvalidDefinition",
        says=says,
    )


def _distributed(reader: dict[str, Any]) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    inner = {"ProcessorConfig": config, "StartAt": "P", "States": {"P": {"Type": "Succeed"}}}
    item_reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "k"},
        "ReaderConfig": reader,
    }
    return {"Type": "Map", "ItemProcessor": inner, "ItemReader": item_reader}


_ONE_FORM = "No reader of that form is at hand without a heavy package."

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
        operation="get_runtime_management_config",
        parameters={"FunctionName": "any"},
        differs="an action that moto lacks",
        reason="moto answers it with a fault, which clients would try again for minutes.",
        code="NotImplemented",
        says="runtime-management-config",
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
        service="cloudwatch",
        operation="put_metric_alarm",
        parameters={
            "AlarmName": "any",
            "Namespace": "N",
            "MetricName": "M",
            "ExtendedStatistic": "p90",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluateLowSampleCountPercentile": "ignore",
        },
        differs="percentiles of few samples, which AWS can leave out of account",
        reason="AWS does not say how many samples are enough.",
        code="ValidationError",
        says="EvaluateLowSampleCountPercentile",
    ),
    Difference(
        service="cloudwatch",
        operation="put_composite_alarm",
        parameters={"AlarmName": "any", "AlarmRule": "TRUE", "ActionsSuppressor": "other"},
        differs="an alarm that suppresses another's actions",
        reason="The project has no use for it.",
        code="ValidationError",
        says="does not implement ActionsSuppressor",
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
    Difference(
        service="lambda",
        operation="invoke_with_response_stream",
        parameters={"FunctionName": "any"},
        differs="answers that are streamed",
        reason="Python's managed runtime does not stream either.",
        code="NotImplemented",
        says="response-streaming-invocations",
    ),
    Difference(
        service="lambda",
        operation="create_function",
        parameters={
            "FunctionName": "image",
            "PackageType": "Image",
            "Code": {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/any:1"},
            "Role": "arn:aws:iam::123456789012:role/test",
        },
        differs="functions that are container images",
        reason="Functions are processes here, and this host need have no Docker.",
        code="InvalidParameterValueException",
        says="runs zips only",
    ),
    Difference(
        service="lambda",
        operation="create_function",
        parameters={
            "FunctionName": "node",
            "Runtime": "nodejs22.x",
            "Handler": "index.handler",
            "Code": {"ZipFile": EMPTY_ZIP},
            "Role": "arn:aws:iam::123456789012:role/test",
        },
        differs="runtimes other than Python",
        reason="Only Python's runtime client is among the project's packages.",
        code="InvalidParameterValueException",
        says="runs Python only",
    ),
    _state_machine(
        "activities",
        "Workers that poll for activities are not part of the project.",
        "activity",
        Type="Task",
        Resource="arn:aws:states:us-east-1:123456789012:activity:a",
    ),
    _state_machine(
        "services that the embedded AWS does not run",
        "A task that is forwarded to nothing would succeed or fail for no reason.",
        "batch",
        Type="Task",
        Resource="arn:aws:states:::batch:submitJob.sync",
    ),
    _state_machine(
        "waiting for other SageMaker resources than jobs",
        "AWS waits for labeling jobs too, which the embedded AWS has not.",
        "createLabelingJob",
        Type="Task",
        Resource="arn:aws:states:::sagemaker:createLabelingJob.sync",
    ),
    _state_machine(
        "items in Parquet", _ONE_FORM, "PARQUET", **_distributed({"InputType": "PARQUET"})
    ),
    _state_machine(
        "items of an Athena manifest",
        _ONE_FORM,
        "ATHENA_DATA",
        **_distributed({"InputType": "MANIFEST", "ManifestType": "ATHENA_DATA"}),
    ),
)
