"""A staged dataset to S3: what is there already stays, and the manifest comes last."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from scones_core.errors import DatasetError
from scones_core.manifest import Manifest
from scones_core.uris import dataset_prefix, manifest_key
from scones_etl.bucket import Bucket, told
from scones_etl.progress import Progress, silent
from scones_etl.staged import StagedDataset, require_intact

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
    with gaps is deleted before the first gap is filled. After a failure a second call goes
    on where the first one ended. `s3` is used by `workers` threads at once, so give it as
    many connections. Raises DatasetError.
    """
    started = time.monotonic()
    target = Bucket(s3, bucket, kms_key_id)
    proof = manifest_key(dataset.manifest.version)
    bodies = {**dataset.objects, proof: dataset.manifest.dumps().encode()}
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
    with told(bucket, f"{where} cannot be read"):
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
