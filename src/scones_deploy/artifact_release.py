"""A model artifact in S3, read as the source of a release."""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.archives import ArchiveLimits, read_files
from scones_core.errors import ArchiveError, MalformedArtifact, ReleaseError
from scones_core.golden_samples import SAMPLES, GoldenSample, loads
from scones_core.model_card import CARD, MAX_CARD_BYTES, ModelCard
from scones_core.settings import EndpointSettings
from scones_core.uris import S3Uri
from scones_deploy.release import Release, release_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
else:
    S3Client = Any

MAX_SAMPLES_BYTES = 16 << 20
MAX_ARTIFACT_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 2 << 30
MAX_MEMBERS = 1000
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20
IN_MEMORY = 16 << 20


def artifact_release(
    s3: S3Client,
    model_data_url: str,
    *,
    image: str,
    endpoint: EndpointSettings,
    now: datetime,
    environment: Mapping[str, str] | None = None,
    threshold: float | None = None,
    card: Mapping[str, Any] | None = None,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
) -> Release:
    """Return a release of the model.tar.gz at an S3 location, served from `image`.

    Its hash is computed from the bytes; threshold, labels, metrics (those that are numbers)
    and dataset version come from the artifact's `model.json`, or from `card` for an artifact of
    another program, which has none; `threshold` overrides the first.
    At most `max_unpacked_bytes` are unpacked, and nothing is written to disk by member name.
    Raises ReleaseError, naming the location, where the artifact is missing, exceeds a limit,
    or is not a model archive.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = download(s3, S3Uri.parse(model_data_url), file)
        if card is None:
            card = _card(file, model_data_url, max_unpacked_bytes)
    return Release(
        id=release_id(now, digest),
        image=image,
        model_data_url=model_data_url,
        model_sha256=digest,
        instance_type=endpoint.instance_type,
        instance_count=endpoint.instance_count,
        environment=dict(environment or {}),
        threshold=card["threshold"] if threshold is None else threshold,
        labels=tuple(card["labels"]),
        metrics=card["metrics"],
        dataset_version=card["dataset_version"],
    )


def missing_models(s3: S3Client, releases: Iterable[Release]) -> list[str]:
    """Return the ids of the releases whose artifact, or whose bucket, is not there."""
    return [r.id for r in releases if is_artifact_missing(s3, r.model_data_url)]


def is_artifact_missing(s3: S3Client, model_data_url: str) -> bool:
    """Return whether an artifact, or its bucket, is not there."""
    uri = S3Uri.parse(model_data_url)
    try:
        s3.head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError as error:
        # A caller without the right gets 403, which says nothing about the object.
        return error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NoSuchBucket")
    return False


def released_images(s3: S3Client, release: Release) -> tuple[GoldenSample, ...]:
    """Return the golden samples in a release's artifact; none where it was trained without.

    Raises ReleaseError where the artifact is missing, is not a model archive, or is not the
    one that the release was made from; MalformedArtifact where its images cannot be read.
    """
    where = release.model_data_url
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        found = download(s3, S3Uri.parse(where), file)
        if found != release.model_sha256:
            raise ReleaseError(
                f"{where} has SHA-256 {found}, and release {release.id} was made from "
                f"{release.model_sha256}: it was replaced since."
            )
        text = _read(file, where, SAMPLES, MAX_SAMPLES_BYTES)
    return loads(text) if text is not None else ()


def download(s3: S3Client, uri: S3Uri, file: IO[bytes]) -> str:
    """Copy the object into `file` and return its SHA-256; raises ReleaseError where it cannot."""
    digest, size = hashlib.sha256(), 0
    try:
        body = s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        for chunk in body.iter_chunks(CHUNK):
            size += len(chunk)
            if size > MAX_ARTIFACT_BYTES:
                raise ReleaseError(f"The artifact {uri} has over {MAX_ARTIFACT_BYTES:,} bytes.")
            digest.update(chunk)
            file.write(chunk)
    except ClientError as error:
        raise ReleaseError(_absence(uri, error)) from error
    except BotoCoreError as error:
        raise ReleaseError(f"The artifact {uri} cannot be read: {error}") from error
    return digest.hexdigest()


def _absence(uri: S3Uri, error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("NoSuchKey", "NoSuchBucket", "404"):
        return f"There is no model artifact at {uri}; give the location of a finished training job."
    return f"The artifact {uri} cannot be read: {error}"


def _card(file: IO[bytes], where: str, limit: int) -> dict[str, Any]:
    """Return what a release takes from the model card of an archive; raises ReleaseError."""
    text = _read(file, where, CARD, MAX_CARD_BYTES, limit)
    if text is None:
        raise ReleaseError(f"The artifact {where} has no {CARD}; train the model again.")
    try:
        card = ModelCard.loads(text)
    except MalformedArtifact as error:
        raise ReleaseError(f"The artifact {where}: {error}") from error
    return {
        "threshold": card.threshold,
        "labels": card.labels,
        "metrics": card.figures,
        "dataset_version": card.dataset_version,
    }


def _read(
    file: Any, where: str, name: str, max_bytes: int, max_unpacked: int = MAX_UNPACKED_BYTES
) -> bytes | None:
    """Return a file of a model archive, None where it has none; raises ReleaseError."""
    file.seek(0)
    limits = ArchiveLimits(MAX_MEMBERS, max_unpacked, max_unpacked)
    try:
        if file.read(len(GZIP)) != GZIP:
            raise ArchiveError("it is not compressed by gzip")
        file.seek(0)
        return read_files(file, {name: max_bytes}, limits).get(name)
    except ArchiveError as error:
        raise ReleaseError(f"The artifact {where} is not a model archive: {error}.") from error
