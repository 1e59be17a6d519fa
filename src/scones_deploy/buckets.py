"""Buckets, repositories and model groups that are emptied, so that they can be removed."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from scones_core.errors import DeployError


def empty_bucket(s3: Any, bucket: str, told: Callable[[int], None] = lambda _: None) -> int:
    """Delete every version, delete marker and unfinished upload; return how many objects went.

    `told` is called with the number so far. Raises DeployError where S3 refuses one.
    """
    gone = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not objects:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            raise DeployError(
                f"{bucket} cannot be emptied: {errors[0]['Key']}: {errors[0].get('Message')}"
            )
        gone += len(objects)
        told(gone)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return gone


def empty_repository(ecr: Any, repository: str) -> int:
    """Delete every image of a repository, and return how many there were."""
    images = [
        image
        for page in ecr.get_paginator("list_images").paginate(repositoryName=repository)
        for image in page["imageIds"]
    ]
    for first in range(0, len(images), 100):
        ecr.batch_delete_image(repositoryName=repository, imageIds=images[first : first + 100])
    return len(images)


def empty_model_group(sagemaker: Any, group: str) -> int:
    """Delete every model package of a group, and return how many there were."""
    packages = [
        item["ModelPackageArn"]
        for page in sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group
        )
        for item in page["ModelPackageSummaryList"]
    ]
    for arn in packages:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(packages)


def is_missing(error: ClientError) -> bool:
    """Return whether an error says that there is no such resource."""
    code = error.response.get("Error", {}).get("Code", "")
    words = error.response.get("Error", {}).get("Message", "").lower()
    named = any(
        word in code for word in ("NotFound", "NoSuch", "DoesNotExist", "NonExistent", "404")
    )
    return named or (
        code == "ValidationException" and ("could not find" in words or "does not exist" in words)
    )
