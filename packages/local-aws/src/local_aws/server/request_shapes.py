"""Requests held against the API's model, before their caller is known and anything is done.

A value of another type, or a member that is missing, would fail somewhere in an action, which has
kept half of the change by then, or much later, where nobody sees it. boto3 refuses to send such a
request; other clients, and SDK integrations of a state machine, do not.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html is alike for all
services; their codes differ.
"""

import base64
import binascii
import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from botocore.utils import parse_timestamp
from moto.core.request import determine_request_protocol
from moto.core.utils import get_service_model

from local_aws.core.bounded_calls import TooCostly
from local_aws.core.expressions import Expression
from local_aws.core.patching import patch
from local_aws.core.refusals import refuse_action

LOG = logging.getLogger(__name__)

# What a value out of its range is called, and one that is missing.
_INVALID = {
    "budgets": "InvalidParameterException",
    "cloudwatch": "ValidationError",
    "ecr": "InvalidParameterException",
    "iam": "ValidationError",
    "logs": "InvalidParameterException",
    "resourcegroupstaggingapi": "InvalidParameterException",
    "sns": "ValidationError",
    "sqs": "InvalidParameterValue",
    "sts": "ValidationError",
}
_INVALID_DEFAULT = "ValidationException"
_MISSING = {"sqs": "MissingParameter"}
_BITS = {"integer": 31, "long": 63}
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")
_ARTICLES = {
    "boolean": "a Boolean",
    "blob": "a ByteBuffer",
    "double": "a Double",
    "float": "a Float",
    "integer": "an Integer",
    "list": "a list",
    "long": "a Long",
    "map": "a map",
    "string": "a String",
    "structure": "a structure",
    "timestamp": "a Timestamp",
}
_MAX_SHOWN = 256
_NOT_THERE = ("NotFound", "NoSuchEntity", "DoesNotExist")
_TOKENS = ("NextToken", "nextToken", "Marker", "marker")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)


class Malformed(Exception):
    """A value of another type than the model's."""


def refuse_malformed(original: Any, response: Any) -> Any:
    """Answer 400, in the service's words, for what its API's model does not take."""
    try:
        found = list(_missing_or_small(response))
        missing, invalid = _codes(response)
        code = missing if found and all("null" in one for one in found) else invalid
    except Malformed as error:
        code, found = _malformed_code(response), [str(error)]
        return refuse_action(response, code, str(error))
    return refuse_action(response, code, _counted(found)) if found else original(response)


def explain_failure(original: Any, response: Any) -> Any:
    """Answer 400, in the service's words, where an action fails over a value out of its bounds."""
    try:
        return original(response)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = list(_violations(response))
        if found:
            return refuse_action(response, _codes(response)[1], _counted(found))
        refused = _absent(response, error) or _false_token(response)
        if refused is None:
            raise
        LOG.warning("%s is refused: %s", response._get_action(), refused[1], exc_info=error)
        return refuse_action(response, *refused)


@patch(
    "moto.core.responses.BaseResponse.parse_parameters",
    why="fails before the action is known with a value of another type",
)
def parse_parameters(original: Any, response: Any, request: Any) -> None:
    """Read a request's parameters; what cannot be read is refused with the action."""
    try:
        original(response, request)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        response.params = {}
        response.local_aws_unread = str(error)


def _absent(response: Any, error: Exception) -> tuple[str, str] | None:
    """Return the code and the sentence where a lookup failed over a name that was given."""
    name = error.args[0] if isinstance(error, LookupError) and error.args else None
    if not isinstance(name, str) or name not in {*_texts([v for _, v in _given(response)])}:
        return None
    model = get_service_model(response.boto3_service_name)
    errors = (shape.name for shape in model.operation_model(response._get_action()).error_shapes)
    code = next((one for one in errors if any(mark in one for mark in _NOT_THERE)), "")
    return code or "ResourceNotFoundException", f"{name[:_MAX_SHOWN]} does not exist."


def _false_token(response: Any) -> tuple[str, str] | None:
    """Return the code and the sentence for the token of a page, of a request that has one."""
    for _, value in _given(response):
        for name in _TOKENS if isinstance(value, Mapping) else ():
            if value.get(name) is not None:
                return _codes(response)[1], f"The value of {name} is not valid."
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _counted(found: list[str]) -> str:
    plural = "s" if len(found) > 1 else ""
    return f"{len(found)} validation error{plural} detected: {'; '.join(found)}"


def _codes(response: Any) -> tuple[str, str]:
    service = response.boto3_service_name
    invalid = _INVALID.get(service, _INVALID_DEFAULT)
    return _MISSING.get(service, invalid), invalid


def _malformed_code(response: Any) -> str:
    is_query = _protocol(response) in ("query", "ec2")
    return "MalformedInput" if is_query else "SerializationException"


def _protocol(response: Any) -> str:
    model = get_service_model(response.boto3_service_name)
    return str(determine_request_protocol(model, response.headers.get("Content-Type")))


def _missing_or_small(response: Any) -> Iterator[str]:
    for shape, value in _given(response):
        require_types(shape, value)
        yield from violations(shape, value)


def _violations(response: Any) -> Iterator[str]:
    for shape, value in _given(response):
        yield from violations(shape, value, thorough=True)


def _given(response: Any) -> Iterator[tuple[Shape, Any]]:
    """Yield the shape of an action's parameters with their value; raises Malformed.

    Nothing for S3, whose requests are read by S3's own rules.
    """
    service = response.boto3_service_name
    try:
        shape = get_service_model(service).operation_model(response._get_action()).input_shape
    except OperationNotFoundError:
        return
    if shape is None or service == "s3":
        return
    protocol = _protocol(response)
    if protocol == "json":
        yield shape, _body(response)
    elif protocol == "rest-json":
        yield from _rest(shape, response)
    elif unread := getattr(response, "local_aws_unread", ""):
        raise Malformed(f"A value of the request cannot be read: {unread}")
    elif response.automated_parameter_parsing:
        yield shape, response.params


def _rest(shape: StructureShape, response: Any) -> Iterator[tuple[Shape, Any]]:
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        if member.serialization.get("location") == "querystring" and member.type_name in _BITS:
            for text in response.querystring.get(wire_name) or ():
                if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
                    raise Malformed(f"STRING_VALUE can not be converted to a number: '{wire_name}'")
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        return
    if payload and not response.body:
        return
    yield (shape.members[payload] if payload else shape), _body(response)


def _body(response: Any) -> Any:
    if response.method in ("GET", "HEAD", "DELETE") or not response.body:
        return {}
    if not isinstance(response.body, str | bytes):  # moto has parsed DynamoDB's
        return response.body
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise Malformed(f"The request's body is not JSON: {error}") from error


def require_types(shape: Shape, value: Any, path: str = "") -> None:
    """Raise Malformed for a value, parsed from JSON or typed, that is not of its shape's type."""
    if value is None or getattr(shape, "is_document_type", False):
        return
    if not _is_of_type(shape, value):
        kind = _ARTICLES.get(shape.type_name, shape.type_name)
        at = f": '{path}'" if path else ""
        raise Malformed(f"{_json_kind(value)} can not be converted to {kind}{at}")
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            given = value.get(key, value.get(name))
            if given is not None and "location" not in member.serialization:
                require_types(member, given, _joined(path, name))
    elif isinstance(shape, ListShape):
        for number, each in enumerate(value, 1):
            require_types(shape.member, each, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, each in value.items():
            require_types(shape.value, each, _joined(path, str(key)))


def _is_of_type(shape: Shape, value: Any) -> bool:
    kind = shape.type_name
    if kind in _BITS:
        bits = _BITS[kind]
        return _is_whole(value) and -(2**bits) <= value < 2**bits
    test = _TESTS.get(kind, _is_text)
    return test(value)


def _is_text(value: Any) -> bool:
    return not isinstance(value, bool | int | float | Mapping | list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and int(value) == value


def _is_time(value: Any) -> bool:
    if hasattr(value, "timestamp"):
        return True
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        parse_timestamp(value)  # type: ignore[arg-type] # it takes numbers, too
    except (ValueError, RuntimeError, OverflowError):
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text)
    except (binascii.Error, ValueError):
        return False
    return True


_TESTS: dict[str, Callable[[Any], bool]] = {
    "blob": lambda value: (
        isinstance(value, bytes) or (isinstance(value, str) and _is_base64(value))
    ),
    "boolean": lambda value: isinstance(value, bool),
    "double": lambda value: _is_number(value) or value in _NOT_NUMBERS,
    "float": lambda value: _is_number(value) or value in _NOT_NUMBERS,
    "list": lambda value: isinstance(value, list | tuple),
    "map": lambda value: isinstance(value, Mapping),
    "structure": lambda value: isinstance(value, Mapping),
    "timestamp": _is_time,
}


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, Mapping):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def violations(
    shape: Shape, value: Any, path: str = "", *, thorough: bool = False
) -> Iterator[str]:
    """Yield a sentence for what is missing or below its minimum; `thorough` for all constraints.

    The least is what boto3 checks before it sends a request.
    """
    if value is None:
        return
    constraints = [*_broken(shape, value, thorough=thorough)]
    if thorough and path.lower().endswith("arn") and isinstance(value, str):
        constraints += [] if _ARN.match(value) else ["be an ARN"]
    for constraint in constraints:
        yield (
            f"Value '{str(value)[:_MAX_SHOWN]}' at '{path}' failed to satisfy constraint: "
            f"Member must {constraint}"
        )
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if "location" in member.serialization:
                continue
            given = value.get(member.serialization.get("name", name), value.get(name))
            if given is not None:
                yield from violations(member, given, _joined(path, name), thorough=thorough)
            elif name in shape.required_members:
                yield (
                    f"Value null at '{_joined(path, name)}' failed to satisfy constraint: "
                    "Member must not be null"
                )
    elif isinstance(shape, ListShape) and isinstance(value, list | tuple):
        for number, each in enumerate(value, 1):
            yield from violations(shape.member, each, f"{path}.{number}.member", thorough=thorough)
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for key, each in value.items():
            yield from violations(shape.value, each, _joined(path, str(key)), thorough=thorough)


def _broken(shape: Shape, value: Any, *, thorough: bool) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    unit, size = ("value", value) if _is_number(value) else ("length", _length(value))
    if size is None:
        return
    if least is not None and size < least:
        yield f"have {unit} greater than or equal to {least}"
    if not thorough:
        return
    if most is not None and size > most:
        yield f"have {unit} less than or equal to {most}"
    if isinstance(value, str):
        choices, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
        if choices and value not in choices:
            yield f"satisfy enum value set: [{', '.join(choices)}]"
        if pattern and not _matches(pattern, value):
            yield f"satisfy regular expression pattern: {pattern}"


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | list | Mapping) else None


def _matches(pattern: str, text: str) -> bool:
    try:
        return Expression(pattern).fullmatch(text)
    except (re.error, RecursionError, TooCostly):  # of Java's, which Python does not have
        return True


def _joined(path: str, name: str) -> str:
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower
