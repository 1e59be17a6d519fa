"""The keys of log groups: one that does not let the group's logs use it is refused.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
"""

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.exceptions import ResourceNotFoundException

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import add, patch
from local_aws.eventbridge.delivery import DeliveryFailed, Sender
from local_aws.iam.resource_policies import kms_key

_NEEDED = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")

_CONTEXT = "kms:encryptioncontext:aws:logs:arn"


@patch("moto.logs.models.LogsBackend.create_log_group", why="takes any key")
def create(original: Any, backend: Any, name: str, tags: Any, **more: Any) -> Any:
    """Make a log group, with a key that it may use."""
    if (key_id := more.get("kmsKeyId")) and name not in backend.groups:
        _require_key(backend.region_name, name, key_id)
    return original(backend, name, tags, **more)


@add("moto.logs.responses.LogsResponse.associate_kms_key", why="is missing")
def associate(response: Any) -> str:
    """Answer AssociateKmsKey."""
    group, key_id = _group(response), response._get_param("kmsKeyId")
    _require_key(response.region, group.name, key_id)
    group.kms_key_id = key_id
    return ""


@add("moto.logs.responses.LogsResponse.disassociate_kms_key", why="is missing")
def disassociate(response: Any) -> str:
    """Answer DisassociateKmsKey."""
    _group(response).kms_key_id = None
    return ""


def _group(response: Any) -> Any:
    group = response.logs_backend.groups.get(response._get_param("logGroupName"))
    if group is None:
        raise ResourceNotFoundException
    return group


def _require_key(region: str, group: str, key_id: str) -> None:
    arn = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{group}"
    sender, key = Sender(f"logs.{region}.amazonaws.com", arn), kms_key(key_id, region)
    try:
        if key is None:
            raise DeliveryFailed("NO_RESOURCE", f"There is no key {key_id}.")
        for action in _NEEDED:
            sender.require(action, key.arn, {_CONTEXT: arn})
    except DeliveryFailed as error:
        raise JsonRESTError(
            "AccessDeniedException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        ) from error
