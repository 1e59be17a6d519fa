"""Which resource a request is about, service by service.

The ARNs are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

ANY = ["*"]
# Parameters that name a resource, and what precedes a bare name in its ARN; the first counts.
_NAMED: dict[str, tuple[tuple[str, str], ...]] = {
    "cloudwatch": (("AlarmNames", "alarm:"), ("AlarmName", "alarm:")),
    "dynamodb": (("TableName", "table/"),),
    "ecr": (("repositoryName", "repository/"),),
    "secretsmanager": (("SecretId", "secret:"), ("Name", "secret:")),
    "sns": (("TopicArn", ""), ("TargetArn", ""), ("Name", "")),
    "sqs": (("QueueUrl", ""), ("QueueName", "")),
    "ssm": (("Name", "parameter/"), ("Names", "parameter/"), ("Path", "parameter/")),
    "states": (
        ("stateMachineArn", ""),
        ("executionArn", ""),
        ("stateMachineAliasArn", ""),
        ("stateMachineVersionArn", ""),
        ("mapRunArn", ""),
        ("resourceArn", ""),
        ("name", "stateMachine:"),
    ),
    "sagemaker": (
        ("TrainingJobName", "training-job/"),
        ("ProcessingJobName", "processing-job/"),
        ("TransformJobName", "transform-job/"),
        ("MonitoringScheduleName", "monitoring-schedule/"),
        ("JobDefinitionName", "data-quality-job-definition/"),
        ("EndpointName", "endpoint/"),
        ("EndpointConfigName", "endpoint-config/"),
        ("ModelName", "model/"),
        ("ModelPackageName", "model-package/"),
        ("ModelPackageGroupName", "model-package-group/"),
        ("ModelPackageArn", ""),
        ("HyperParameterTuningJobName", "hyper-parameter-tuning-job/"),
        ("ResourceArn", ""),
    ),
}
# PutMetricData is bounded by its namespace; these have no resource either.
_WITHOUT_RESOURCE = frozenset(("PutMetricData", "GetMetricData", "ListMetrics", "ListTopics"))


def resources_of(response: Any, service: str, action: str) -> list[str]:
    """Return the ARNs that the request is about, `*` where the action has no resource."""
    if action in _WITHOUT_RESOURCE:
        return ANY
    special = _SPECIAL.get(service)
    if special is not None:
        return special(response, action)
    for name, before in _NAMED.get(service, ()):
        if found := parameter_values(response, name):
            return [_arn(response, service, before, value) for value in found]
    return [_arn(response, service, "alarm:", "*")] if service == "cloudwatch" else ANY


def parameter_values(response: Any, name: str) -> list[str]:
    """Return a request parameter's values, none where it was not sent."""
    found = response._get_param(name)
    if found is None:
        members = (v for k, v in response.querystring.items() if k.startswith(f"{name}.member."))
        found = [value for values in members for value in values]
    values = found if isinstance(found, list) else [found]
    return [value for value in values if isinstance(value, str) and value]


def _arn(response: Any, service: str, before: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    name = value.rstrip("/").rsplit("/", 1)[-1] if service == "sqs" else value.lstrip("/")
    return f"arn:aws:{service}:{response.region}:{response.current_account}:{before}{name}"


def _lambda(response: Any, action: str) -> list[str]:
    _, _, rest = response.path.partition("/functions/")
    names = [unquote(rest.split("/")[0])] if rest else parameter_values(response, "FunctionName")
    if not names or action == "ListFunctions":
        return ANY
    arn = _arn(response, "lambda", "function:", names[0])
    for key in ("Qualifier", "qualifier"):
        if qualifier := response.querystring.get(key):
            return [f"{arn}:{qualifier[0]}"]
    return [arn]


def _runtime(response: Any, _: str) -> list[str]:
    name = response.path.removeprefix("/endpoints/").split("/")[0]
    return [_arn(response, "sagemaker", "endpoint/", name)]


def _sagemaker(response: Any, action: str) -> list[str]:
    if action.startswith("InvokeEndpoint"):
        return _runtime(response, action)
    for name, before in _NAMED["sagemaker"]:
        if found := parameter_values(response, name):
            return [_arn(response, "sagemaker", before, found[0])]
    return ANY


def _logs(response: Any, action: str) -> list[str]:
    if action == "DescribeLogGroups":
        return [_arn(response, "logs", "log-group:", ":log-stream:")]
    groups = parameter_values(response, "logGroupName") or parameter_values(
        response, "logGroupIdentifier"
    )
    if not groups:
        return ANY
    stream = next(iter(parameter_values(response, "logStreamName")), "")
    return [log_arn(response.region, response.current_account, groups[0], stream)]


def log_arn(region: str, account_id: str, group: str, stream: str = "") -> str:
    """Return the ARN that CloudWatch Logs authorises a log group or stream by."""
    name = group.split(":log-group:", 1)[-1].removesuffix(":*")
    return f"arn:aws:logs:{region}:{account_id}:log-group:{name}:log-stream:{stream}"


def _kms(response: Any, _: str) -> list[str]:
    from scones_local.iam.resource_policies import kms_key

    found = parameter_values(response, "KeyId")
    if not found:
        return ANY
    key = kms_key(found[0], response.region)
    if key is not None:
        return [key.arn]
    before = "" if found[0].startswith("alias/") else "key/"
    return [_arn(response, "kms", before, found[0])]


def _events(response: Any, action: str) -> list[str]:
    if action == "PutEvents":
        entries = response._get_param("Entries") or []
        buses = {entry.get("EventBusName") or "default" for entry in entries}
        return [_arn(response, "events", "event-bus/", bus) for bus in sorted(buses)] or ANY
    bus = next(iter(parameter_values(response, "EventBusName")), "default").rsplit("/", 1)[-1]
    prefix = "rule/" if bus == "default" else f"rule/{bus}/"
    named = parameter_values(response, "Rule") or parameter_values(response, "Name")
    return [_arn(response, "events", prefix, named[0])] if named else ANY


def _iam(response: Any, _: str) -> list[str]:
    start = f"arn:aws:iam::{response.current_account}"
    if found := parameter_values(response, "RoleName"):
        return [_role_arn(response, start, found[0])]
    if found := parameter_values(response, "UserName"):
        return [f"{start}:user/{found[0]}"]
    return parameter_values(response, "PolicyArn") or ANY


def _role_arn(response: Any, start: str, name: str) -> str:
    """Return a role's ARN, which holds the path that it has, or is to be made under."""
    for role in list(response.backend.roles.values()):
        if role.name == name:
            return str(role.arn)
    path = next(iter(parameter_values(response, "Path")), "/")
    return f"{start}:role{path}{name}"


_SPECIAL: dict[str, Callable[[Any, str], list[str]]] = {
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "sagemaker": _sagemaker,
    "sts": lambda response, _: parameter_values(response, "RoleArn") or ANY,
}
