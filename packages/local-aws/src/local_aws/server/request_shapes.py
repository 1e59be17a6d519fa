"""Requests held against the API's model, before their caller is known and anything is done.

A value of another type, or a member that is missing, would fail somewhere in an action, which has
kept half of the change by then, or much later, where nobody sees it. boto3 refuses to send such a
request; other clients, and SDK integrations of a state machine, do not.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html is alike for all
services; their codes differ.
"""

import functools
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from botocore.model import OperationNotFoundError, Shape, StructureShape
from moto.core.request import determine_request_protocol
from moto.core.utils import camelcase_to_underscores, get_service_model

from local_aws.core.open_services import SERVICES
from local_aws.core.patching import Patch, patch, patches
from local_aws.core.refusals import refuse_action
from local_aws.server.shape_checks import Fault, Malformed, faults, has_member

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
# Services with sentences of their own for what is out of their model's bounds, in their folders;
# those that are not reviewed are asked for no more than boto3 asks.
_REVIEWED = (SERVICES | {"lambda"}) - {"sns", "sqs"}
# Members whose choices a service has its own sentence for.
_OWN_CHECKS = {"cloudwatch": "unit", "lambda": "runtime"}
_NAMES = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
_PATHS = (
    "It must begin and end with / and contain only alphanumeric characters and/or / characters."
)
# What IAM says instead of a pattern.
_IAM_PATTERNS = {
    r"[\w+=,.@-]+": _NAMES,
    r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)": _PATHS,
    r"((/[A-Za-z0-9\.,\+@=_-]+)*)/": _PATHS,
}
_QUERIED_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_MAX_SHOWN = 256
_MAX_SENTENCE = 500
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_NOT_THERE = ("NotFound", "NoSuchEntity", "DoesNotExist")
_TOKENS = ("NextToken", "nextToken", "Marker", "marker")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)


def refuse_malformed(original: Any, response: Any) -> Any:
    """Answer 400, in the service's words, for what its API's model does not take."""
    try:
        found = _faults(response)
    except Malformed as error:
        return refuse_action(response, _malformed_code(response), str(error))
    if not found:
        return original(response)
    missing, invalid = _codes(response)
    code = missing if all(fault.value is None for fault in found) else invalid
    return refuse_action(response, code, _sentence(response.boto3_service_name, found))


def explain_failure(
    original: Any, response: Any, applied: Callable[[], Iterable[Patch]] = patches
) -> Any:
    """Answer 400, in the service's words, where an action fails over what it cannot find.

    An action that none of the `applied` patches concerns, so that moto alone answers it, is not
    supported where it fails in another way.
    """
    try:
        return original(response)
    except Exception as error:
        # Refusals of moto's have classes of their own.
        if type(error) is not Exception and not isinstance(error, _FAILURES):
            raise
        refused = (
            _no_arn(response)
            or _absent(response, error)
            or _unsaid(response, error)
            or _false_token(response)
            or _unsupported(response, error, applied())
        )
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


def _no_arn(response: Any) -> tuple[str, str] | None:
    """Return the code and the sentence for what should be an ARN and is none."""
    named = [one for value in _values(response) for one in _texts(value)]
    found = [
        Fault(name, text, "be an ARN")
        for name, text in named
        if name.lower().endswith("arn") and not _ARN.match(text)
    ]
    if not found:
        return None
    return _codes(response)[1], _sentence(response.boto3_service_name, found)


def _absent(response: Any, error: Exception) -> tuple[str, str] | None:
    """Return the code and the sentence where a lookup failed over a name that was given."""
    name = error.args[0] if isinstance(error, LookupError) and error.args else None
    given = (text for value in _values(response) for _, text in _texts(value))
    if not isinstance(name, str) or not {name, re.split("[:/]", name)[-1]}.intersection(given):
        return None
    model = get_service_model(response.boto3_service_name)
    errors = (shape.name for shape in model.operation_model(response._get_action()).error_shapes)
    code = next((one for one in errors if any(mark in one for mark in _NOT_THERE)), "")
    return code or "ResourceNotFoundException", f"{name[:_MAX_SHOWN]} does not exist."


def _unsaid(response: Any, error: Exception) -> tuple[str, str] | None:
    """Return the code and the sentence where a lookup failed over a member that was not given."""
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    model = get_service_model(response.boto3_service_name)
    shape = model.operation_model(response._get_action()).input_shape
    if shape is None or not isinstance(name, str) or not has_member(shape, name):
        return None
    sentence = _sentence(response.boto3_service_name, [Fault(name[:1].lower() + name[1:], None)])
    return _codes(response)[0], sentence


def _false_token(response: Any) -> tuple[str, str] | None:
    """Return the code and the sentence for the token of a page, of a request that has one."""
    for value in _values(response):
        for name in _TOKENS if isinstance(value, Mapping) else ():
            if value.get(name) is not None:
                return _codes(response)[1], f"The value of {name} is not valid."
    return None


def _unsupported(
    response: Any, error: Exception, applied: Iterable[Patch]
) -> tuple[str, str] | None:
    """Return the code and the sentence for an action that nobody has looked at; else None."""
    service, action = response.boto3_service_name, response._get_action()
    package = "awslambda" if service == "lambda" else service.replace("-", "")
    method = camelcase_to_underscores(action)
    for one in applied:
        parts = one.symbol.split(".")
        if parts[1] == package and parts[-1].strip("_") == method:
            return None
    return "NotImplemented", (
        f"The embedded AWS does not support this request of {service}:{action}: moto, which alone "
        f"answers it, fails with {type(error).__name__}: {error}"[:_MAX_SENTENCE]
    )


def _values(response: Any) -> list[Any]:
    return [value for _, value, _ in _given(response)]


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text within a value, with the name of the innermost member that has it."""
    if isinstance(value, str):
        yield name[:1].lower() + name[1:], value
    elif isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _texts(each, str(inner))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, name)


def _sentence(service: str, found: list[Fault]) -> str:
    if service == "ecr":
        first = found[0]
        return (
            f"Invalid parameter at '{first.place}' failed to satisfy constraint: "
            f"'Member must {first.constraint}'"
        )
    if service == "iam":
        for fault in found:
            written = fault.constraint.removeprefix("satisfy regular expression pattern: ")
            if written in _IAM_PATTERNS:
                return f"The specified value for {fault.place} is invalid. {_IAM_PATTERNS[written]}"
    plural = "s" if len(found) > 1 else ""
    return f"{len(found)} validation error{plural} detected: {'; '.join(map(str, found))}"


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


def _faults(response: Any) -> list[Fault]:
    service = response.boto3_service_name.replace("-", "")
    own = _OWN_CHECKS.get(service, "")
    return [
        fault
        for shape, value, name in _given(response)
        for fault in faults(shape, value, name, minima_only=service not in _REVIEWED)
        if fault.value is None or fault.place.rpartition(".")[2] != own
    ]


def _given(response: Any) -> Iterator[tuple[Shape, Any, str]]:
    """Yield the shape of an action's parameters, their value, and a name; raises Malformed.

    The name is "" for all parameters of the body together. Nothing for S3, whose requests are read
    by S3's own rules.
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
        yield shape, _body(response), ""
    elif protocol == "rest-json":
        yield from _rest(shape, response)
    elif unread := getattr(response, "local_aws_unread", ""):
        raise Malformed(f"A value of the request cannot be read: {unread}")
    elif response.automated_parameter_parsing:
        yield shape, response.params, ""


def _rest(shape: StructureShape, response: Any) -> Iterator[tuple[Shape, Any, str]]:
    model = get_service_model(response.boto3_service_name)
    uri = model.operation_model(response._get_action()).http["requestUri"]
    path = _path_of(uri).fullmatch(response.path)
    for name, text in (path.groupdict() if path else {}).items():
        yield shape.members[name], _queried(shape.members[name], unquote(text), name), name
    for name, member in shape.members.items():
        if member.serialization.get("location") == "querystring":
            sent = member.serialization.get("name", name)
            for text in response.querystring.get(sent) or ():
                yield member, _queried(member, text, sent), name
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        return
    if payload and not response.body:
        return
    yield (shape.members[payload] if payload else shape), _body(response), ""


@functools.cache
def _path_of(uri: str) -> re.Pattern[str]:
    """Return the expression for the path of an operation, with a group for each member in it."""
    parts = re.split(r"\{(\w+)(\+?)\}", uri.partition("?")[0])
    found = re.escape(parts[0])
    for name, is_greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += f"(?P<{name}>{'.+' if is_greedy else '[^/]+'}){re.escape(literal)}"
    return re.compile(found)


def _queried(shape: Shape, text: str, name: str) -> Any:
    """Return the value of a query's parameter, None where it is not looked at."""
    if shape.type_name in ("integer", "long"):
        if not _QUERIED_NUMBER.fullmatch(text):
            raise Malformed(f"STRING_VALUE can not be converted to a number: '{name}'")
        return int(text)
    return text if shape.type_name == "string" else None


def _body(response: Any) -> Any:
    if response.method in ("GET", "HEAD", "DELETE") or not response.body:
        return {}
    if not isinstance(response.body, str | bytes):  # moto has parsed DynamoDB's
        return response.body
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise Malformed(f"The request's body is not JSON: {error}") from error
