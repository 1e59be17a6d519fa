"""Objects of S3 that the functions read besides images, and conditions on an image's version."""

from typing import TypedDict

from scones_core.errors import SettingsError, WorkflowError
from scones_core.events import ImageRef
from scones_core.uris import S3Uri
from scones_lambdas.clients import s3
from scones_lambdas.faults import SERVICE_FAULTS, storage_fault

SETTING_BYTES_LIMIT = 1 << 20


class Location(TypedDict, total=False):
    """An object as GetObject takes it."""

    Bucket: str
    Key: str
    VersionId: str


def location(image: ImageRef) -> Location:
    """Return an image's object, of its version where one is named."""
    where: Location = {"Bucket": image["bucket"], "Key": image["key"]}
    return {**where, "VersionId": image["version"]} if "version" in image else where


def read_setting(uri: S3Uri) -> str:
    """Return the text of an object that holds labels or assignments.

    Raises SettingsError where it is absent, EndpointThrottled or EndpointUnavailable where another
    try may help.
    """
    try:
        response = s3().get_object(Bucket=uri.bucket, Key=uri.key)
        return response["Body"].read(SETTING_BYTES_LIMIT).decode()
    except SERVICE_FAULTS as error:
        fault = storage_fault(error, {"bucket": uri.bucket, "key": uri.key})
        if isinstance(fault, WorkflowError) and fault.retryable:
            raise fault from error
        raise SettingsError(
            f"The function's setting {uri} cannot be read; apply the Terraform again: {fault}"
        ) from error
