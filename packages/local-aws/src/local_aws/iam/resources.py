"""Resources that a request is about, by the parameter that names them.

The ARNs are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import base64
import functools
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto.awslambda.utils import get_backend as functions_backend
from moto.core.utils import get_service_model

from local_aws.dynamodb.statements import parse
from local_aws.errors import LocalAwsError
from local_aws.iam.resource_policies import kms_key

ANY = ["*"]
_MAX_SHOWN = 256
_KEY_ID_BYTES = 36
# moto finds what an ARN of these names by its end alone: whatever region and account the ARN says,
# it is the one of the request's own.
_FOUND_BY_NAME = frozenset(("events", "lambda", "sagemaker"))
# What follows the account in an ARN of these. Where it has another form, moto takes its end for a
# name: `function:mine:function:other` would be authorised as the one and answered as the other.
# https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html
_FORMS = {
    "lambda": re.compile(r"[a-z-]+:[\w-]+(?::[\w$-]+)?", re.ASCII),
    "sagemaker": re.compile(
        r"model-package/[\w-]+/\d+|pipeline/[\w-]+/execution/[\w-]+|[a-z-]+/[\w.-]+", re.ASCII
    ),
}


class NotAName(LocalAwsError):
    """A parameter that names a resource has a form that no resource's name has."""

    code = "ValidationException"


def input_names(response: Any, operation: str = "") -> frozenset[str]:
    """Return the names of the parameters that a request's operation has, in AWS's model.

    What else a request sends is not believed.
    """
    return _input_names(response.boto3_service_name, operation or str(response._get_action()))


@functools.lru_cache(maxsize=4096)
def _input_names(service: str, operation: str) -> frozenset[str]:
    try:
        shape = get_service_model(service).operation_model(operation).input_shape
    except (OperationNotFoundError, UnknownServiceError):
        return frozenset()
    members = {} if shape is None else shape.members
    renamed = (member.serialization.get("name", "") for member in members.values())
    return frozenset((*members, *renamed)) - {""}


def parameter_values(response: Any, name: str) -> list[str]:
    """Return the values of a parameter that the request's operation has; none if it is not sent."""
    if name not in input_names(response):
        return []
    found = response._get_param(name)
    if found is None:
        members = (v for k, v in response.querystring.items() if k.startswith(f"{name}.member."))
        found = [value for values in members for value in values]
    values = found if isinstance(found, list) else [found]
    return [value for value in values if isinstance(value, str) and value]


def arn(response: Any, service: str, before: str, value: str) -> str:
    """Return the ARN of what a parameter names; `before` precedes a bare name in it.

    Raises NotAName for what names nothing of the service's.
    """
    if value.startswith("arn:"):
        parts = value.split(":", 5)
        if service not in _FOUND_BY_NAME or len(parts) < 6:
            return value
        named = parts[5]
    else:
        name = value.rstrip("/").rsplit("/", 1)[-1] if service == "sqs" else value.lstrip("/")
        named = f"{before}{name}"
    form = _FORMS.get(service)
    if form is not None and not form.fullmatch(named):
        raise NotAName(
            f"1 validation error detected: Value '{value[:_MAX_SHOWN]}' is neither a name nor an "
            "ARN of this service."
        )
    return f"arn:aws:{service}:{response.region}:{response.current_account}:{named}"


def _lambda(response: Any, action: str) -> list[str]:
    _, mappings, uuid = response.path.partition("/event-source-mappings")
    if mappings:
        # One that is made has no ARN yet but for who tags it; its function is a condition key.
        uuid = uuid.strip("/") or ("new" if action == "TagResource" else "")
        return [arn(response, "lambda", "event-source-mapping:", uuid)] if uuid else ANY
    _, tags, tagged = response.path.partition("/tags/")
    if tags:
        return [arn(response, "lambda", "function:", unquote(tagged))]
    _, layers, layer = response.path.partition("/layers")
    if layers:
        return _layer(response, layer)
    _, _, rest = response.path.partition("/functions/")
    names = [unquote(rest.split("/")[0])] if rest else parameter_values(response, "FunctionName")
    if not names or action == "ListFunctions":
        return ANY
    function = arn(response, "lambda", "function:", names[0])
    for key in ("Qualifier", "qualifier"):
        if qualifier := response.querystring.get(key):
            return [f"{function}:{qualifier[0]}"]
    return [function]


def _layer(response: Any, path: str) -> list[str]:
    """Return a layer, or the version of it, that follows `/layers` in an address."""
    name, _, rest = path.strip("/").partition("/")
    if not name:
        return list(response.querystring.get("Arn") or ANY)
    version = rest.removeprefix("versions").strip("/").partition("/")[0]
    layer = arn(response, "lambda", "layer:", unquote(name))
    return [f"{layer}:{version}" if version else layer]


def mapped_functions(response: Any, service: str) -> list[str]:
    """Return the ARN of an event source mapping's function; nothing for another request."""
    _, mappings, uuid = response.path.partition("/event-source-mappings")
    if service != "lambda" or not mappings:
        return []
    if named := parameter_values(response, "FunctionName"):
        return [arn(response, "lambda", "function:", named[0])]
    backend = functions_backend(response.current_account, response.region)
    found = backend.get_event_source_mapping(uuid.strip("/"))
    return [str(found.function_arn)] if found else []


def _sagemaker(response: Any, action: str) -> list[str]:
    if not action.startswith("InvokeEndpoint"):
        return []
    name = response.path.removeprefix("/endpoints/").split("/")[0]
    return [arn(response, "sagemaker", "endpoint/", name)]


_LOG_GROUPS = ("logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupIdentifiers")


def _logs(response: Any, action: str) -> list[str]:
    if action == "DescribeLogGroups":
        return [arn(response, "logs", "log-group:", ":log-stream:")]
    groups = [group for name in _LOG_GROUPS for group in parameter_values(response, name)]
    if not groups:
        return _log_deliveries(response, action)
    stream = next(iter(parameter_values(response, "logStreamName")), "")
    region, account_id = response.region, response.current_account
    return [log_arn(region, account_id, group, stream) for group in groups]


def _log_deliveries(response: Any, action: str) -> list[str]:
    """Return the destination, or the delivery with its ends, that a request is about."""
    named = [
        arn(response, "logs", before, value)
        for parameter, before in (
            ("destinationName", "destination:"),
            ("deliverySourceName", "delivery-source:"),
            ("deliveryDestinationName", "delivery-destination:"),
            ("deliveryDestinationArn", ""),
            ("id", "delivery:"),
            ("name", f"delivery-{'source' if 'Source' in action else 'destination'}:"),
        )
        for value in parameter_values(response, parameter)
    ]
    return named or parameter_values(response, "resourceArn") or ANY


def log_arn(region: str, account_id: str, group: str, stream: str = "") -> str:
    """Return the ARN that CloudWatch Logs authorises a log group or stream by."""
    name = group.split(":log-group:", 1)[-1].removesuffix(":*")
    return f"arn:aws:logs:{region}:{account_id}:log-group:{name}:log-stream:{stream}"


def _kms(response: Any, action: str) -> list[str]:
    """Return the key, and the alias where one is made, moved or deleted: both must be allowed."""
    if action == "Decrypt" and not parameter_values(response, "KeyId"):
        return [_key_arn(response, key) for key in _ciphertexts_key(response)] or ANY
    aliases = parameter_values(response, "AliasName")
    keys = parameter_values(response, "KeyId") or parameter_values(response, "TargetKeyId")
    if not aliases and not keys:
        # A key that is about to be made has an ARN for who tags it, and none for who makes it.
        return [arn(response, "kms", "key/", "new")] if action == "TagResource" else ANY
    named = [arn(response, "kms", "", alias) for alias in aliases]
    return named + [_key_arn(response, key) for key in keys or aliases]


def _ciphertexts_key(response: Any) -> list[str]:
    """Return the id of the key that a request's ciphertext is under; it begins with it."""
    given = response._get_param("CiphertextBlob")
    try:
        blob = given if isinstance(given, bytes) else base64.b64decode(str(given))
        return [blob[:_KEY_ID_BYTES].decode("ascii")]
    except ValueError:
        return []


def _key_arn(response: Any, identifier: str) -> str:
    key = kms_key(identifier, response.region)
    if key is not None:
        return str(key.arn)
    before = "" if identifier.startswith("alias/") else "key/"
    return arn(response, "kms", before, identifier)


# What operations are about that are about no rule and no bus, by the end of their names.
_EVENT_KINDS = (
    ("ApiDestination", "api-destination/", "Name"),
    ("Archive", "archive/", "ArchiveName"),
    ("Connection", "connection/", "Name"),
    ("Replay", "replay/", "ReplayName"),
)


def _events(response: Any, action: str) -> list[str]:
    if action == "PutEvents":
        entries = response._get_param("Entries") or []
        named = [str(entry.get("EventBusName") or "default") for entry in entries]
        buses = {name.rsplit("/", 1)[-1] for name in named}
        return [arn(response, "events", "event-bus/", bus) for bus in sorted(buses)] or ANY
    if tagged := parameter_values(response, "ResourceARN"):
        return tagged
    operation = str(response._get_action())
    for kind, before, parameter in _EVENT_KINDS:
        if operation.endswith(kind):
            names = parameter_values(response, parameter)
            sources = parameter_values(response, "EventSourceArn")
            return [*(arn(response, "events", before, name) for name in names), *sources] or ANY
    # Tags that come with a creation are authorised on the same resource, by another action.
    if operation.endswith("EventBus"):
        named = parameter_values(response, "Name") or ["default"]
        return [arn(response, "events", "event-bus/", named[0])]
    bus = next(iter(parameter_values(response, "EventBusName")), "default").rsplit("/", 1)[-1]
    prefix = "rule/" if bus == "default" else f"rule/{bus}/"
    named = parameter_values(response, "Rule") or parameter_values(response, "Name")
    return [arn(response, "events", prefix, named[0])] if named else ANY


# By the parameter that names it: what precedes the name in its ARN, after a path. The first counts.
_IAM_KINDS = (
    ("InstanceProfileName", "instance-profile"),
    ("RoleName", "role"),
    ("GroupName", "group"),
    ("UserName", "user"),
    ("PolicyName", "policy"),
    ("ServerCertificateName", "server-certificate"),
    ("VirtualMFADeviceName", "mfa"),
    ("Name", "saml-provider"),
)
_IAM_ARNS = ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn", "SerialNumber")


def _iam(response: Any, _: str) -> list[str]:
    start = f"arn:aws:iam::{response.current_account}"
    for parameter, kind in _IAM_KINDS:
        if names := parameter_values(response, parameter):
            return [_iam_arn(response, f"{start}:{kind}", parameter, names[0])]
    if urls := parameter_values(response, "Url"):
        return [f"{start}:oidc-provider/{urls[0].removeprefix('https://')}"]
    if services := parameter_values(response, "AWSServiceName"):
        return [f"{start}:role/aws-service-role/{services[0]}/*"]
    return [given for name in _IAM_ARNS for given in parameter_values(response, name)] or ANY


def _iam_arn(response: Any, start: str, parameter: str, name: str) -> str:
    """Return an ARN, which holds the path that it has, or is to be made under."""
    if parameter == "RoleName":
        found = named_role(response, name)
    elif parameter == "InstanceProfileName":
        profiles = list(response.backend.instance_profiles.values())
        found = next((profile for profile in profiles if profile.name == name), None)
    else:
        found = None
    if found is not None:
        return str(found.arn)
    makes = str(response._get_action()).startswith(("Create", "Upload"))
    path = next(iter(parameter_values(response, "Path")), "/") if makes else "/"
    return f"{start}{path}{name}"


def named_role(response: Any, name: str) -> Any:
    """Return moto's role of this name, None where there is none."""
    roles = list(response.backend.roles.values())
    return next((role for role in roles if role.name == name), None)


def _cloudwatch(response: Any, _: str) -> list[str]:
    names = parameter_values(response, "DashboardName") + parameter_values(
        response, "DashboardNames"
    )
    return [f"arn:aws:cloudwatch::{response.current_account}:dashboard/{name}" for name in names]


def _sqs(response: Any, _: str) -> list[str]:
    """Return the queue, and that of the path: moto takes it where the parameter is not a text."""
    if "QueueUrl" not in input_names(response):
        return []
    given = [*parameter_values(response, "QueueUrl"), response.path.rpartition("/")[2]]
    return list(dict.fromkeys(arn(response, "sqs", "", name) for name in given if name))


def _sns(response: Any, _: str) -> list[str]:
    # A subscription is its topic's.
    found = parameter_values(response, "SubscriptionArn")
    return [subscription.rpartition(":")[0] for subscription in found]


def _budgets(response: Any, _: str) -> list[str]:
    budget = response._get_param("Budget") or response._get_param("NewBudget") or {}
    named = parameter_values(response, "BudgetName") or [budget.get("BudgetName", "*")]
    return parameter_values(response, "ResourceARN") or [
        f"arn:aws:budgets::{response.current_account}:budget/{named[0]}"
    ]


def _scheduler(response: Any, _: str) -> list[str]:
    kind, _, rest = response.path.lstrip("/").partition("/")
    name = unquote(rest)
    if kind == "tags":
        return [name]
    if kind == "schedule-groups":
        return [arn(response, "scheduler", "schedule-group/", name or "*")]
    # One is a body's, the other an address's; what both name must be allowed.
    groups = parameter_values(response, "GroupName") + parameter_values(response, "groupName")
    return [
        arn(response, "scheduler", f"schedule/{group}/", name or "*")
        for group in groups or ["default"]
    ]


def _scaling(response: Any, action: str) -> list[str]:
    """Return the target that a request is about: nobody knows its ARN before it is registered."""
    if action.startswith("Describe"):
        return ANY
    given = parameter_values(response, "ResourceARN")
    return given or [arn(response, "application-autoscaling", "scalable-target/", "new")]


def _dynamodb(response: Any, action: str) -> list[str]:
    if action in ("BatchGetItem", "BatchWriteItem"):
        return [_table(response, name) for name in response._get_param("RequestItems") or ()]
    indexes = parameter_values(response, "IndexName")
    if indexes and action in ("Query", "Scan"):
        table = next(iter(parameter_values(response, "TableName")), "")
        return [f"{_table(response, table)}/index/{indexes[0]}"]
    return []


def _table(response: Any, name: str) -> str:
    return arn(response, "dynamodb", "table/", name)


# The actions that each part of a transaction asks for.
_TRANSACTED = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


def transacted(response: Any, service: str, action: str) -> list[tuple[str, str]]:
    """Return the actions and resources of an operation that has no action of its own.

    A transaction or batch of DynamoDB's, and what takes from one key of KMS to another.
    https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
    """
    if (service, action) == ("kms", "ReEncrypt"):
        given = parameter_values(response, "SourceKeyId")
        sources, to = {*_ciphertexts_key(response), *given}, response._get_param("DestinationKeyId")
        keys = {_key_arn(response, source) for source in sources}
        moved = [("ReEncryptFrom", key) for key in sorted(keys)]
        return [*moved, ("ReEncryptTo", _key_arn(response, str(to)))]
    if service == "dynamodb" and action == "BatchExecuteStatement":
        texts = {
            statement.get("Statement", "") for statement in response._get_param("Statements") or ()
        }
        parsed = {parse(text) for text in texts}
        return sorted(
            {(statement.action, _table(response, statement.table)) for statement in parsed}
        )
    if service != "dynamodb" or action not in ("TransactGetItems", "TransactWriteItems"):
        return []
    parts = response._get_param("TransactItems") or ()
    return [
        (_TRANSACTED[kind], _table(response, request["TableName"]))
        for part in parts
        for kind, request in part.items()
        if kind in _TRANSACTED and request.get("TableName")
    ]


def _states(response: Any, action: str) -> list[str]:
    if str(response._get_action()) == "CreateActivity":
        return [arn(response, "states", "activity:", n) for n in parameter_values(response, "name")]
    if action != "CreateStateMachineAlias":
        return []
    # It names an alias of the versions' state machine.
    routes = response._get_param("routingConfiguration") or []
    return [route.get("stateMachineVersionArn", "").rpartition(":")[0] for route in routes[:1]]


SPECIAL: dict[str, Callable[[Any, str], list[str]]] = {
    "application-autoscaling": _scaling,
    "budgets": _budgets,
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "sagemaker": _sagemaker,
    "scheduler": _scheduler,
    "sns": _sns,
    "sqs": _sqs,
    "states": _states,
    "sts": lambda response, _: parameter_values(response, "RoleArn") or ANY,
}


# Parameters that name a resource, and what precedes a bare name in its ARN; all must be allowed.
_NAMED: dict[str, tuple[tuple[str, str], ...]] = {
    "cloudwatch": (
        ("AlarmNames", "alarm:"),
        ("AlarmName", "alarm:"),
        ("RuleName", "insight-rule/"),
        ("RuleNames", "insight-rule/"),
        ("ResourceARN", ""),
    ),
    "dynamodb": (
        ("TableName", "table/"),
        ("ResourceArn", ""),
        ("SourceTableName", "table/"),
        ("TargetTableName", "table/"),
        ("SourceTableArn", ""),
        ("TableArn", ""),
        ("BackupArn", ""),
        ("ExportArn", ""),
        ("ImportArn", ""),
    ),
    "ecr": (
        ("repositoryName", "repository/"),
        ("repositoryNames", "repository/"),
        ("resourceArn", ""),
    ),
    "secretsmanager": (("SecretId", "secret:"), ("Name", "secret:")),
    "sns": (
        ("TopicArn", ""),
        ("TargetArn", ""),
        ("Name", ""),
        ("ResourceArn", ""),
        ("PlatformApplicationArn", ""),
        ("EndpointArn", ""),
    ),
    "sqs": (("QueueName", ""),),
    "ssm": (("Name", "parameter/"), ("Names", "parameter/"), ("Path", "parameter/")),
    "states": (
        ("stateMachineArn", ""),
        ("executionArn", ""),
        ("stateMachineAliasArn", ""),
        ("stateMachineVersionArn", ""),
        ("mapRunArn", ""),
        ("activityArn", ""),
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
        ("NotebookInstanceName", "notebook-instance/"),
        ("NotebookInstanceLifecycleConfigName", "notebook-instance-lifecycle-config/"),
        ("PipelineName", "pipeline/"),
        ("PipelineExecutionArn", ""),
        ("ExperimentName", "experiment/"),
        ("TrialName", "experiment-trial/"),
        ("TrialComponentName", "experiment-trial-component/"),
        ("ModelCardName", "model-card/"),
        ("FeatureGroupName", "feature-group/"),
        ("CompilationJobName", "compilation-job/"),
        ("AutoMLJobName", "automl-job/"),
        ("ClusterName", "cluster/"),
        ("DomainName", "domain/"),
        ("DomainId", "domain/"),
        ("ResourceArn", ""),
    ),
}
# By operation: the parameters that name something else there.
_NOT_ASKED = {
    "CreateTransformJob": ("ModelName",),
    "StartExecution": ("name",),
    "StartSyncExecution": ("name",),
}
# PutMetricData is bounded by its namespace; these have no resource either.
_WITHOUT_RESOURCE = frozenset(("PutMetricData", "GetMetricData", "ListMetrics", "ListTopics"))


def resources_of(response: Any, service: str, action: str) -> list[str]:
    """Return the ARNs that the request is about, `*` where the action has no resource."""
    if action in _WITHOUT_RESOURCE:
        return ANY
    special = SPECIAL.get(service)
    if special is not None and (arns := special(response, action)):
        return arns
    arns = [
        arn(response, service, before, value)
        for name, before in _NAMED.get(service, ())
        if name not in _NOT_ASKED.get(action, ())
        for value in parameter_values(response, name)
    ]
    if arns:
        return arns
    return [arn(response, service, "alarm:", "*")] if service == "cloudwatch" else ANY
