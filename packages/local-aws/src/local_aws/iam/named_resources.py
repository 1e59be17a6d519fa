"""Which parameters of an operation name the resources of its action, by the models of both.

The Service Authorization Reference says what the ARNs of an action's resources are made of, and
botocore's model which parameters an operation has: one that is called as a variable of an ARN
gives that part of it.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, OperationNotFoundError, Shape
from moto.core.utils import get_service_model

from local_aws.iam.authorization_reference import action_of, resource_types

_VARIABLE = re.compile(r"\$\{(\w+)\}")
# By service, and variable or type of resource: the parameters that give it under another name. Of
# an ARN counts what fits the type's: EventBridge has `EventSourceArn` for a bus and for an archive.
_OTHER_NAMES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cloudwatch", "DashboardName"): ("DashboardNames",),
    ("cloudwatch", "InsightRuleName"): ("RuleName", "RuleNames"),
    ("dynamodb", "TableName"): ("SourceTableName", "TargetTableName"),
    ("dynamodb", "table"): ("SourceTableArn",),
    ("events", "archive"): ("EventSourceArn",),
    ("events", "event-bus"): ("EventSourceArn",),
    ("iam", "mfa"): ("SerialNumber",),
    ("iam", "oidc-provider"): ("OpenIDConnectProviderArn",),
    ("lambda", "LayerVersion"): ("VersionNumber",),
    ("sns", "topic"): ("TargetArn",),
    ("states", "express"): ("executionArn",),
    ("states", "statemachine"): ("stateMachineAliasArn", "stateMachineVersionArn"),
    ("sagemaker", "AutoMLJobJobName"): ("AutoMLJobName",),
    ("sagemaker", "ClusterId"): ("ClusterName",),
    ("sagemaker", "DataQualityJobDefinitionName"): ("JobDefinitionName",),
    ("sagemaker", "InferenceRecommendationsJobName"): ("JobName",),
    ("sagemaker", "MlflowTrackingServerName"): ("TrackingServerName",),
    ("sagemaker", "ModelBiasJobDefinitionName"): ("JobDefinitionName",),
    ("sagemaker", "ModelExplainabilityJobDefinitionName"): ("JobDefinitionName",),
    ("sagemaker", "ModelQualityJobDefinitionName"): ("JobDefinitionName",),
    ("sagemaker", "experiment-trial"): ("TrialArn",),
    ("sagemaker", "experiment-trial-component"): ("TrialComponentArn",),
}


@dataclass(frozen=True, slots=True)
class NamedResource:
    """The ARN of a type of resource, which parameters give its variables, and which all of it."""

    template: str
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    arns: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Return all those parameters."""
        return (*self.arns, *(name for _, names in self.variables for name in names))


@dataclass(frozen=True, slots=True)
class NamedResources:
    """What an operation's parameters can name.

    `may_be_all` says that it can be asked without naming one: it lists all, or makes a new one.
    """

    resources: tuple[NamedResource, ...] = ()
    may_be_all: bool = False


@functools.lru_cache(maxsize=4096)
def named_resources(model: str, service: str, operation: str) -> NamedResources:
    """Return what an operation names, for a service's model in botocore and action prefix."""
    types = resource_types(service, action_of(service, operation)) or {}
    try:
        shape = get_service_model(model).operation_model(operation).input_shape
    except (OperationNotFoundError, UnknownServiceError):
        return NamedResources()
    members = {} if shape is None else dict(shape.members)
    required = set() if shape is None else set(shape.required_members)
    found = tuple(_named(service, operation, kind, arn, members) for kind, arn in types.items())
    sources = {name for resource in found for name in resource.sources}
    is_listing = operation.startswith(_LISTING) and not required - sources
    is_new = operation.startswith("Create") and not sources
    return NamedResources(found, is_new or (is_listing and not required & sources))


_LISTING = ("BatchGet", "Describe", "List", "Search")


def _named(
    service: str, operation: str, kind: str, template: str, members: Mapping[str, Shape]
) -> NamedResource:
    # `Name` is the one of what the operation's own name has: CreateConnection's is a connection's.
    own = {"name", "names", "id"} if _plain(kind) in _plain(operation) else set()
    variables = []
    for variable in _VARIABLE.findall(template):
        if variable not in ("Region", "Account"):
            name = _plain(variable).removesuffix("withpath")
            others = map(_plain, _OTHER_NAMES.get((service, variable), ()))
            accepted = {name, f"{name}s", *own, *others}
            variables.append((variable, tuple(_members(members, accepted))))
    others = map(_plain, _OTHER_NAMES.get((service, kind), ()))
    arns = {f"{_plain(kind)}arn", "arn", "resource", "resourcearn", *others}
    return NamedResource(template, tuple(variables), tuple(_members(members, arns)))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _members(members: Mapping[str, Shape], accepted: set[str]) -> Iterator[str]:
    """Yield the members of those names, and theirs in requests: a REST API calls some otherwise."""
    for name, shape in members.items():
        if _plain(name) in accepted and _is_name(shape):
            yield name
            if (sent := shape.serialization.get("name", name)) != name:
                yield sent


def _is_name(shape: Shape) -> bool:
    if isinstance(shape, ListShape):
        return bool(shape.member.type_name == "string")
    return shape.type_name in ("string", "integer", "long")
