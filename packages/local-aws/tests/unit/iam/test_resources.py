"""Which resources policies are asked about, for all operations that are implemented."""

import importlib
import re
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import Shape, StructureShape
from moto.core.utils import get_service_model

from local_aws.core.open_services import SERVICES
from local_aws.iam.authorization_reference import action_of, resource_types
from local_aws.iam.conditions import matches
from local_aws.iam.policy_evaluation import UNTOLD_RESOURCE
from local_aws.iam.required_access import service_prefix
from local_aws.iam.resources import resources_of
from local_aws.operations_page import MODELS
from local_aws.testing.aws import ACCOUNT, REGION

# S3's requests have a module of their own, and are no operations to moto.
MODULES = sorted(SERVICES - {"s3", "s3control"})
# They are asked for by other actions, of which each has a resource of its own.
IN_PARTS = {
    "dynamodb": {
        *("BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"),
        *("TransactGetItems", "TransactWriteItems"),
    },
    "kms": {"ReEncrypt"},
}
# The reference has a resource for them that no parameter names, or one of another API.
WITHOUT_RESOURCE = {
    "cloudwatch": {"GetMetricData", "ListMetrics", "PutMetricData"},
    # The reference has none; AWS's own denials name all groups.
    "logs": {"DescribeLogGroups"},
    "servicequotas": {"GetServiceQuota"},
}
# What a request does not tell, even with all its parameters: policies are asked as for any of them.
UNTOLD = {"iam": {"GetServiceLinkedRoleDeletionStatus"}}
# They are asked on all: one that is new has no name yet, and the other lists all.
ALL = {"budgets": {"DescribeBudgets"}, "sagemaker": {"CreateDomain"}}
# By parameter: what its value is, or of which type of resource its ARN is.
VALUES = {
    "aliasname": "alias/named",
    "newpath": "/",
    "path": "/",
    "statemachineversionarn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:named:1",
    "subscriptionarn": f"arn:aws:sns:{REGION}:{ACCOUNT}:named:subscription",
}
TYPES = {"eventsourcearn": "event-bus"}


def prefix_of(service: str) -> str:
    return service_prefix(get_service_model(service).signing_name)


def value(shape: Shape, name: str, arns: dict[str, str], depth: int = 0) -> Any:
    """Return a value of a shape; an ARN of the action's resources where the parameter is one."""
    found: Any = {"map": {}, "integer": 1, "long": 1}.get(shape.type_name)
    if shape.type_name == "string":
        found = text(name.lower(), arns)
    elif shape.type_name == "list" and depth < 5:
        found = [value(shape.member, name, arns, depth + 1)]  # type: ignore[attr-defined]
    elif isinstance(shape, StructureShape) and depth < 5:
        found = {k: value(v, k, arns, depth + 1) for k, v in shape.members.items()}
    if shape.type_name == "map" and name == "RequestItems":
        found = {"named": []}
    return found


def text(name: str, arns: dict[str, str]) -> str:
    if name in VALUES:
        return VALUES[name]
    if not re.search(r"arns?$|^resource$|^serialnumber$", name):
        return "named"
    own = [arn for kind, arn in arns.items() if kind.replace("-", "") in name]
    return arns.get(TYPES.get(name, "")) or [*own, *arns.values(), "named"][0]


class Request:
    """A request of an operation, with a value for each of its parameters, as moto has it."""

    region, current_account, method, body = REGION, ACCOUNT, "POST", b""

    def __init__(self, service: str, operation: str) -> None:
        model = get_service_model(service).operation_model(operation)
        members = dict(model.input_shape.members) if model.input_shape else {}
        prefix = prefix_of(service)
        types = resource_types(prefix, action_of(prefix, operation)) or {}
        arns = {kind: filled(arn) for kind, arn in types.items()}
        self.boto3_service_name, self._operation = service, operation
        self.parameters = {name: value(shape, name, arns) for name, shape in members.items()}
        self.headers: dict[str, str] = {}
        located = {
            str(shape.serialization.get("name", name)): (
                shape.serialization.get("location"),
                str(self.parameters[name]),
            )
            for name, shape in members.items()
        }
        uri = str(model.http.get("requestUri", "/")).partition("?")[0]
        self.uri_match = {name: one for name, (place, one) in located.items() if place == "uri"}
        self.path = re.sub(r"{(\w+)\+?}", lambda found: self.uri_match[found[1]], uri)
        self.querystring = {
            n: [one] for n, (place, one) in located.items() if place == "querystring"
        }
        nothing: dict[str, Any] = {}
        query = SimpleNamespace(log_group_names=["named"])
        self.backend = SimpleNamespace(
            certificates=nothing,
            groups=nothing,
            instance_profiles=nothing,
            queries={"named": query},
            roles=nothing,
            users={"named": SimpleNamespace(name="named", arn=USER, access_keys=[KEY])},
        )

    def get_access_key(self) -> str:
        return "named"

    def _get_action(self) -> str:
        return self._operation

    def _get_param(self, name: str) -> Any:
        return self.parameters.get(name)


USER = f"arn:aws:iam::{ACCOUNT}:user/named"
KEY = SimpleNamespace(access_key_id="named")


def filled(template: str) -> str:
    placed = template.replace("${Region}", REGION).replace("${Account}", ACCOUNT)
    return re.sub(r"\${\w+}", "named", placed)


def operations() -> list[tuple[str, str]]:
    """Return the operations that moto has."""
    found = []
    for module in MODULES:
        responses = importlib.import_module(f"moto.{module}.responses")
        kinds = [kind for kind in vars(responses).values() if isinstance(kind, type)]
        methods = {name for kind in kinds for name in dir(kind)}
        service = MODELS.get(module, module)
        found += [
            (service, operation)
            for operation in get_service_model(service).operation_names
            if xform_name(operation) in methods
            and operation not in IN_PARTS.get(prefix_of(service), ())
        ]
    return found


@pytest.mark.parametrize(("service", "operation"), operations())
def test_policies_are_asked_about_what_a_request_names(service: str, operation: str) -> None:
    """A denial of one resource must not be passed by: `*` is none of its patterns."""
    prefix = prefix_of(service)
    types = resource_types(prefix, action_of(prefix, operation))
    found = resources_of(Request(service, operation), prefix, operation)
    assert types is not None, "the reference has no such action: say which resources it has"
    if operation in WITHOUT_RESOURCE.get(prefix, ()):
        return
    if operation in UNTOLD.get(prefix, ()):
        assert found == [UNTOLD_RESOURCE]
    elif not types:
        assert found == ["*"]
    else:
        assert found
        for resource in found:
            patterns = [re.sub(r"\${\w+}", "*", template) for template in types.values()]
            assert any(matches(pattern, resource) for pattern in patterns), resource
            is_all = operation in ALL.get(prefix, ())
            assert resource.endswith("*") if is_all else re.search("named|/new$", resource)
