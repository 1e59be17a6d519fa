"""The service integrations of Task states: parameters, responses and error names as AWS has them.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

import contextlib
import datetime
from typing import Any

from botocore.exceptions import ClientError

from local_aws.core.patching import replace, wrap
from local_aws.stepfunctions.clients import ClientCache

_POLL_SECONDS = 0.1
# The names that Step Functions gives services, where boto3 has others.
_BOTO_SERVICES = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerruntime": "sagemaker-runtime",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
}


def install(clients: ClientCache) -> None:
    """Mend the integrations that moto has."""
    _use_the_service_models(clients)
    _poll_and_cancel(clients)


def _operation(clients: ClientCache, task: Any, service: str | None, action: str | None) -> Any:
    """Return botocore's model of the operation that a task calls, None where it has none."""
    if task.resource.service_name == "lambda":  # its own client takes and gives its names
        return None
    client = clients.get("us-east-1", task._get_boto_service_name(service))
    name = client.meta.method_to_api_mapping.get(task._get_boto_service_action(action))
    return name and client.meta.service_model.operation_model(name)


def _use_the_service_models(clients: ClientCache) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service as base,
    )

    names = base.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
    names.update(_BOTO_SERVICES)
    fault = "hands a definition's parameter names to boto3 as they are, and its answers back"

    @wrap(base.StateTaskService, "_normalise_parameters", fault=fault)
    def parameters(
        _: Any,
        task: Any,
        parameters: dict[str, Any],
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        found = _operation(clients, task, boto_service_name, service_action_name)
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
        found = _operation(clients, task, boto_service_name, service_action_name)
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
