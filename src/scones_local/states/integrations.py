"""The service integrations of Task states: parameters, responses and error names as AWS has them.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

import contextlib
import datetime
import json
from typing import Any

from botocore.exceptions import ClientError

from scones_local.registry import replace, wrap
from scones_local.states.clients import ClientCache
from scones_local.states.failures import task_failure

_SERVICE = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"
_POLL_SECONDS = 0.1
# The names that Step Functions gives services, where boto3 has others.
_BOTO_SERVICES = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerruntime": "sagemaker-runtime",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
}
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


def install(clients: ClientCache) -> None:
    """Mend the integrations that moto has."""
    _use_the_service_models(clients)
    _name_errors()
    _name_sdk_errors()
    _poll_and_cancel(clients)


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


def _use_the_service_models(clients: ClientCache) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service as base,
    )

    names = base.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
    names.update(_BOTO_SERVICES)
    fault = "hands a definition's parameter names to boto3 as they are, and its answers back"

    def model(task: Any, service: str | None, action: str | None) -> Any:
        client = clients.get("us-east-1", task._get_boto_service_name(service))
        operation = client.meta.method_to_api_mapping.get(task._get_boto_service_action(action))
        return operation and client.meta.service_model.operation_model(operation)

    @wrap(base.StateTaskService, "_normalise_parameters", fault=fault)
    def parameters(
        _: Any,
        task: Any,
        parameters: dict[str, Any],
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        if task.resource.service_name == "lambda":  # its own client takes them as they are
            return
        found = model(task, boto_service_name, service_action_name)
        if found is not None and found.input_shape is not None:
            task._to_boto_request(parameters, found.input_shape)

    @wrap(base.StateTaskService, "_normalise_response", fault=fault)
    def response(
        _: Any,
        task: Any,
        response: Any,
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        if task.resource.service_name == "lambda":
            return
        found = model(task, boto_service_name, service_action_name)
        if isinstance(response, dict) and found is not None and found.output_shape is not None:
            task._from_boto_response(response, found.output_shape)
            plain(response)


def plain(value: Any) -> Any:
    """Return a response with its times as ISO 8601 texts and its bytes as texts, in place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            value[name] = plain(inner)
    elif isinstance(value, list):
        value[:] = [plain(inner) for inner in value]
    elif isinstance(value, datetime.datetime):
        text = value.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    elif isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _name_errors() -> None:
    from importlib import import_module

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


def _poll_and_cancel(clients: ClientCache) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_callback as callback,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_sfn as sfn,
    )

    fault = "looks twice a second only"
    replace(callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", _POLL_SECONDS, fault=fault)
    fault = "lets a child execution run on when nobody waits for it any more"

    def resolver(original: Any, task: Any, env: Any, **more: Any) -> Any:
        execution_arn = env.stack[-1]["ExecutionArn"]
        region, credentials = more["resource_runtime_part"].region, more["state_credentials"]
        client = clients.get(region, "stepfunctions", credentials)
        look = original(task, env, **more)
        look.cancel = lambda: client.stop_execution(executionArn=execution_arn)
        return look

    for name in ("_build_sync_resolver", "_build_sync2_resolver"):
        wrap(sfn.StateTaskServiceSfn, name, fault=fault)(resolver)

    @wrap(callback.StateTaskServiceCallback, "_eval_sync", fault=fault)
    def wait(original: Any, task: Any, env: Any, **more: Any) -> Any:
        outcome = original(task, env, **more)
        cancel = getattr(more.get("sync_resolver"), "cancel", None)
        if not outcome and cancel is not None:  # the task is out of time, or was stopped
            with contextlib.suppress(ClientError):
                cancel()
        return outcome
