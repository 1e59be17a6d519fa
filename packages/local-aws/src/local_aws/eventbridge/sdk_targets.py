"""Universal targets: any operation of an AWS service, by `aws-sdk:<service>:<operation>`.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

import json
import re
from typing import Any

from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.targets import call

_FORM = re.compile(r"arn:aws:scheduler:::aws-sdk:(?P<service>[a-z0-9-]+):(?P<operation>\w+)")
_NAMES = {
    "cloudwatchlogs": "logs",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "iotdata": "iot-data",
    "sfn": "stepfunctions",
}
# Scheduler takes no operation that only reads.
_READS = re.compile(r"(get|describe|list|poll|receive|search|scan|query|select|lookup|discover)")


def is_universal(arn: str) -> bool:
    """Return whether a target names an operation rather than a resource."""
    return ":aws-sdk:" in arn


def named(arn: str) -> tuple[str, str]:
    """Return boto3's names of the service and of the operation; raises ValueError."""
    import boto3

    found = _FORM.fullmatch(arn)
    if found is None or _READS.match(found["operation"]):
        raise ValueError(f"{arn} is not a valid universal target")
    service_name = found["service"].replace("-", "")
    service_name = _NAMES.get(service_name, service_name)
    services = boto3.Session().get_available_services()
    service = next((name for name in services if name.replace("-", "") == service_name), None)
    if service is None:
        raise ValueError(f"{arn} names no AWS service")
    operation = found["operation"]
    return service, operation[0].upper() + operation[1:]


def perform(client: Any, operation: str, text: str) -> None:
    """Call an operation with JSON parameters. Raises DeliveryFailed."""
    methods = {api: name for name, api in client.meta.method_to_api_mapping.items()}
    if operation not in methods:
        raise DeliveryFailed("INVALID_PARAMETER", f"There is no operation {operation}.")
    try:
        parameters = json.loads(text or "{}")
    except ValueError as error:
        raise DeliveryFailed("INVALID_JSON", f"The input is not JSON: {error}") from error
    shape = client.meta.service_model.operation_model(operation).input_shape
    given = with_service_names(parameters, shape)
    call(client, methods[operation], **(given if isinstance(given, dict) else {}))


def with_service_names(value: Any, shape: Any) -> Any:
    """Return parameters with their names as the service spells them: a target's are in PascalCase.

    What the service does not know stays as it is.
    """
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, dict):
        names = {member.lower(): member for member in shape.members}
        known = {names.get(key.lower(), key): inner for key, inner in value.items()}
        return {
            key: with_service_names(inner, shape.members.get(key)) for key, inner in known.items()
        }
    if kind == "list" and isinstance(value, list):
        return [with_service_names(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {key: with_service_names(inner, shape.value) for key, inner in value.items()}
    return value
