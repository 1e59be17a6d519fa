"""The policies that resources carry: buckets, keys, functions, topics, queues, roles."""

import json
from collections.abc import Callable
from typing import Any

from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.policy import Access, Document
from local_aws.iam.roles import role_of, trust_of


def resource_policy(access: Access) -> Document | None:
    """Return the policy of what is accessed; None when it has none, or is not there."""
    if access.action == "sts:AssumeRole":
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
    # An alias has none; its key's is asked beside it.
    return getattr(kms_key(arn, region), "policy", None) if ":key/" in arn else None


def _function_policy(region: str, arn: str) -> Any:
    name, _, qualifier = arn.split(":", 6)[6].partition(":")
    try:
        function = get_backend(ACCOUNT_ID, region).get_function(name, qualifier or None)
    except (JsonRESTError, ServiceException):
        return None
    statements = list(function.policy.statements)
    return {"Statement": statements} if statements else None


def _topic_policy(region: str, arn: str) -> Any:
    return getattr(sns_backends[ACCOUNT_ID][region].topics.get(arn), "policy", None)


def _queue_policy(region: str, arn: str) -> Any:
    queue = sqs_backends[ACCOUNT_ID][region].queues.get(arn.rsplit(":", 1)[-1])
    return getattr(queue, "policy", None) or None


_FINDERS: dict[str, Callable[[str, str], Any]] = {
    "kms": _key_policy,
    "lambda": _function_policy,
    "s3": _bucket_policy,
    "sns": _topic_policy,
    "sqs": _queue_policy,
}
