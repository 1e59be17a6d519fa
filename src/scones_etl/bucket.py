"""The data bucket as the upload sees it: what it holds, and objects put with their checksum."""

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import DatasetError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TYPES = {
    "png": "image/png",
    "lst": "text/tab-separated-values",
    "rec": "application/x-recordio",
    "idx": "text/tab-separated-values",
    "json": "application/json",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What a listing says of an object."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket; each method raises DatasetError, which says what to do."""

    s3: "S3Client"
    name: str
    kms_key_id: str | None

    def listing(self, prefix: str) -> dict[str, Stored]:
        """Return what is stored below a prefix, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with told(self.name, f"s3://{self.name}/{prefix} cannot be listed"):
            return {
                item["Key"]: Stored(item["Size"], item["ETag"].strip('"'))
                for page in pages
                for item in page.get("Contents", [])
            }

    def holds(self, key: str, body: bytes, stored: Stored) -> bool:
        """Return whether a listed object is `body`.

        An ETag is the MD5 only without KMS; where it is not, S3's own SHA-256 decides.
        """
        if stored.size != len(body):
            return False
        if stored.etag == hashlib.md5(body, usedforsecurity=False).hexdigest():
            return True
        with told(self.name, f"s3://{self.name}/{key} cannot be checked"):
            head = self.s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        return head.get("ChecksumSHA256") == _checksum(body)

    def put(self, key: str, body: bytes) -> None:
        """Write an object; S3 refuses it unless its SHA-256 is that of the body."""
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}
        with told(self.name, f"s3://{self.name}/{key} cannot be written"):
            self.s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                ContentType=_TYPES[key.rpartition(".")[2]],
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_checksum(body),
                **(encryption if self.kms_key_id else {}),  # type: ignore[arg-type]
            )

    def delete(self, key: str) -> None:
        """Delete an object."""
        with told(self.name, f"s3://{self.name}/{key} cannot be deleted"):
            self.s3.delete_object(Bucket=self.name, Key=key)


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


_ADVICE = {
    "NoSuchBucket": "the bucket {bucket} does not exist; apply the Terraform first",
    "404": "the bucket {bucket} or the object does not exist; apply the Terraform first",
    "AccessDenied": "access was denied; check the credentials and the rights on {bucket}",
    "403": "access was denied; check the credentials and the rights on {bucket}",
}


@contextlib.contextmanager
def told(bucket: str, what: str) -> Iterator[None]:
    """Turn the errors of boto3 into a DatasetError that says what failed and what to do."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        why = _ADVICE[code].format(bucket=bucket) if code in _ADVICE else str(error)
        raise DatasetError(f"{what}: {why}.") from error
    except BotoCoreError as error:
        raise DatasetError(
            f"{what}: {error}. Check the network, the credentials and AWS_ENDPOINT_URL."
        ) from error
