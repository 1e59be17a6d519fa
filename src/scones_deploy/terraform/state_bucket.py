"""The bucket of Terraform's state, and the lock in it.

Its name is in `backend.hcl`; it is made here for the embedded AWS.

In an AWS account it is there before the first plan, with encryption and access rules.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
else:
    S3Client = Any


ATTRIBUTE = re.compile(r'^\s*(\w+)\s*=\s*(?:"([^"$\\]*)"|(true|false|\d+))\s*(?:(?:#|//).*)?$')
LOCK_SUFFIX = ".tflock"
MAX_LOCK_BYTES = 1 << 16
COMMENT = re.compile(r"^\s*(?:(?:#|//).*)?$")


def backend_settings(path: Path) -> dict[str, str]:
    """Return the attributes of a `backend.hcl` as texts: `bucket`, `key`, `region`, ...

    A partial backend configuration is a list of `name = "literal"`; raises DeployError for
    any other line, or a missing file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"The backend settings {path} cannot be read: {error}.") from error
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if COMMENT.match(line):
            continue
        found = ATTRIBUTE.match(line)
        if not found:
            raise DeployError(f'{path}:{number} must have the form name = "value".')
        settings[found[1]] = found[2] if found[2] is not None else found[3]
    return settings


def backend_bucket(path: Path) -> str:
    """Return the bucket that a `backend.hcl` names; raises DeployError where it names none."""
    bucket = backend_settings(path).get("bucket")
    if not bucket:
        raise DeployError(f'{path} names no bucket; add bucket = "<the bucket of the state>".')
    return bucket


@dataclass(frozen=True, slots=True)
class StateLock:
    """A lock on a state: its id, who took it, for which operation, and when (UTC, as written)."""

    id: str
    who: str
    operation: str
    created: str

    @property
    def since(self) -> str:
        """When it was taken, to the second: Terraform writes nanoseconds."""
        return f"{self.created[:19].replace('T', ' ')} UTC"


def state_lock(s3: S3Client, bucket: str, key: str) -> StateLock | None:
    """Return the lock on the state at this key; None where it is free.

    Terraform keeps it as an object next to the state (`use_lockfile` of its S3 backend). Raises
    DeployError where S3 refuses, or the object is not a lock.
    """
    where = f"s3://{bucket}/{key}{LOCK_SUFFIX}"
    try:
        body = s3.get_object(Bucket=bucket, Key=f"{key}{LOCK_SUFFIX}")["Body"].read(MAX_LOCK_BYTES)
        found = json.loads(body)
        return StateLock(*(str(found[name]) for name in ("ID", "Who", "Operation", "Created")))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NoSuchBucket"):
            return None
        raise DeployError(f"The lock {where} cannot be read: {error}") from error
    except BotoCoreError as error:
        raise DeployError(f"The lock {where} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DeployError(f"{where} is not a lock of Terraform ({error!r}).") from error


def ensure_state_bucket(s3: S3Client, name: str) -> bool:
    """Make sure that a versioned bucket of this name exists; return whether it was created.

    Raises DeployError where S3 refuses.
    """
    try:
        created = not _exists(s3, name)
        if created:
            _create(s3, name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    except (ClientError, BotoCoreError) as error:
        raise DeployError(f"The state bucket {name} cannot be prepared: {error}") from error
    return created


def _exists(s3: S3Client, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchBucket"):
            raise
        return False
    return True


def _create(s3: S3Client, name: str) -> None:
    region = s3.meta.region_name
    # us-east-1 is the one region that the constraint must not name.
    if region == "us-east-1":
        s3.create_bucket(Bucket=name)
    else:
        constraint: Any = {"LocationConstraint": region}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=constraint)
