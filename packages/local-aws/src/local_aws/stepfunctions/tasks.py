"""Task states of AWS services: parameters, responses, error names, and waiting for jobs.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

import contextlib
import datetime
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as base,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as sdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_unsupported as forwarding,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)

from local_aws.core.patching import patch, set_value
from local_aws.stepfunctions.clients import ANSWERED, client_for, denial, sdk_metadata
from local_aws.stepfunctions.errors import StateFailed, failure_event, task_failure
from local_aws.stepfunctions.integrations import BOTO_SERVICES
from local_aws.stepfunctions.json_data import strict_json
from local_aws.stepfunctions.validation import JOBS, Job

_SERVICE = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"
_POLL_SECONDS = 0.1
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

set_value(
    f"{_SERVICE}.state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES",
    {**base.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES, **BOTO_SERVICES},
    why="does not know the names that Step Functions gives some services",
)
set_value(
    f"{_SERVICE}.state_task_service_aws_sdk._SERVICE_ERROR_NAMES",
    {**sdk._SERVICE_ERROR_NAMES, **_SDK_ERROR_NAMES},
    why="does not know how the error names of some services begin",
)
set_value(
    f"{_SERVICE}.state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK",
    _POLL_SECONDS,
    why="looks twice a second only",
)


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task"
    ".StateTask._eval_state_credentials",
    why="acts with whatever role a state names",
)
def evaluate_credentials(original: Any, task: Any, env: Any) -> Any:
    """Return the role that a task acts with; another one than the state machine's must trust it.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html
    """
    found, own = original(task, env), str(env.aws_execution_details.role_arn)
    if found.role_arn != own:
        denied = denial(own, "sts:AssumeRole", str(found.role_arn))
        if denied is not None:
            raise failure_event(env, "States.Permissions", denied, "TaskFailed")
    return found


def _operation(task: Any, service: str | None, action: str | None) -> Any:
    """Return botocore's model of the operation that a task calls, None where it has none."""
    if task.resource.service_name == "lambda":  # its own client takes and gives its names
        return None
    client = client_for("us-east-1", task._get_boto_service_name(service))
    name = client.meta.method_to_api_mapping.get(task._get_boto_service_action(action))
    return name and client.meta.service_model.operation_model(name)


_NAMES_WHY = "hands a definition's parameter names to boto3 as they are, and its answers back"


@patch(f"{_SERVICE}.state_task_service.StateTaskService._normalise_parameters", why=_NAMES_WHY)
def normalise_parameters(
    _: Any,
    task: Any,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Spell a task's parameters as boto3 does, in place."""
    found = _operation(task, boto_service_name, service_action_name)
    if found is not None and found.input_shape is not None:
        task._to_boto_request(parameters, found.input_shape)


@patch(f"{_SERVICE}.state_task_service.StateTaskService._normalise_response", why=_NAMES_WHY)
def normalise_response(
    _: Any,
    task: Any,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Spell a service's response as Step Functions does, in place."""
    found = _operation(task, boto_service_name, service_action_name)
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
    elif hasattr(value, "read"):  # a stream, which no execution's record can hold
        return plain(value.read())
    return value


def _child_resolver(original: Any, task: Any, env: Any, **more: Any) -> Any:
    execution_arn = env.stack[-1]["ExecutionArn"]
    region, credentials = more["resource_runtime_part"].region, more["state_credentials"]
    client = client_for(region, "stepfunctions", credentials)
    look = original(task, env, **more)
    look.cancel = lambda: client.stop_execution(executionArn=execution_arn)
    return look


_CHILD_WHY = "lets a child execution run on when nobody waits for it any more"
for _name in ("_build_sync_resolver", "_build_sync2_resolver"):
    patch(f"{_SERVICE}.state_task_service_sfn.StateTaskServiceSfn.{_name}", why=_CHILD_WHY)(
        _child_resolver
    )


@patch(
    f"{_SERVICE}.state_task_service_callback.StateTaskServiceCallback._eval_sync", why=_CHILD_WHY
)
def evaluate_sync(original: Any, task: Any, env: Any, **more: Any) -> Any:
    """Wait for what a task started; stop that when the task is out of time, or was stopped."""
    outcome = original(task, env, **more)
    cancel = getattr(more.get("sync_resolver"), "cancel", None)
    if not outcome and cancel is not None:
        with contextlib.suppress(ClientError):
            cancel()
    return outcome


def _with_metadata(original: Any, task: Any, env: Any, *args: Any, **more: Any) -> None:
    """Call the service; its response is put out with what the SDK says of it.

    Outputs of optimized integrations are results of the Java SDK 1, which all have these fields.
    """
    ANSWERED.set(None)
    original(task, env, *args, **more)
    metadata, response = ANSWERED.get(), env.stack[-1]
    if metadata is not None and isinstance(response, dict):
        response |= sdk_metadata(metadata)


for _kind in ("DynamoDB", "Events", "Lambda", "Sfn", "Sns", "Sqs"):
    patch(
        f"{_SERVICE}.state_task_service_{_kind.lower()}.StateTaskService{_kind}._eval_service_task",
        why="drops what the SDK says of a response",
    )(_with_metadata)


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
    found, metadata = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f"{found.get('Message', '')} (Service: {service}; Status Code: "
        f"{metadata.get('HTTPStatusCode')}; Error Code: {found.get('Code')}; Request ID: "
        f"{metadata.get('RequestId')}; Proxy: null)"
    )


def _name_errors(prefix: str, base_name: str, service: str) -> Callable[..., Any]:
    def from_error(original: Any, task: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            return task_failure(task, env, error_of(prefix, base_name, ex), cause_of(service, ex))
        cause = getattr(ex, "cause", None)
        if isinstance(cause, dict):  # the response of PutEvents with a failed entry
            return task_failure(task, env, f"{prefix}.FailedEntry", json.dumps(cause))
        return original(task, env=env, ex=ex)

    return from_error


for _module, _kind, *_names in (
    ("dynamodb", "DynamoDB", "DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
    ("events", "Events", "EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
    ("sfn", "Sfn", "StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions"),
    ("sns", "Sns", "SNS", "AmazonSNSException", "AmazonSNS"),
    ("sqs", "Sqs", "SQS", "AmazonSQSException", "AmazonSQS"),
):
    patch(
        f"{_SERVICE}.state_task_service_{_module}.StateTaskService{_kind}._from_error",
        why="names errors by their codes, or States.Runtime, where no Retry expects them",
    )(_name_errors(*_names))


@patch(
    f"{_SERVICE}.state_task_service_aws_sdk.StateTaskServiceAwsSdk._normalise_exception_name",
    why="names every error that botocore has no class for after the service",
)
def normalise_exception_name(_: Any, norm_service_name: str, ex: ClientError) -> str:
    """Return the error name of an `aws-sdk` task."""
    code = str(ex.response.get("Error", {}).get("Code", ""))
    code = (code if code[:1].isalpha() else norm_service_name).removesuffix("Exception")
    return error_of(norm_service_name, f"{code}Exception", ex)


@patch(
    f"{_SERVICE}.state_task_service_lambda.StateTaskServiceLambda._error_cause_from_client_error",
    why="names a denial as no Retry expects it",
)
def lambda_error(original: Any, error: Any) -> tuple[str, str]:
    """Return the error name and the cause of a failed call of Lambda."""
    name, cause = original(error)
    # Lambda's client for Step Functions knows no class for it, so it gets the base's name.
    denied = name == "Lambda.AccessDeniedException"
    return ("Lambda.AWSLambdaException" if denied else name), cause


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils._from_payload",
    why="reads NaN and Infinity, which are not JSON, and hands them on",
)
def from_payload(_: Any, payload_streaming_body: Any) -> Any:
    """Return the value of a function's payload, or its text where that is not JSON."""
    text = payload_streaming_body.read().decode("utf-8")
    try:
        return strict_json(text)
    except ValueError as error:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return text
        raise StateFailed(
            "States.Runtime", f"The function's payload cannot be read: {error}."
        ) from error


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda"
    ".StateTaskLambda._from_error",
    why="names a payload that cannot be read Exception",
)
def lambda_task_error(original: Any, task: Any, env: Any, ex: Exception) -> Any:
    """Return the failure of a task whose resource is a function's ARN."""
    if isinstance(ex, StateFailed):
        failed: Any = failure_event(env, ex.error, ex.cause, "LambdaFunctionFailed")
        return failed.failure_event
    return original(task, env=env, ex=ex)


class StateTaskServiceSagemaker(forwarding.StateTaskServiceUnsupported):
    """A Task state of SageMaker."""

    def __init__(self) -> None:
        # Without the second moto has no endpoint that it can release after a wait.
        names = (ResourceCondition.Sync, ResourceCondition.WaitForTaskToken)
        patterns = {ResourceCondition(name) for name in names}
        callback.StateTaskServiceCallback.__init__(self, patterns)

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            name = error_of("SageMaker", "AmazonSageMakerException", ex)
            return task_failure(self, env, name, cause_of("AmazonSageMaker", ex))
        return super()._from_error(env=env, ex=ex)

    def _build_sync_resolver(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: Any,
        state_credentials: Any,
    ) -> Callable[[], Any]:
        env.stack.pop()
        job = JOBS[self.resource.api_action.lower()]
        client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        return _look(env, client, job, normalised_parameters[job.name])


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_factory"
    ".state_task_service_for",
    why="forwards SageMaker's requests, fails at .sync, and names each error States.Runtime",
)
def state_task_service_for(original: Any, service_name: str) -> Any:
    """Return the task class of a service."""
    return StateTaskServiceSagemaker() if service_name == "sagemaker" else original(service_name)


def _look(env: Any, client: Any, job: Job, name: str) -> Callable[[], Any]:
    """Return what reads a finished job's description, None while it runs; see `_eval_sync`."""

    def look() -> dict[str, Any] | None:
        found = getattr(client, job.describe)(**{job.name: name})
        found.pop("ResponseMetadata", None)
        found = json.loads(json.dumps(found, default=_plain))
        if found[job.status] == "Completed":
            return found  # type: ignore[no-any-return]
        if found[job.status] in ("Failed", "Stopped"):
            cause = json.dumps(found, separators=(",", ":"))
            raise failure_event(env, "States.TaskFailed", cause, "TaskFailed")
        return None

    look.cancel = lambda: getattr(client, job.stop)(**{job.name: name})  # type: ignore[attr-defined]
    return look


def _plain(value: Any) -> Any:
    """Return a time in milliseconds since 1970, as a `.sync` task's output has it."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime.datetime) else str(value)
