"""The error names of service integrations, as Retry and Catch expect them.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import json
from importlib import import_module
from typing import Any

from botocore.exceptions import ClientError

from local_aws.core.patching import wrap
from local_aws.stepfunctions.failures import task_failure

_SERVICE = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"
# How an error's name begins with aws-sdk integrations, where it is not the service's own name.
_SDK_ERROR_NAMES = {
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "eventbridge": "EventBridge",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sagemakerruntime": "SageMakerRuntime",
    "secretsmanager": "SecretsManager",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
}


def install() -> None:
    """Mend the names that moto gives the services' errors."""
    _name_errors()
    _name_sdk_errors()


def error_of(prefix: str, base: str, error: ClientError) -> str:
    """Return an error's name: the service's own class where its model has one, else the base's.

    Step Functions names them after the classes of the Java SDK, which all end in Exception.
    """
    kind = type(error).__name__
    if kind == "ClientError" or kind.startswith("AccessDenied"):
        return f"{prefix}.{base}"
    return f"{prefix}.{kind}" if kind.endswith("Exception") else f"{prefix}.{kind}Exception"


def cause_of(service: str, error: ClientError) -> str:
    """Return an error's sentence with what Step Functions adds of the response."""
    found, told = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f"{found.get('Message', '')} (Service: {service}; Status Code: "
        f"{told.get('HTTPStatusCode')}; Error Code: {found.get('Code')}; Request ID: "
        f"{told.get('RequestId')}; Proxy: null)"
    )


def _name_errors() -> None:
    fault = "names errors by their codes, or States.Runtime, where no Retry expects them"
    for module, kind, prefix, base, service in (
        ("dynamodb", "DynamoDB", "DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
        ("events", "Events", "EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
        ("sfn", "Sfn", "StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions"),
        ("sns", "Sns", "SNS", "AmazonSNSException", "AmazonSNS"),
        ("sqs", "Sqs", "SQS", "AmazonSQSException", "AmazonSQS"),
    ):
        owner = getattr(
            import_module(f"{_SERVICE}.state_task_service_{module}"), f"StateTaskService{kind}"
        )
        _name_errors_of(owner, (prefix, base, service), fault)


def _name_errors_of(owner: Any, names: tuple[str, str, str], fault: str) -> None:
    prefix, base, service = names

    @wrap(owner, "_from_error", fault=fault)
    def from_error(original: Any, task: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            return task_failure(task, env, error_of(prefix, base, ex), cause_of(service, ex))
        cause = getattr(ex, "cause", None)
        if isinstance(cause, dict):  # the response of PutEvents with a failed entry
            return task_failure(task, env, f"{prefix}.FailedEntry", json.dumps(cause))
        return original(task, env=env, ex=ex)


def _name_sdk_errors() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_aws_sdk as sdk,
    )

    sdk._SERVICE_ERROR_NAMES.update(_SDK_ERROR_NAMES)

    fault = "names every error that botocore has no class for after the service"

    @wrap(sdk.StateTaskServiceAwsSdk, "_normalise_exception_name", fault=fault)
    def name(_: Any, norm_service_name: str, ex: ClientError) -> str:
        code = str(ex.response.get("Error", {}).get("Code", ""))
        code = (code if code[:1].isalpha() else norm_service_name).removesuffix("Exception")
        return error_of(norm_service_name, f"{code}Exception", ex)
