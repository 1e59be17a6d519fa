"""Service integrations in a definition: the actions and parameters that a Task may name.

https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel
from moto.core.utils import get_service_model

from local_aws.stepfunctions.field_validation import Problem, invalid

PREFIX = "arn:aws:states:::"
# By service, the actions of an optimized integration and what may follow each.
_OPTIMIZED: dict[str, dict[str, tuple[str, ...]]] = {
    "dynamodb": dict.fromkeys(("getItem", "putItem", "updateItem", "deleteItem"), ()),
    "events": {"putEvents": ("waitForTaskToken",)},
    "lambda": {"invoke": ("waitForTaskToken",)},
    "sns": {"publish": ("waitForTaskToken",)},
    "sqs": {"sendMessage": ("waitForTaskToken",)},
    "states": {"startExecution": ("sync", "sync:2", "waitForTaskToken")},
}
# The names that Step Functions gives services, where botocore has others.
BOTO_SERVICES = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerruntime": "sagemaker-runtime",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
    "sfn": "stepfunctions",
    "states": "stepfunctions",
}


def problems_of_task(state: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """Yield what is wrong with the action of a Task's service integration, and its parameters."""
    resource = state.get("Resource")
    if state.get("Type") != "Task" or not isinstance(resource, str):
        return
    if not resource.startswith("arn:"):
        yield invalid("'Resource' must be an ARN", f"{place}/Resource")
    if not resource.startswith(PREFIX):
        return
    service, _, rest = resource.removeprefix(PREFIX).partition(":")
    if service == "aws-sdk":
        service, _, rest = rest.partition(":")
        optimized = None
    else:
        optimized = _OPTIMIZED.get(service)
    action, _, pattern = rest.partition(".")
    if optimized is not None and (
        action not in optimized or not _follows(pattern, optimized[action])
    ):
        yield invalid(f"The resource provided {resource} is not recognized", f"{place}/Resource")
        return
    operation = _operation(service, action)
    if operation is None and (optimized is not None or "aws-sdk:" in resource):
        yield invalid(f"The resource provided {resource} is not recognized", f"{place}/Resource")
    elif operation is not None and service != "sagemaker":
        yield from _of_parameters(state, operation, place)


def _follows(pattern: str, known: tuple[str, ...]) -> bool:
    return not pattern or pattern in known


def _of_parameters(
    state: Mapping[str, Any], operation: OperationModel, place: str
) -> Iterator[Problem]:
    """Yield the names that an operation does not have, and those that it needs."""
    field = "Arguments" if "Arguments" in state else "Parameters"
    given = state.get(field, {})
    shape = operation.input_shape
    if not isinstance(given, dict) or shape is None:
        return
    names = {_title(name.removesuffix(".$")) for name in given}
    where = f"{place}/{field}"
    members: Mapping[str, Any] = getattr(shape, "members", {})
    for name in sorted(names - {_title(member) for member in members}):
        yield invalid(f'The field "{name}" is not supported by Step Functions', where)
    for name in shape.metadata.get("required", ()):
        token = members[name].metadata.get("idempotencyToken", False)
        if _title(name) not in names and not token:
            yield invalid(f'The field "{_title(name)}" is required but was missing', where)


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


@functools.lru_cache(maxsize=256)
def _operation(service: str, action: str) -> OperationModel | None:
    """Return botocore's model of an action such as `putObject`; None where there is none."""
    try:
        model = get_service_model(BOTO_SERVICES.get(service, service))
    except UnknownServiceError:
        return None
    lower_action = action.lower()
    found = next((name for name in model.operation_names if name.lower() == lower_action), None)
    return None if found is None else model.operation_model(found)
