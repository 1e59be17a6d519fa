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
from local_aws.iam.required_access import service_prefix
from local_aws.iam.resources import resources_of
from local_aws.testing.aws import ACCOUNT, REGION

NAMES = re.compile(r"(name|arn|id|identifier|resource|url)s?$", re.IGNORECASE)
# Their parameters of such names are none of the resource's, or the action has no resource type:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    "application-autoscaling": {
        *("DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies"),
        "DescribeScheduledActions",
    },
    "budgets": {"DescribeBudgets"},
    "cloudwatch": {
        *("DescribeAlarmsForMetric", "GetMetricData", "GetMetricStatistics", "ListMetrics"),
        "PutMetricData",
    },
    "dynamodb": {"ImportTable", "ListTables"},
    "ecr": {"GetAuthorizationToken"},
    "events": {
        *("ListApiDestinations", "ListArchives", "ListReplays", "ListRuleNamesByTarget"),
        *("ListRules", "PutPermission", "RemovePermission"),
    },
    "iam": {"GetAccessKeyLastUsed", "GetServiceLinkedRoleDeletionStatus"},
    "kms": {"CreateKey", "GenerateRandom", "ReEncrypt"},  # the last asks for two of its own
    "lambda": {"CreateEventSourceMapping", "ListEventSourceMappings"},  # by lambda:FunctionArn
    "logs": {
        *("CancelExportTask", "DescribeDeliveries", "DescribeDeliveryDestinations"),
        *("DescribeDeliverySources", "DescribeExportTasks", "DescribeLogGroups", "GetQueryResults"),
    },
    "sagemaker": {"ListClusters", "Search"},
    "servicequotas": {"GetServiceQuota"},
    "sts": {"GetAccessKeyInfo", "GetFederationToken", "GetSessionToken"},
    "tag": {"GetResources", "TagResources", "UntagResources"},  # those of the tagged, besides
}

NAMED = {"lambda": "function:named", "sns": "named:one", "states": "stateMachine:named:1"}


def value(shape: Shape, name: str, prefix: str, depth: int = 0) -> Any:
    """Return a value of a shape; an ARN where the parameter is one."""
    if depth > 4:
        return None
    if shape.type_name == "string":
        is_arn = re.search(r"arns?$|^resource$", name, re.IGNORECASE)
        named = NAMED.get(prefix, "kind/named")
        return f"arn:aws:{prefix}:{REGION}:{ACCOUNT}:{named}" if is_arn else "named"
    if shape.type_name == "list":
        return [value(shape.member, name, prefix, depth + 1)]  # type: ignore[attr-defined]
    if isinstance(shape, StructureShape):
        return {k: value(v, k, prefix, depth + 1) for k, v in shape.members.items()}
    return {} if shape.type_name == "map" else 1


class Request:
    """A request of an operation, with a value for each of its parameters, as moto has it."""

    region, current_account, method, body = REGION, ACCOUNT, "POST", b""

    def __init__(self, service: str, operation: str) -> None:
        model = get_service_model(service).operation_model(operation)
        members = model.input_shape.members if model.input_shape else {}
        prefix = service_prefix(get_service_model(service).signing_name)
        self.boto3_service_name, self._operation = service, operation
        self.parameters = {name: value(shape, name, prefix) for name, shape in members.items()}
        self.headers: dict[str, str] = {}
        labels = {
            str(shape.serialization.get("name", name)): self.parameters[name]
            for name, shape in members.items()
        }
        uri = str(model.http.get("requestUri", "/")).partition("?")[0]
        self.path = re.sub(r"{(\w+)\+?}", lambda found: str(labels[found[1]]), uri)
        self.querystring = {
            str(shape.serialization["name"]): [str(self.parameters[name])]
            for name, shape in members.items()
            if shape.serialization.get("location") == "querystring"
        }
        nothing: dict[str, Any] = {}
        self.backend = SimpleNamespace(roles=nothing, users=nothing, instance_profiles=nothing)

    def _get_action(self) -> str:
        return self._operation

    def _get_param(self, name: str) -> Any:
        return self.parameters.get(name)


def operations() -> list[tuple[str, str]]:
    """Return the operations that moto has and that name something."""
    found = []
    for module in sorted(SERVICES - {"s3", "s3control", "sagemakermetrics", "sagemakerruntime"}):
        responses = importlib.import_module(f"moto.{module}.responses")
        kinds = [kind for kind in vars(responses).values() if isinstance(kind, type)]
        methods = {name for kind in kinds for name in dir(kind)}
        service = BOTO3.get(module, module)
        model = get_service_model(service)
        prefix = service_prefix(model.signing_name)
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            names = [name for name in shape.members if NAMES.search(name)] if shape else []
            without = WITHOUT_RESOURCE.get(prefix, set())
            if xform_name(operation) in methods and names and operation not in without:
                found.append((service, operation))
    return found


BOTO3 = {
    "applicationautoscaling": "application-autoscaling",
    "awslambda": "lambda",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
}


@pytest.mark.parametrize(("service", "operation"), operations())
def test_policies_are_asked_about_what_a_request_names(service: str, operation: str) -> None:
    """A denial of one resource must not be passed by: `*` is none of its patterns."""
    request = Request(service, operation)
    prefix = service_prefix(get_service_model(service).signing_name)
    found = resources_of(request, prefix, operation)
    assert found
    assert "*" not in found, request.parameters
    assert all("named" in resource or "new" in resource for resource in found)
