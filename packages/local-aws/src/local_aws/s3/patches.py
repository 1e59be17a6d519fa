"""What is changed in moto's S3; each module declares its own patches."""

from local_aws.core.context import Context
from local_aws.s3 import (
    bucket_configuration,
    chunked_bodies,
    conditions,
    cors,
    listing,
    malformed_requests,
    notifications,
    object_lock,
    parts,
    requests,
    versions,
    writes,
)
from local_aws.s3.reads import with_reads

PATCHED = (
    *(bucket_configuration, chunked_bodies, conditions, cors, listing, notifications, parts),
    *(requests, object_lock, versions),
    *(writes, malformed_requests),
)


def install(context: Context) -> None:
    """Have plain reads of objects answered before moto."""
    context.fronts.append(with_reads)
