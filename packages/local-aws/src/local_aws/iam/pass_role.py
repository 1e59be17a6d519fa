"""Roles that a request hands to a service: `iam:PassRole`, and the role's own trust."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from moto.core.utils import get_service_model

from local_aws.core.context import ACCOUNT_ID
from local_aws.errors import LocalAwsError
from local_aws.iam.roles import RoleNotAssumable, require_trust, role_of


@dataclass(frozen=True, slots=True)
class HandedRole:
    """A role that a service is to act with, on behalf of the resource of `source_arn`."""

    role_arn: str
    service: str
    source_arn: str


class TrustMissing(LocalAwsError):
    """A service cannot take the role that it was handed; `code` is the service's error code."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


# By service and operation: the parameter that names what the role is for, whose ARN the role's
# trust policy may ask for. Of other operations' roles only PassRole is asked.
_TRUSTED = {
    ("lambda", "CreateFunction"): ("FunctionName", "function:"),
    ("lambda", "UpdateFunctionConfiguration"): ("FunctionName", "function:"),
    ("states", "CreateStateMachine"): ("name", "stateMachine:"),
    ("states", "UpdateStateMachine"): ("stateMachineArn", ""),
    ("sagemaker", "CreateDataQualityJobDefinition"): (
        "JobDefinitionName",
        "data-quality-job-definition/",
    ),
    ("sagemaker", "CreateEndpointConfig"): ("EndpointConfigName", "endpoint-config/"),
    ("sagemaker", "CreateHyperParameterTuningJob"): (
        "HyperParameterTuningJobName",
        "hyper-parameter-tuning-job/",
    ),
    ("sagemaker", "CreateModel"): ("ModelName", "model/"),
    ("sagemaker", "CreateMonitoringSchedule"): ("MonitoringScheduleName", "monitoring-schedule/"),
    ("sagemaker", "UpdateMonitoringSchedule"): ("MonitoringScheduleName", "monitoring-schedule/"),
    ("sagemaker", "CreateProcessingJob"): ("ProcessingJobName", "processing-job/"),
    ("sagemaker", "CreateTrainingJob"): ("TrainingJobName", "training-job/"),
}
# Services whose roles are taken by the caller, or are what the request is about.
_OWN_ROLES = frozenset(("iam", "sts"))
_READING = ("Describe", "Get", "List", "Search")
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")
_ROLE_NAME = re.compile(r"\w*role_?arn", re.IGNORECASE)


def handed_roles(response: Any, service: str, operation: str) -> list[HandedRole]:
    """Return the roles that a request hands over, wherever its operation's model has one.

    S3's are those of `replication_role`.
    """
    if (service, operation) == ("iam", "AddRoleToInstanceProfile"):
        role_arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{response._get_param('RoleName')}"
        found = role_of(role_arn)
        return [HandedRole(found.arn if found else role_arn, "ec2.amazonaws.com", "")]
    if service in _OWN_ROLES or operation.startswith(_READING):
        return []
    paths = role_paths(response.boto3_service_name, operation)
    roles = [role for path in paths for role in _found(response._get_param(path[0]), path[1:])]
    roles += _attribute_roles(response) if service == "sns" else []
    if not roles:
        return []
    named, before = _TRUSTED.get((service, operation), ("", ""))
    name = str((response._get_param(named) if named else "") or "default")
    start = f"arn:aws:{service}:{response.region}:{ACCOUNT_ID}:{before}"
    source = name if name.startswith("arn:") else f"{start}{name}"
    return [HandedRole(role, f"{service}.amazonaws.com", source) for role in dict.fromkeys(roles)]


def _attribute_roles(response: Any) -> list[str]:
    """Return the roles that attributes of a topic or a subscription have, as for its feedback.

    https://docs.aws.amazon.com/sns/latest/dg/topics-attrib.html
    """
    given = response._get_param("Attributes")
    attributes = dict(given) if isinstance(given, Mapping) else {}
    attributes[response._get_param("AttributeName")] = response._get_param("AttributeValue")
    return [
        role
        for name, role in attributes.items()
        if _ROLE_NAME.fullmatch(str(name)) and isinstance(role, str) and role
    ]


def replication_role(body: str | bytes) -> str:
    """Return the role that a bucket's replication is to act with, "" for none.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html
    """
    try:
        # Expat bounds how far entities may grow, and opens nothing outside the text.
        document = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:  # moto says what is wrong with it
        return ""
    return (document.findtext("{*}Role") or document.findtext("Role") or "").strip()


@functools.lru_cache(maxsize=4096)
def role_paths(service: str, operation: str) -> tuple[tuple[str, ...], ...]:
    """Return where an operation's parameters have roles, by the model of the service.

    A path is the names of parameters from the outside in; "*" stands for a list's or a map's
    members.
    """
    try:
        shape = get_service_model(service).operation_model(operation).input_shape
    except (OperationNotFoundError, UnknownServiceError):
        return ()
    return () if shape is None else tuple(_role_paths(shape, (), frozenset()))


def _role_paths(
    shape: Shape, path: tuple[str, ...], seen: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    if shape.name in seen:  # a shape within itself
        return
    seen |= {shape.name}
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            is_role = member.name == "RoleArn" or _ROLE_NAME.fullmatch(name) is not None
            if is_role and member.type_name == "string":
                yield (*path, name)
            else:
                yield from _role_paths(member, (*path, name), seen)
    elif isinstance(shape, ListShape):
        yield from _role_paths(shape.member, (*path, "*"), seen)
    elif isinstance(shape, MapShape):
        yield from _role_paths(shape.value, (*path, "*"), seen)


def _found(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not path:
        if isinstance(value, str) and value:
            yield value
    elif path[0] == "*":
        members = value.values() if isinstance(value, Mapping) else value
        for member in members if isinstance(members, Iterable) else ():
            yield from _found(member, path[1:])
    elif isinstance(value, Mapping):
        yield from _found(value.get(path[0]), path[1:])


def require_assumable(response: Any, service: str, operation: str) -> None:
    """Raise TrustMissing when the service cannot take a role that the request hands over.

    EventBridge asks for the trust of its targets' roles only when it delivers, and Scheduler
    once the schedule is valid.
    """
    known = (service, operation) in _TRUSTED
    for handed in handed_roles(response, service, operation) if known else ():
        try:
            require_trust(handed.service, handed.role_arn, handed.source_arn)
        except RoleNotAssumable as error:
            raise _refusal(service, handed) from error


def _refusal(service: str, handed: HandedRole) -> TrustMissing:
    if service == "lambda":
        return TrustMissing(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )
    if service == "states" and not _ROLE_ARN.fullmatch(handed.role_arn):
        return TrustMissing("InvalidArn", f"Invalid Role Arn: '{handed.role_arn}'")
    if service == "states":
        return TrustMissing(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role.",
        )
    return TrustMissing(
        "ValidationException",
        f"Could not assume role {handed.role_arn}. Please ensure that the role exists and allows "
        f"principal '{handed.service}' to assume the role.",
    )
