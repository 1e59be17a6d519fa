"""Which resource a request is about, by the parameter that names it.

The ARNs are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from typing import Any

from local_aws.iam.arns import ANY, arn, parameter_values
from local_aws.iam.special_resources import SPECIAL

# Parameters that name a resource, and what precedes a bare name in its ARN; the first counts.
_NAMED: dict[str, tuple[tuple[str, str], ...]] = {
    "cloudwatch": (("AlarmNames", "alarm:"), ("AlarmName", "alarm:"), ("ResourceARN", "")),
    "dynamodb": (("TableName", "table/"),),
    "ecr": (
        ("repositoryName", "repository/"),
        ("repositoryNames", "repository/"),
        ("resourceArn", ""),
    ),
    "secretsmanager": (("SecretId", "secret:"), ("Name", "secret:")),
    "sns": (("TopicArn", ""), ("TargetArn", ""), ("Name", ""), ("ResourceArn", "")),
    "sqs": (("QueueUrl", ""), ("QueueName", "")),
    "ssm": (("Name", "parameter/"), ("Names", "parameter/"), ("Path", "parameter/")),
    "states": (
        ("stateMachineArn", ""),
        ("executionArn", ""),
        ("stateMachineAliasArn", ""),
        ("stateMachineVersionArn", ""),
        ("mapRunArn", ""),
        ("resourceArn", ""),
        ("name", "stateMachine:"),
    ),
    "sagemaker": (
        ("TrainingJobName", "training-job/"),
        ("ProcessingJobName", "processing-job/"),
        ("TransformJobName", "transform-job/"),
        ("MonitoringScheduleName", "monitoring-schedule/"),
        ("JobDefinitionName", "data-quality-job-definition/"),
        ("EndpointName", "endpoint/"),
        ("EndpointConfigName", "endpoint-config/"),
        ("ModelName", "model/"),
        ("ModelPackageName", "model-package/"),
        ("ModelPackageGroupName", "model-package-group/"),
        ("ModelPackageArn", ""),
        ("HyperParameterTuningJobName", "hyper-parameter-tuning-job/"),
        ("ResourceArn", ""),
    ),
}
# PutMetricData is bounded by its namespace; these have no resource either.
_WITHOUT_RESOURCE = frozenset(("PutMetricData", "GetMetricData", "ListMetrics", "ListTopics"))


def resources_of(response: Any, service: str, action: str) -> list[str]:
    """Return the ARNs that the request is about, `*` where the action has no resource."""
    if action in _WITHOUT_RESOURCE:
        return ANY
    special = SPECIAL.get(service)
    if special is not None and (found := special(response, action)):
        return found
    for name, before in _NAMED.get(service, ()):
        if values := parameter_values(response, name):
            return [arn(response, service, before, value) for value in values]
    return [arn(response, service, "alarm:", "*")] if service == "cloudwatch" else ANY
