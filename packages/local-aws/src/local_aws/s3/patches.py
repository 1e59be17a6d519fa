"""What is changed in moto's S3; each module declares its own patches."""

from local_aws.core.context import Context
from local_aws.s3 import bucket_configuration, notifications, parts, requests, versions, writes

PATCHED = (bucket_configuration, notifications, parts, requests, versions, writes)


def install(context: Context) -> None:
    """Do nothing more: the patches need nothing of the running server."""
    del context
