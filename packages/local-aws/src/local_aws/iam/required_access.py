"""Access that a request requires, but for S3: actions, resources, condition keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local_aws.core.clock import CLOCK
from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.authorization_reference import action_of
from local_aws.iam.condition_keys import UNTOLD
from local_aws.iam.conditions import tag_values
from local_aws.iam.leading_keys import leading_keys
from local_aws.iam.pass_role import handed_roles
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.resources import (
    arn,
    input_names,
    mapped_functions,
    named_role,
    parameter_values,
    resources_of,
    transacted,
)

# Signing names that are not the prefix of the service's actions.
_PREFIXES = {"monitoring": "cloudwatch", "email": "ses", "tagging": "tag"}
# These are always allowed.
_FREE = frozenset((("sts", "GetCallerIdentity"),))


def service_prefix(signing_name: str) -> str:
    """Return the prefix of a service's actions for the name that its requests are signed for."""
    return _PREFIXES.get(signing_name, signing_name)


def request_accesses(response: Any, signing_name: str) -> list[Access]:
    """Return what the caller of a request must be allowed, in the order of the checks."""
    service, operation = service_prefix(signing_name), str(response._get_action() or "")
    if (service, operation) in _FREE:
        return []
    tags = request_tags(response, operation)
    common = common_values(response.region, response.headers)
    values = {**common, **request_values(response, service, tags)}
    operations = transacted(response, service, operation) or [
        (action_of(service, operation), resource)
        for resource in resources_of(response, service, operation)
    ]
    found = [Access(f"{service}:{action}", resource, values) for action, resource in operations]
    if tags and (tagging := tagging_action(service, operation)):
        # The tags are those of what is created, which is named first.
        tagged = resources_of(response, service, tagging)[0]
        found.append(Access(f"{service}:{action_of(service, tagging)}", tagged, values))
    if service == "tag" and operation in _TAG_OF:
        found += [
            Access(f"{tagged.split(':')[2]}:{action}", tagged, values)
            for tagged in parameter_values(response, "ResourceARNList")
            if (action := _tag_of(tagged, operation))
        ]
    if service == "lambda" and operation in _LAYERED:
        # https://docs.aws.amazon.com/lambda/latest/dg/permissions-user-function.html
        layers = parameter_values(response, "Layers")
        named = [arn(response, "lambda", "layer:", layer) for layer in layers]
        found += [Access("lambda:GetLayerVersion", layer, values) for layer in named]
    if "sts:sourceidentity" in values:
        found += [Access("sts:SetSourceIdentity", each.resource, values) for each in found[:1]]
    for handed in handed_roles(response, service, operation):
        passed = {**values, "iam:passedtoservice": handed.service}
        found.append(Access("iam:PassRole", handed.role_arn, passed))
    return found


_LAYERED = ("CreateFunction", "UpdateFunctionConfiguration")
# What a change of tags through the Tagging API asks for besides, by the service of the resource.
# https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_TagResources.html
_TAG_OF = {
    "TagResources": {"s3": "PutBucketTagging", "sagemaker": "AddTags", "sqs": "TagQueue"},
    "UntagResources": {"s3": "PutBucketTagging", "sagemaker": "DeleteTags", "sqs": "UntagQueue"},
}


def _tag_of(arn: str, operation: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    verb = operation.removesuffix("Resources")
    if parts[2] == "iam":
        return verb + parts[5].partition("/")[0].title()
    return _TAG_OF[operation].get(parts[2], f"{verb}Resource")


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """Return whether a request counts as sent with TLS.

    None is, on one machine. So each counts as if it were, but for one with the header with which
    proxies say what reached them: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-Proto
    """
    return headers.get("X-Forwarded-Proto", "https").lower() != "http"


# The condition keys that headers of a request are the values of.
_HEADER_KEYS = {"Referer": "aws:referer", "User-Agent": "aws:useragent"}
# Others that keys are made of.
_CONDITION_HEADERS = ("Authorization", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Forwarded-Proto")


def condition_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a WSGI request that conditions are about."""
    names = (*_CONDITION_HEADERS, *_HEADER_KEYS)
    sent = {name: environ.get(f"HTTP_{name.upper().replace('-', '_')}") for name in names}
    return {name: str(value) for name, value in sent.items() if value is not None}


def common_values(region: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys that every request has; the time is the embedded AWS's."""
    now = CLOCK.now()
    sent = {key: headers[name] for name, key in _HEADER_KEYS.items() if headers.get(name)}
    return {
        **sent,
        "aws:requestedregion": region,
        "aws:resourceaccount": ACCOUNT_ID,
        "aws:securetransport": "true" if is_encrypted(headers) else "false",
        "aws:sourceip": "127.0.0.1",
        "aws:viaawsservice": "false",
        "aws:currenttime": now.isoformat(timespec="seconds"),
        "aws:epochtime": str(int(now.timestamp())),
    }


_PARAMETERS = {
    "application-autoscaling": {
        "ScalableDimension": "application-autoscaling:scalable-dimension",
        "ServiceNamespace": "application-autoscaling:service-namespace",
    },
    "cloudwatch": {"Namespace": "cloudwatch:namespace"},
    "iam": {"AWSServiceName": "iam:awsservicename"},
    "kms": {
        "GranteePrincipal": "kms:granteeprincipal",
        "PendingWindowInDays": "kms:schedulekeydeletionpendingwindowindays",
        "RetiringPrincipal": "kms:retiringprincipal",
    },
    "lambda": {"AuthType": "lambda:functionurlauthtype", "Principal": "lambda:principal"},
    "sns": {"Endpoint": "sns:endpoint", "Protocol": "sns:protocol"},
    "sts": {
        "DurationSeconds": "sts:durationseconds",
        "ExternalId": "sts:externalid",
        "RoleSessionName": "sts:rolesessionname",
        "SourceIdentity": "sts:sourceidentity",
    },
}
# Services spell tags in a list of pairs in three ways.
_PAIRS = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))
# The operations that give tags; a look into others' bodies would cost time for nothing.
_TAGGING = ("AddTags", "AssumeRole", "Create", "PutMetricAlarm", "PutRule", "Register", "Tag")


def request_values(
    response: Any, service: str, tags: Mapping[str, str]
) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of a request to a service, by the prefix of its actions.

    `tags` are those that the request gives.
    """
    found: dict[str, str | Sequence[str]] = {
        key: value
        for parameter, key in _PARAMETERS.get(service, {}).items()
        for value in parameter_values(response, parameter)
    }
    for mapped in mapped_functions(response, service):
        found["lambda:functionarn"] = mapped
    if service == "kms":
        # Only other AWS services create grants on behalf of a caller.
        found["kms:grantisforawsresource"] = "false"
        found["kms:calleraccount"] = ACCOUNT_ID
        found |= encryption_context(response._get_param("EncryptionContext"))
    if service == "dynamodb":
        known = leading_keys(response, str(response._get_action()))
        found["dynamodb:leadingkeys"] = UNTOLD if known is None else known
    if service == "lambda" and (layers := parameter_values(response, "Layers")):
        found["lambda:layer"] = layers
    if service == "sts" and (passed := parameter_values(response, "TransitiveTagKeys")):
        found["sts:transitivetagkeys"] = passed
    if service == "iam" and str(response._get_action()).startswith(("Attach", "Detach")):
        # For what makes or changes the policy itself, it has no value.
        found["iam:policyarn"] = parameter_values(response, "PolicyArn")
    if service == "iam" and (boundary := _boundary(response)):
        found["iam:permissionsboundary"] = boundary
    if tags:
        found["aws:tagkeys"] = list(tags)
    return {**found, **tag_values("aws:requesttag/", tags.items())}


def encryption_context(context: Any) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of the context that something is encrypted in.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
    """
    if not isinstance(context, Mapping) or not context:
        return {}
    pairs = {f"kms:encryptioncontext:{str(key).lower()}": str(context[key]) for key in context}
    return {**pairs, "kms:encryptioncontextkeys": [str(key) for key in context]}


def _boundary(response: Any) -> str:
    """Return the boundary that a role or user is to get, else the one that the changed one has."""
    for given in parameter_values(response, "PermissionsBoundary"):
        return given
    changed = [named_role(response, name) for name in parameter_values(response, "RoleName")]
    users = response.backend.users
    changed += [users.get(name) for name in parameter_values(response, "UserName")]
    found = (getattr(one, "permissions_boundary_arn", None) for one in changed)
    return next((str(arn) for arn in found if arn), "")


def request_tags(response: Any, operation: str) -> dict[str, str]:
    """Return the tags that a request gives to what it makes or tags."""
    if not operation.startswith(_TAGGING):
        return {}
    known = input_names(response, operation)
    for name in ("Tags", "tags", "ResourceTags"):
        given = response._get_param(name) if name in known else None
        if isinstance(given, Mapping):
            return {str(key): str(value) for key, value in given.items()}
        if isinstance(given, list) and given:
            return dict(_pairs(given))
    return {}


def tagging_action(service: str, operation: str) -> str:
    """Return the action that tags given with a creation need as well; "" for no creation.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
    """
    if operation.startswith(("AddTags", "Tag")):
        return ""
    if service == "iam":
        return "Tag" + operation.removeprefix("Create")
    return {"sagemaker": "AddTags", "sqs": "TagQueue", "sts": "TagSession"}.get(
        service, "TagResource"
    )


def _pairs(given: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for tag in given:
        for key, value in _PAIRS:
            if isinstance(tag, Mapping) and key in tag:
                yield str(tag[key]), str(tag.get(value, ""))
