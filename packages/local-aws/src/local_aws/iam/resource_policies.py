"""The policies and tags that resources carry, as moto keeps them.

Tags count for the services whose actions take the keys `aws:ResourceTag/...`:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from moto.awslambda.utils import get_backend as functions_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.dynamodb.models import dynamodb_backends
from moto.ecr.models import ecr_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends
from moto.scheduler.models import scheduler_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.responses import get_backend as machines_backend

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.tags import stored_tags
from local_aws.iam.conditions import as_list, statement_keys, tag_values
from local_aws.iam.policy_evaluation import Access, Document
from local_aws.iam.roles import role_of, trust_of

# What a role's trust policy decides on.
TRUST_ACTIONS = frozenset(("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"))


def resource_policy(access: Access) -> Document | None:
    """Return the policy of what is accessed; None when it has none, or is not there."""
    if access.action in TRUST_ACTIONS:
        role = role_of(access.resource)
        return None if role is None else trust_of(role)
    parts = access.resource.split(":", 5)
    find = _FINDERS.get(access.action.partition(":")[0])
    if find is None or len(parts) != 6:
        return None
    source = find(parts[3], access.resource)
    document: Document | None = json.loads(source) if isinstance(source, str | bytes) else source
    return document


def kms_key(key_id: str, region: str) -> Any:
    """Return moto's key for an id, an ARN, an alias or an alias's ARN; None if there is none."""
    backend = kms_backends[ACCOUNT_ID][region]
    try:
        return backend.keys.get(backend.any_id_to_key_id(key_id))
    except Exception:  # moto raises an error of its own for each way of not being there
        return None


def _bucket_policy(_: str, arn: str) -> Any:
    name = arn.split(":::", 1)[-1].split("/", 1)[0]
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
    return getattr(bucket, "policy", None) or None


def _key_policy(region: str, arn: str) -> Any:
    # An alias has none; its key's is evaluated as well.
    return getattr(kms_key(arn, region), "policy", None) if ":key/" in arn else None


def _function_policy(region: str, arn: str) -> Any:
    kind, _, name = arn.split(":", 5)[5].partition(":")
    if kind != "function":  # a layer's policy allows other accounts, and denies nobody
        return None
    name, _, qualifier = name.partition(":")
    try:
        function = functions_backend(ACCOUNT_ID, region).get_function(name, qualifier or None)
    except (JsonRESTError, ServiceException):
        return None
    statements = list(function.policy.statements)
    return {"Statement": statements} if statements else None


def _topic_policy(region: str, arn: str) -> Any:
    return getattr(sns_backends[ACCOUNT_ID][region].topics.get(arn), "policy", None)


def _queue_policy(region: str, arn: str) -> Any:
    queue = sqs_backends[ACCOUNT_ID][region].queues.get(arn.rsplit(":", 1)[-1])
    return getattr(queue, "policy", None) or None


def _bus_policy(region: str, arn: str) -> Any:
    kind, _, name = arn.split(":", 5)[5].partition("/")
    buses = events_backends[ACCOUNT_ID][region].event_buses
    return getattr(buses.get(name), "policy", None) if kind == "event-bus" else None


def _repository_policy(region: str, arn: str) -> Any:
    name = arn.partition(":repository/")[2]
    repository = ecr_backends[ACCOUNT_ID][region].repositories.get(name)
    return getattr(repository, "policy", None) or None


_FINDERS: dict[str, Callable[[str, str], Any]] = {
    "ecr": _repository_policy,
    "events": _bus_policy,
    "kms": _key_policy,
    "lambda": _function_policy,
    "s3": _bucket_policy,
    "sns": _topic_policy,
    "sqs": _queue_policy,
}


_TAG_KEY, _ALIASES_KEY = "aws:resourcetag/", "kms:resourcealiases"
# These services have the same under names of their own.
_OWN_TAG_KEYS = ("ecr:resourcetag/", "iam:resourcetag/", "sagemaker:resourcetag/")
_OBJECT_TAG_KEY = "s3:existingobjecttag/"
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_WITH_OBJECT_TAGS = re.compile(
    r"s3:(GetObject(Version)?(Acl|Tagging)?|(Put|Delete)Object(Version)?Tagging"
    r"|PutObject(Version)?Acl)"
)


def has_resource_conditions(documents: Iterable[Document | None]) -> bool:
    """Return whether any policy asks for a resource's tag, or a key's aliases."""
    return any(
        key.lower().startswith((_TAG_KEY, *_OWN_TAG_KEYS, _ALIASES_KEY, _OBJECT_TAG_KEY))
        for document in documents
        if document is not None
        for statement in as_list(document.get("Statement", []))
        for key in statement_keys(statement)
    )


def resource_values(access: Access) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of the resource's tags, and of a KMS key's aliases.

    There are none for a resource that is not there.
    """
    return {**_tag_values(access), **_alias_values(access), **_object_tag_values(access)}


def _object_tag_values(access: Access) -> dict[str, str]:
    if not _WITH_OBJECT_TAGS.fullmatch(access.action):
        return {}
    bucket, _, key = access.resource.partition(":::")[2].partition("/")
    backend = s3_backends[ACCOUNT_ID]["aws"]
    version = str(access.values.get("s3:versionid") or "") or None
    found = (
        backend.get_object(bucket, key, version_id=version) if bucket in backend.buckets else None
    )
    tags = backend.tagger.get_tag_dict_for_resource(found.arn) if found is not None else {}
    return tag_values(_OBJECT_TAG_KEY, tags.items())


def _alias_values(access: Access) -> dict[str, Sequence[str]]:
    if not access.action.startswith("kms:") or ":key/" not in access.resource:
        return {}
    key = kms_key(access.resource, access.resource.split(":")[3])
    aliases = sorted(key.aliases) if key else ()
    return {_ALIASES_KEY: aliases} if aliases else {}


def _tag_values(access: Access) -> dict[str, str]:
    parts = access.resource.split(":", 5)
    find = _TAG_FINDERS.get(access.action.partition(":")[0])
    if find is None or len(parts) != 6:
        return {}
    try:
        found = find(parts[3], access.resource)
    except Exception:  # moto raises an error of its own for each way of not being there
        return {}
    pairs = found if isinstance(found, Mapping) else {tag["Key"]: tag["Value"] for tag in found}
    tags = [(str(key), str(value)) for key, value in pairs.items()]
    own = f"{access.action.partition(':')[0]}:resourcetag/"
    found = tag_values(_TAG_KEY, tags)
    return {**found, **(tag_values(own, tags) if own in _OWN_TAG_KEYS else {})}


def _without_qualifier(arn: str) -> str:
    """Return the ARN whose tags a version or an alias has."""
    return ":".join(arn.split(":")[:7])


def _function_tags(region: str, arn: str) -> Any:
    return functions_backend(ACCOUNT_ID, region).list_tags(_without_qualifier(arn))


def _sagemaker_tags(region: str, arn: str) -> Any:
    return sagemaker_backends[ACCOUNT_ID][region].list_tags(arn)[0]  # the second is a page's token


def _state_machine_tags(region: str, arn: str) -> Any:
    tagger = machines_backend(ACCOUNT_ID, region).tagger
    return tagger.get_tag_dict_for_resource(_without_qualifier(arn))


def _key_tags(region: str, arn: str) -> Any:
    found = kms_backends[ACCOUNT_ID][region].list_resource_tags(arn)["Tags"]
    return [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in found]


def _queue_tags(region: str, arn: str) -> Any:
    return sqs_backends[ACCOUNT_ID][region].queues[arn.rsplit(":", 1)[-1]].tags


def _topic_tags(region: str, arn: str) -> Any:
    return sns_backends[ACCOUNT_ID][region].list_tags_for_resource(arn)


def _log_group_tags(region: str, arn: str) -> Any:
    group, tagger = arn.partition(":log-stream:")[0], logs_backends[ACCOUNT_ID][region].tagger
    # A group is tagged by either of its ARNs.
    return {**tagger.get_tag_dict_for_resource(f"{group}:*"), **_tagged(tagger, group)}


def _tagged(tagger: Any, arn: str) -> dict[str, str]:
    return dict(tagger.get_tag_dict_for_resource(arn))


def _table_tags(region: str, arn: str) -> Any:
    name = arn.partition(":table/")[2].partition("/")[0]
    return dynamodb_backends[ACCOUNT_ID][region].tables[name].tags


def _iam_tags(_: str, arn: str) -> Any:
    """Return the tags of a role, instance profile, policy or provider, else those of a user."""
    backend = iam_backends[ACCOUNT_ID]["aws"]
    named: list[Any] = [*backend.roles.values(), *backend.instance_profiles.values()]
    found = next((one for one in named if one.arn == arn), None)
    found = found or backend.managed_policies.get(arn) or backend.open_id_providers.get(arn)
    if found is None:
        return _tagged(backend.tagger, arn)
    return list(found.tags.values()) if isinstance(found.tags, Mapping) else found.tags


_TAG_FINDERS: dict[str, Callable[[str, str], Any]] = {
    "application-autoscaling": lambda _, arn: stored_tags("application-autoscaling", arn),
    "budgets": lambda _, arn: stored_tags("budgets", arn),
    "cloudwatch": lambda region, arn: _tagged(cloudwatch_backends[ACCOUNT_ID][region].tagger, arn),
    "dynamodb": _table_tags,
    "ecr": lambda region, arn: _tagged(ecr_backends[ACCOUNT_ID][region].tagger, arn),
    "events": lambda region, arn: _tagged(events_backends[ACCOUNT_ID][region].tagger, arn),
    "iam": _iam_tags,
    "kms": _key_tags,
    "lambda": _function_tags,
    "logs": _log_group_tags,
    "sagemaker": _sagemaker_tags,
    "scheduler": lambda region, arn: _tagged(scheduler_backends[ACCOUNT_ID][region].tagger, arn),
    "sns": _topic_tags,
    "sqs": _queue_tags,
    "states": _state_machine_tags,
    # A role that is taken: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
    "sts": _iam_tags,
}
