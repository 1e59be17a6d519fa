"""Load: a staged dataset to S3. What is there already stays, and the manifest comes last."""

import base64
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import DatasetError
from scones_core.manifest import Manifest, require_intact
from scones_core.uris import dataset_prefix, manifest_key
from scones_etl.pipeline import Progress, StagedDataset, silent

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

# A manifest row takes about 250 bytes; CIFAR-100 whole has 60,000.
MAX_MANIFEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class UploadReport:
    """How many objects were put and how many were there already, the manifest included."""

    uploaded: int
    skipped: int
    seconds: float

    @property
    def unchanged(self) -> bool:
        """Whether the bucket held the whole dataset before."""
        return self.uploaded == 0


def upload(
    dataset: StagedDataset,
    s3: "S3Client",
    bucket: str,
    *,
    workers: int,
    kms_key_id: str | None = None,
    progress: Progress = silent,
) -> UploadReport:
    """Put what the bucket does not hold yet, then the manifest, and return what was done.

    A manifest in the bucket thus means that all its objects are there: one over a dataset
    with missing images is deleted before the first is uploaded. After a failure a second call goes
    on where the first one ended. `s3` is used by `workers` threads at once, so give it as
    many connections. Raises DatasetError.
    """
    started = time.monotonic()
    target = Bucket(s3, bucket, kms_key_id)
    proof = manifest_key(dataset.manifest.version)
    bodies = {**dataset.objects, proof: dataset.manifest.dumps().encode()}
    if len(bodies[proof]) > MAX_MANIFEST_BYTES:
        raise DatasetError(
            f"The manifest of {len(dataset.manifest.rows):,} images has {len(bodies[proof]):,} "
            f"bytes, and at most {MAX_MANIFEST_BYTES:,} are read; nothing was uploaded. Stage "
            "fewer images."
        )
    stored = target.listing(dataset_prefix(dataset.manifest.version) + "/")
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        listed = [key for key in bodies if key in stored]
        same = _each(pool, lambda key: target.holds(key, bodies[key], stored[key]), listed)
        missing = [key for key in dataset.objects if not same.get(key, False)]
        if missing and proof in stored:
            target.delete(proof)
        count = _Count(progress, len(dataset.objects) - len(missing), len(bodies))
        _each(pool, lambda key: target.put(key, bodies[key]), missing, count)
    if missing or not same.get(proof, False):
        missing.append(proof)
        target.put(proof, bodies[proof])
    count()
    return UploadReport(len(missing), len(bodies) - len(missing), time.monotonic() - started)


def read_manifest(s3: "S3Client", bucket: str, version: str) -> Manifest:
    """Return a dataset version's manifest, checked against its version.

    Raises DatasetError when it is not there, MalformedDataset or ChecksumMismatch when it is
    not the one that was written.
    """
    key = manifest_key(version)
    where = f"s3://{bucket}/{key}"
    with reported(bucket, f"{where} cannot be read"):
        try:
            response = s3.get_object(Bucket=bucket, Key=key)
            text = response["Body"].read(MAX_MANIFEST_BYTES + 1)
        except s3.exceptions.NoSuchKey as error:
            raise DatasetError(
                f"{bucket} holds no dataset {version!r}: there is no {key}. Run the ETL first."
            ) from error
    if len(text) > MAX_MANIFEST_BYTES:
        raise DatasetError(f"{where} has more than {MAX_MANIFEST_BYTES:,} bytes; is it a manifest?")
    manifest = Manifest.loads(text)
    require_intact(manifest, where)
    if manifest.version != version:
        raise DatasetError(f"{where} is the manifest of {manifest.version}; run the ETL again.")
    return manifest


@dataclass(slots=True)
class _Count:
    """Counts objects on from those that were there already."""

    progress: Progress
    done: int
    total: int

    def __call__(self) -> None:
        self.done += 1
        self.progress(self.done, self.total)


def _each(
    pool: ThreadPoolExecutor,
    work: Callable[[str], T],
    keys: Sequence[str],
    after: Callable[[], None] = lambda: None,
) -> dict[str, T]:
    """Return the result for each key; the first error drops what has not begun."""
    futures: dict[Future[T], str] = {pool.submit(work, key): key for key in keys}
    results = {}
    try:
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            after()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return results


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
        with reported(self.name, f"s3://{self.name}/{prefix} cannot be listed"):
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
        with reported(self.name, f"s3://{self.name}/{key} cannot be checked"):
            head = self.s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        return head.get("ChecksumSHA256") == _checksum(body)

    def put(self, key: str, body: bytes) -> None:
        """Write an object; S3 refuses it unless its SHA-256 is that of the body."""
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}
        with reported(self.name, f"s3://{self.name}/{key} cannot be written"):
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
        with reported(self.name, f"s3://{self.name}/{key} cannot be deleted"):
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
def reported(bucket: str, failure: str) -> Iterator[None]:
    """Turn the errors of boto3 into a DatasetError that says what failed and what to do."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        # AWS's own words may hold braces: only the advice is a template.
        advice = _ADVICE.get(code)
        why = advice.format(bucket=bucket) if advice else str(error)
        raise DatasetError(f"{failure}: {why}.") from error
    except BotoCoreError as error:
        raise DatasetError(
            f"{failure}: {error}. Check the network, the credentials and AWS_ENDPOINT_URL."
        ) from error
