"""The largest values that SageMaker's API takes: boto3 checks the smallest ones only.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html and the pages
of the other operations; botocore's model has the same numbers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.sagemaker.exceptions import AWSValidationException

_SERVICE = "sagemaker"
_MAX_SHOWN = 256


def refuse_too_large(original: Any, response: Any) -> Any:
    """Answer 400, in AWS's words, for a request to SageMaker with a value over its limit."""
    if response.boto3_service_name != _SERVICE:
        return original(response)
    try:
        shape = get_service_model(_SERVICE).operation_model(response._get_action()).input_shape
    except OperationNotFoundError:
        return original(response)
    given = {name: response._get_param(name) for name in (shape.members if shape else ())}
    found = list(violations(shape, given))
    if not found:
        return original(response)
    counted = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
    refusal: Any = AWSValidationException(counted + "; ".join(found))
    _, headers, body = response.serialized(ActionResult(refusal))
    return 400, {**headers, "status": "400"}, body


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield a sentence for each string, list, map and number over the maximum of its shape."""
    if _is_over(shape, value):
        unit = "value" if isinstance(value, int) else "length"
        limit = f"Member must have {unit} less than or equal to {shape.metadata['max']}"
        yield _sentence(value, path, limit)
    elif isinstance(shape, StructureShape) and isinstance(value, dict):
        for name in shape.members.keys() & value.keys():
            lower = name[:1].lower() + name[1:]
            inner = f"{path}.{lower}" if path else lower
            yield from violations(shape.members[name], value[name], inner)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from violations(shape.member, member, f"{path}.{number}.member")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        yield from _of_map(shape, value, path)


def _of_map(shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for subject, part, found in (
        ("Map keys", shape.key, value.keys()),
        ("Map value", shape.value, value.values()),
    ):
        if any(_is_over(part, each) for each in found):
            limits = ", ".join(_constraints(part))
            yield _sentence(value, path, f"{subject} must satisfy constraint: [{limits}]")
    for each in value.values():
        if isinstance(each, dict | list):
            yield from violations(shape.value, each, path)


def _is_over(shape: Shape, value: Any) -> bool:
    maximum = shape.metadata.get("max")
    if maximum is None or isinstance(value, bool):
        return False
    if shape.type_name in ("integer", "long"):
        return isinstance(value, int) and value > int(maximum)
    sized = shape.type_name in ("string", "list", "map") and isinstance(value, str | list | dict)
    return sized and len(value) > int(maximum)


def _constraints(shape: Shape) -> Iterator[str]:
    yield f"Member must have length less than or equal to {shape.metadata['max']}"
    yield f"Member must have length greater than or equal to {shape.metadata.get('min', 0)}"
    if pattern := shape.metadata.get("pattern"):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _sentence(value: Any, path: str, constraint: str) -> str:
    if isinstance(value, dict):
        value = "{" + ", ".join(f"{name}={each}" for name, each in value.items()) + "}"
    return (
        f"Value '{str(value)[:_MAX_SHOWN]}' at '{path}' failed to satisfy constraint: {constraint}"
    )
