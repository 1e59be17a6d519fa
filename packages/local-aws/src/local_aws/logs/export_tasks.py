"""Exports of log events to a bucket, whose policy must let CloudWatch Logs write there.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3ExportTasks.html
"""

from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.s3.models import s3_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch
from local_aws.eventbridge.delivery import DeliveryFailed, Sender
from local_aws.iam.s3_requests import object_arn


@patch(
    "moto.logs.models.LogsBackend.create_export_task",
    why="writes to a bucket that does not let CloudWatch Logs do so",
)
def create_export_task(original: Any, backend: Any, **given: Any) -> Any:
    """Export a group's events to a bucket that takes them."""
    bucket, group = given["destination"], given["logGroupName"]
    if bucket in s3_backends[ACCOUNT_ID]["aws"].buckets and group in backend.groups:
        region = backend.region_name
        source = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{group}:*"
        sender = Sender(f"logs.{region}.amazonaws.com", source)
        _require(sender, "GetBucketAcl", object_arn(bucket, None))
        _require(sender, "PutObject", object_arn(bucket, f"{given['destinationPrefix']}/"))
    return original(backend, **given)


def _require(sender: Sender, operation: str, resource: str) -> None:
    try:
        sender.require(f"s3:{operation}", resource)
    except DeliveryFailed as error:
        raise InvalidParameterException(
            f"{operation} call on the given bucket failed. Please check if CloudWatch Logs has "
            "been granted permission to perform this operation."
        ) from error
