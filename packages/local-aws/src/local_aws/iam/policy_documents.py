"""Policies that services take: a document that is none must not be kept.

Each later request that it decides on would fail, those of the administrator too, and an effect that
is spelt wrongly would decide as another.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.iam.models import iam_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.refusals import refuse_action
from local_aws.iam.condition_keys import is_known
from local_aws.iam.conditions import as_list, is_operator, statement_keys

_VERSIONS = ("2012-10-17", "2008-10-17")
_EITHER = (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal"))
_SID = re.compile(r"[0-9A-Za-z]*")
_PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")


def policy_problem(text: str | bytes) -> str:
    """Return what is wrong with a policy's text by the grammar of policies, "" for nothing."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error})"
    if not isinstance(document, dict):
        return "it is not an object"
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        return f"its Version is not one of {', '.join(_VERSIONS)}"
    if "Statement" not in document:
        return "it has no Statement"
    problems = (_statement_problem(one) for one in as_list(document["Statement"]))
    return next((problem for problem in problems if problem), "")


def _statement_problem(statement: Any) -> str:
    if not isinstance(statement, dict):
        return "a statement is not an object"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "a statement's Effect is neither Allow nor Deny"
    for names in _EITHER:
        given = [name for name in names if name in statement]
        if len(given) > 1 or (not given and names[0] == "Action"):
            return f"a statement has not one of {' and '.join(names)}"
        if given and not _is_element(given[0], statement[given[0]]):
            return f"a statement's {given[0]} is not of the form that it may have"
    return _condition_problem(statement.get("Condition", {}))


def _is_element(name: str, value: Any) -> bool:
    if "Principal" not in name:
        return _are_texts(value)
    if not isinstance(value, Mapping):
        return bool(value == "*")
    return all(kind in _PRINCIPALS and _are_texts(named) for kind, named in value.items())


def _are_texts(value: Any) -> bool:
    return all(isinstance(one, str) for one in as_list(value))


def _condition_problem(condition: Any) -> str:
    if not isinstance(condition, Mapping):
        return "a statement's Condition is not an object"
    for name, keys in condition.items():
        if not is_operator(name):
            return f"{name} is no operator of conditions"
        if not isinstance(keys, Mapping):
            return f"the keys of {name} are not an object"
        for value in (one for given in keys.values() for one in as_list(given)):
            if not isinstance(value, str | int | float | bool):
                return f"a value of {name} is neither a text, a number nor a boolean"
    return ""


def _identity_problem(text: str) -> str:
    """Return what a policy of a user, group or role must not have, "" for nothing.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
    """
    try:
        statements = as_list(json.loads(text)["Statement"])
    except (ValueError, TypeError, KeyError, RecursionError):  # moto says what is wrong
        return ""
    for statement in (one for one in statements if isinstance(one, Mapping)):
        if statement.keys() & {"Principal", "NotPrincipal"}:
            return "Policy document should not specify a principal."
        if not _SID.fullmatch(str(statement.get("Sid") or "")):
            return (
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
                f"regular expression {_SID.pattern}"
            )
    return ""


# An account, or what is of another account or of a session: nobody here knows whether it is there.
_UNKNOWN = re.compile(
    rf"\*|[0-9]{{12}}|arn:aws[a-z-]*:(iam::[0-9]{{12}}:root|iam::(?!{ACCOUNT_ID})[0-9]{{12}}:.+"
    r"|sts::[0-9]{12}:.+)"
)


def invalid_principal(document: Any) -> str:
    """Return the first role or user that a valid policy names and that does not exist, or "".

    IAM refuses these, as a name that somebody may take later:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    backend = iam_backends[ACCOUNT_ID]["aws"]
    known: set[str] = set()
    for name in _aws_principals(document):
        if _UNKNOWN.fullmatch(name):
            continue
        if not known:
            owners: list[Any] = [*list(backend.roles.values()), *list(backend.users.values())]
            known = {name for one in owners for name in (one.arn, one.id)}
        if name not in known:
            return name
    return ""


def _aws_principals(document: Any) -> Iterator[str]:
    for statement in as_list(document["Statement"]):
        for name in ("Principal", "NotPrincipal"):
            given = statement.get(name)
            if isinstance(given, Mapping):
                yield from as_list(given.get("AWS", []))


def tell_unknown_keys(text: str | bytes) -> None:
    """Write to the log which condition keys of a policy have no value here, whatever is asked."""
    if policy_problem(text):
        return
    for statement in as_list(json.loads(text)["Statement"]):
        actions = as_list(statement.get("Action", []))
        services = {action.partition(":")[0].lower() for action in actions} - {"*"}
        for key in statement_keys(statement):
            own = key.partition(":")[0].lower()
            for service in services if own == "aws" else (own,):
                is_known(key, service)


Find = Callable[[Any], Any]


def _parameter(name: str) -> Find:
    return lambda response: response._get_param(name)


def _attribute(response: Any) -> Any:
    attributes = response._get_param("Attributes")
    return attributes.get("Policy") if isinstance(attributes, Mapping) else None


def _named_attribute(response: Any) -> Any:
    is_policy = response._get_param("AttributeName") == "Policy"
    return response._get_param("AttributeValue") if is_policy else None


# How a request's policy is found, and the code that the service refuses it with.
_POLICIES: dict[tuple[str, str], tuple[Find, str]] = {
    ("ecr", "SetRepositoryPolicy"): (_parameter("policyText"), "InvalidParameterException"),
    ("events", "PutPermission"): (_parameter("Policy"), "ValidationException"),
    ("iam", "CreateRole"): (_parameter("AssumeRolePolicyDocument"), "MalformedPolicyDocument"),
    ("iam", "UpdateAssumeRolePolicy"): (_parameter("PolicyDocument"), "MalformedPolicyDocument"),
    ("kms", "CreateKey"): (_parameter("Policy"), "MalformedPolicyDocumentException"),
    ("kms", "PutKeyPolicy"): (_parameter("Policy"), "MalformedPolicyDocumentException"),
    ("logs", "PutResourcePolicy"): (_parameter("policyDocument"), "InvalidParameterException"),
    ("sns", "CreateTopic"): (_attribute, "InvalidParameter"),
    ("sns", "SetTopicAttributes"): (_named_attribute, "InvalidParameter"),
    ("sqs", "CreateQueue"): (_attribute, "InvalidAttributeValue"),
    ("sqs", "SetQueueAttributes"): (_attribute, "InvalidAttributeValue"),
}


def _trust_problem(text: str) -> str:
    """Return what a role's trust must not have: it is about the role itself."""
    statements = as_list(json.loads(text)["Statement"])
    wrong = (name for one in statements for name in ("Resource", "NotResource") if name in one)
    name = next(wrong, "")
    return f"Has prohibited field {name}" if name else ""


# moto says what else is wrong with these.
_IDENTITY_POLICIES = frozenset(
    ("iam", operation)
    for operation in (
        *("CreatePolicy", "CreatePolicyVersion", "PutGroupPolicy", "PutRolePolicy"),
        "PutUserPolicy",
    )
)


# What a service says of a role or user that does not exist; CloudWatch Logs looks for none.
_NOBODY = {
    "ecr": "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'",
    "events": "Invalid principal in policy: {}",
    "iam": 'Invalid principal in policy: "AWS":"{}"',
    "kms": "Policy contains a statement with one or more invalid principals.",
    "sns": "Invalid parameter: Policy Error: PrincipalNotFound",
    "sqs": "Invalid value for the parameter Policy.",
}


def refuse_malformed_policy(original: Any, response: Any) -> Any:
    """Answer 400 to a policy that is none; S3's is refused where a bucket gets it."""
    asked = (response.boto3_service_name, str(response._get_action()))
    known = _POLICIES.get(asked)
    if asked in _IDENTITY_POLICIES:
        given = str(response._get_param("PolicyDocument"))
        tell_unknown_keys(given)
        if problem := _identity_problem(given):
            return refuse_action(response, "MalformedPolicyDocument", problem)
    if known is None:
        return original(response)
    find, code = known
    text = find(response)
    problem = policy_problem(text) if text else ""
    if text and not problem and response.boto3_service_name == "iam":
        problem = _trust_problem(text)
    if problem:
        sentence = f"Invalid parameter: the policy is not valid: {problem}."
        return refuse_action(response, code, sentence)
    if text:
        tell_unknown_keys(text)
    nobody = invalid_principal(json.loads(text)) if text else ""
    if nobody and response.boto3_service_name in _NOBODY:
        sentence = _NOBODY[response.boto3_service_name].format(nobody)
        return refuse_action(response, code, sentence)
    return original(response)
