"""The tags of what is accessed, for the condition keys `aws:ResourceTag/...`.

Only the services that moto keeps tags for and whose actions take the key:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.awslambda.utils import get_backend as functions_backend
from moto.kms.models import kms_backends
from moto.sagemaker.models import sagemaker_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.responses import get_backend as machines_backend

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.conditions import as_list
from local_aws.iam.policy import Access, Document

_KEY = "aws:resourcetag/"


def mention_tags(documents: Iterable[Document | None]) -> bool:
    """Return whether a condition of any policy asks for a resource's tag."""
    return any(
        key.lower().startswith(_KEY)
        for document in documents
        if document is not None
        for statement in as_list(document.get("Statement", []))
        for keys in (statement.get("Condition") or {}).values()
        for key in keys
    )


def tag_values(access: Access) -> dict[str, str]:
    """Return the condition keys of the resource's tags; none for a resource that is not there."""
    parts = access.resource.split(":", 5)
    find = _FINDERS.get(access.action.partition(":")[0])
    if find is None or len(parts) != 6:
        return {}
    try:
        found = find(parts[3], access.resource)
    except Exception:  # moto raises an error of its own for each way of not being there
        return {}
    pairs = found if isinstance(found, Mapping) else {tag["Key"]: tag["Value"] for tag in found}
    return {f"{_KEY}{key.lower()}": str(value) for key, value in pairs.items()}


def _without_qualifier(arn: str) -> str:
    """Return the ARN whose tags a version or an alias has."""
    return ":".join(arn.split(":")[:7])


def _function(region: str, arn: str) -> Any:
    return functions_backend(ACCOUNT_ID, region).list_tags(_without_qualifier(arn))


def _sagemaker(region: str, arn: str) -> Any:
    return sagemaker_backends[ACCOUNT_ID][region].list_tags(arn)[0]  # the second is a page's token


def _machine(region: str, arn: str) -> Any:
    tagger = machines_backend(ACCOUNT_ID, region).tagger
    return tagger.get_tag_dict_for_resource(_without_qualifier(arn))


def _key(region: str, arn: str) -> Any:
    found = kms_backends[ACCOUNT_ID][region].list_resource_tags(arn)["Tags"]
    return [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in found]


def _queue(region: str, arn: str) -> Any:
    return sqs_backends[ACCOUNT_ID][region].queues[arn.rsplit(":", 1)[-1]].tags


def _topic(region: str, arn: str) -> Any:
    return sns_backends[ACCOUNT_ID][region].list_tags_for_resource(arn)


_FINDERS: dict[str, Callable[[str, str], Any]] = {
    "kms": _key,
    "lambda": _function,
    "sagemaker": _sagemaker,
    "sns": _topic,
    "sqs": _queue,
    "states": _machine,
}
