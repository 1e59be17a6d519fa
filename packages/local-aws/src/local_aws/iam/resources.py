"""Resources that a request is about, by the parameter that names them.

The ARNs are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import base64
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto.awslambda.utils import get_backend as functions_backend
from moto.core.utils import get_service_model
from moto.iam.models import SERVICE_NAME_CONVERSION

from local_aws.dynamodb.statements import parse
from local_aws.errors import LocalAwsError
from local_aws.iam.authorization_reference import action_of, resource_types
from local_aws.iam.conditions import matches
from local_aws.iam.named_resources import NamedResource, named_resources
from local_aws.iam.policy_evaluation import UNTOLD_RESOURCE
from local_aws.iam.resource_policies import kms_key

ANY = ["*"]
_MAX_SHOWN = 256
_KEY_ID_BYTES = 36
_COLONS = 5
_VARIABLE = re.compile(r"\$\{\w+\}")
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
    # moto takes what an address names from the address, whatever its query says.
    values = [*values, unquote(str((response.uri_match or {}).get(name, "")))]
    texts = (str(value) if isinstance(value, int) else value for value in values)
    return list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))


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
        return [arn(response, "lambda", "event-source-mapping:", uuid)] if uuid else []
    _, tags, tagged = response.path.partition("/tags/")
    if tags:
        return [arn(response, "lambda", "function:", unquote(tagged))]
    _, _, rest = response.path.partition("/functions/")
    names = [unquote(rest.split("/")[0])] if rest else parameter_values(response, "FunctionName")
    if not names:
        return []
    function = arn(response, "lambda", "function:", names[0])
    for key in ("Qualifier", "qualifier"):
        if qualifier := response.querystring.get(key):
            return [f"{function}:{qualifier[0]}"]
    return [function]


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


def _logs(response: Any, action: str) -> list[str]:
    if action == "DescribeLogGroups":  # as AWS words its denials, though it is of no one group
        return [arn(response, "logs", "log-group:", ":log-stream:")]
    if action == "GetQueryResults":
        asked = parameter_values(response, "queryId")
        found = [response.backend.queries[one] for one in asked if one in response.backend.queries]
        groups = [name for query in found for name in query.log_group_names]
        return [log_arn(response.region, response.current_account, group) for group in groups]
    groups = [name for names in _GROUPS for name in parameter_values(response, names)]
    stream = next(iter(parameter_values(response, "logStreamName")), "")
    return [log_arn(response.region, response.current_account, group, stream) for group in groups]


# Whichever of them moto reads, what all of them name must be allowed.
_GROUPS = ("logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupIdentifiers")


def log_arn(region: str, account_id: str, group: str, stream: str = "") -> str:
    """Return the ARN that CloudWatch Logs authorises a log group or stream by."""
    name = group.split(":log-group:", 1)[-1].removesuffix(":*")
    return f"arn:aws:logs:{region}:{account_id}:log-group:{name}:log-stream:{stream}"


def _kms(response: Any, action: str) -> list[str]:
    """Return the key, and the alias where one is made, moved or deleted: both must be allowed."""
    if action == "Decrypt" and not parameter_values(response, "KeyId"):
        return [_key_arn(response, key) for key in _ciphertexts_key(response)]
    aliases = parameter_values(response, "AliasName")
    keys = parameter_values(response, "KeyId") or parameter_values(response, "TargetKeyId")
    if not aliases and not keys:
        # A key that is about to be made has an ARN for who tags it, and none for who makes it.
        return [arn(response, "kms", "key/", "new")] if action == "TagResource" else []
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


def _events(response: Any, action: str) -> list[str]:
    if action == "PutEvents":
        entries = response._get_param("Entries") or []
        named = [str(entry.get("EventBusName") or "default") for entry in entries]
        buses = {name.rsplit("/", 1)[-1] for name in named}
        return [arn(response, "events", "event-bus/", bus) for bus in sorted(buses)]
    if tagged := parameter_values(response, "ResourceARN"):
        return [arn(response, "events", "", one) for one in tagged]
    # Tags that come with a creation are authorised on the same resource, by another action.
    if str(response._get_action()).endswith("EventBus"):
        named = parameter_values(response, "Name") or ["default"]
        return [arn(response, "events", "event-bus/", named[0])]
    bus = next(iter(parameter_values(response, "EventBusName")), "default").rsplit("/", 1)[-1]
    prefix = "rule/" if bus == "default" else f"rule/{bus}/"
    named = parameter_values(response, "Rule") or parameter_values(response, "Name")
    is_rule = named and "rule-on-default-event-bus" in (resource_types("events", action) or ())
    return [arn(response, "events", prefix, named[0])] if is_rule else []


# By the type of resource: the parameter that has its name, and where moto keeps those there are.
_IAM_NAMES = {
    "group": ("GroupName", "groups"),
    "instance-profile": ("InstanceProfileName", "instance_profiles"),
    "mfa": ("VirtualMFADeviceName", ""),
    "policy": ("PolicyName", ""),
    "role": ("RoleName", "roles"),
    "server-certificate": ("ServerCertificateName", "certificates"),
    "user": ("UserName", "users"),
}


def _iam(response: Any, action: str) -> list[str]:
    types = resource_types("iam", action) or {}
    if types.keys() == {"user"} and not parameter_values(response, "UserName"):
        # What names nobody is about the user who asks.
        return [_owner(response, response.get_access_key())]
    if action == "CreateOpenIDConnectProvider":
        (url,) = parameter_values(response, "Url") or [""]
        return [_iam_arn(response, "oidc-provider", "/", url.removeprefix("https://"))]
    if action == "CreateServiceLinkedRole":
        return [_service_linked_role(response)]
    found = []
    for kind, (parameter, collection) in _IAM_NAMES.items():
        if kind in types:
            known = list(getattr(response.backend, collection).values()) if collection else []
            arns = {_iam_name(one): str(one.arn) for one in known}
            # What is renamed must be allowed by both names.
            for before in ("", "New"):
                (path,) = parameter_values(response, f"{before}Path")[:1] or ["/"]
                found += [
                    arns.get(name) or _iam_arn(response, kind, path, name)
                    for name in parameter_values(response, before + parameter)
                ]
    return found


def _owner(response: Any, signed_with: str) -> str:
    """Return who has the access key that is asked for, or else that a request is signed with."""
    (key,) = parameter_values(response, "AccessKeyId")[:1] or [signed_with]
    users = list(response.backend.users.values())
    found = (u.arn for u in users if any(k.access_key_id == key for k in u.access_keys))
    return str(next(found, UNTOLD_RESOURCE))


def _service_linked_role(response: Any) -> str:
    """Return the role that is to be made, by the name that it gets."""
    (service,) = parameter_values(response, "AWSServiceName") or [""]
    domain = service.split(".")
    # As moto makes it: `sagemaker.application-autoscaling` is ApplicationAutoScaling_Sagemaker...
    owner = domain[-3] if len(domain) > 2 else domain[0]
    name = SERVICE_NAME_CONVERSION.get(owner, owner)
    if owner != domain[0]:
        name += "_" + "".join(part.capitalize() for part in domain[0].split("-"))
    suffix = "".join(f"_{given}" for given in parameter_values(response, "CustomSuffix"))
    path = f"/aws-service-role/{service}/"
    return _iam_arn(response, "role", path, f"AWSServiceRoleFor{name}{suffix}")


def _iam_name(entity: Any) -> str:
    return str(getattr(entity, "name", None) or getattr(entity, "cert_name", ""))


def _iam_arn(response: Any, kind: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{response.current_account}:{kind}{path}{name}"


def named_role(response: Any, name: str) -> Any:
    """Return moto's role of this name, None where there is none."""
    roles = list(response.backend.roles.values())
    return next((role for role in roles if role.name == name), None)


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
    if action == "ImportTable":
        created = response._get_param("TableCreationParameters") or {}
        return [_table(response, str(created.get("TableName", "")))]
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
    if action != "CreateStateMachineAlias":
        return []
    # It names an alias of the versions' state machine.
    routes = response._get_param("routingConfiguration") or []
    return [route.get("stateMachineVersionArn", "").rpartition(":")[0] for route in routes[:1]]


def _sts(response: Any, action: str) -> list[str]:
    start = f"arn:aws:sts::{response.current_account}:federated-user/"
    named = parameter_values(response, "Name") if action == "GetFederationToken" else []
    return [f"{start}{name}" for name in named] or parameter_values(response, "RoleArn")


SPECIAL: dict[str, Callable[[Any, str], list[str]]] = {
    "application-autoscaling": _scaling,
    "budgets": _budgets,
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
    "sts": _sts,
}


# Of services that LOCAL_AWS_SERVICES opens: the parameters that name a resource, and what precedes
# a bare name in its ARN; all must be allowed.
_NAMED: dict[str, tuple[tuple[str, str], ...]] = {
    "secretsmanager": (("SecretId", "secret:"), ("Name", "secret:")),
    "ssm": (("Name", "parameter/"), ("Names", "parameter/"), ("Path", "parameter/")),
}
# These are bounded by their namespace, or by nothing: the data sets that the reference gives them
# as a resource are not of this API.
_WITHOUT_RESOURCE = frozenset(("PutMetricData", "GetMetricData", "ListMetrics"))


def resources_of(response: Any, service: str, action: str) -> list[str]:
    """Return the ARNs that the request is about, `*` where the action has no resource.

    It is UNTOLD_RESOURCE alone where the action has one, and the request does not tell which.
    """
    types = resource_types(service, action_of(service, action))
    special = SPECIAL.get(service)
    if action in _WITHOUT_RESOURCE or (types == {} and action != "DescribeLogGroups"):
        return ANY
    if special is not None and (arns := special(response, action)):
        return arns
    arns = [
        arn(response, service, before, value)
        for name, before in _NAMED.get(service, ())
        for value in parameter_values(response, name)
    ]
    return arns or _by_reference(response, service) or [UNTOLD_RESOURCE]


def _by_reference(response: Any, service: str) -> list[str]:
    """Return the ARNs by the parameters that are called as their parts are in the reference."""
    operation = str(response._get_action())
    named = named_resources(response.boto3_service_name, service, operation)
    names = {name for resource in named.resources for name in resource.sources}
    sent = {name: parameter_values(response, name) for name in names}
    found = [each for one in named.resources for each in _filled(response, service, one, sent)]
    if not found:
        # A version of a layer, say, that is not told.
        found = [
            each
            for one in named.resources
            for each in _filled(response, service, one, sent, missing="*")
        ]
    if not found and named.may_be_all:
        # What lists all is asked for on all, as a policy has it.
        found = [_VARIABLE.sub("*", _placed(response, one)) for one in named.resources]
    return list(dict.fromkeys(found))


def _filled(
    response: Any,
    service: str,
    resource: NamedResource,
    sent: Mapping[str, list[str]],
    missing: str = "",
) -> Iterator[str]:
    """Yield a type's ARNs with what was sent; what is not is `missing`, or there is no ARN."""
    template = _placed(response, resource)
    end = template.split(":", 5)[5]
    given = [value for name in resource.sources for value in sent[name] if _is_arn(value)]
    for value in dict.fromkeys(given):
        full = arn(response, service, "", value)
        if matches(_VARIABLE.sub("*", end), full.split(":", 5)[5]):
            yield full
    parts: list[list[tuple[str, str]]] = []
    for variable, names in resource.variables:
        before = end.partition(f"${{{variable}}}")[0]
        named = [_part(value, before) for name in names for value in sent[name]]
        values = [value for value in named if value] or [missing if parts else ""]
        parts.append([(variable, value) for value in values if value])
    for chosen in itertools.product(*parts):
        full = template
        for variable, value in chosen:
            full = full.replace(f"${{{variable}}}", value)
        arn(response, service, "", full)  # raises NotAName for a value that is no part of a name
        yield full


def _placed(response: Any, resource: NamedResource) -> str:
    """Return an ARN's template with the request's own region and account."""
    placed = resource.template.replace("${Region}", response.region)
    return placed.replace("${Account}", response.current_account)


def _is_arn(value: str) -> bool:
    return value.startswith("arn:") and value.count(":") >= _COLONS


def _part(value: str, before: str) -> str:
    """Return the name in a value, which may be the ARN of what has it; "" for another ARN."""
    if not _is_arn(value):
        return value
    named = value.split(":", 5)[5]
    return re.split("[:/]", named.removeprefix(before))[0] if named.startswith(before) else ""
