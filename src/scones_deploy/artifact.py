"""A model artifact in S3, read as the source of a release."""

import gzip
import hashlib
import json
import math
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import ReleaseError
from scones_core.settings import EndpointSettings
from scones_core.uris import S3Uri
from scones_deploy.release import Release, release_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
else:
    S3Client = Any

CARD = "model.json"
MAX_CARD_BYTES = 1 << 20
MAX_ARTIFACT_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 2 << 30
MAX_MEMBERS = 1000
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
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
) -> Release:
    """Return a release of the model.tar.gz at an S3 location, served from `image`.

    Its hash is computed from the bytes; threshold, labels, metrics (those that are numbers)
    and dataset version come from the artifact's `model.json`; `threshold` overrides the first.
    At most `max_unpacked_bytes` are unpacked, and nothing is written to disk by member name.
    Raises ReleaseError, naming the location, where the artifact is missing, exceeds a limit,
    or is no archive of a model.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = download(s3, S3Uri.parse(model_data_url), file)
        file.seek(0)
        card = _card(file, model_data_url, max_unpacked_bytes)
    try:
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
            metrics={key: value for key, value in card["metrics"].items() if _is_number(value)},
            dataset_version=card["dataset_version"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"The {CARD} in {model_data_url} is incomplete ({error!r}); train the model again."
        ) from error


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


class _Bounded:
    """A stream that ends in an error once more was read from it than a model may hold."""

    def __init__(self, stream: gzip.GzipFile, limit: int, where: str) -> None:
        self._stream, self._left, self._where = stream, limit, where

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_much(self._where)
        return data


def _card(file: IO[bytes], where: str, limit: int) -> Any:
    """Return the parsed model.json; every member is checked, none is written to disk."""
    try:
        with gzip.open(file) as plain:
            bounded: Any = _Bounded(plain, limit, where)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                texts = [text for text in _texts(archive, where) if text is not None]
            # tar ends before gzip does; only the end of gzip proves length and checksum.
            while bounded.read(CHUNK):
                pass
        if len(texts) != 1:
            raise ReleaseError(f"The artifact {where} must hold one {CARD}, not {len(texts)}.")
        return json.loads(texts[0])
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise ReleaseError(f"The artifact {where} is no model archive: {error}.") from error


def _texts(archive: tarfile.TarFile, where: str) -> Iterator[bytes | None]:
    """Yield the content of each member that is the model.json, None for every other one."""
    for count, member in enumerate(archive, start=1):
        if count > MAX_MEMBERS:
            raise _too_much(where)
        _require_safe(member, where)
        yield _text(archive, member, where) if _is_card(member) else None


def _too_much(where: str) -> ReleaseError:
    return ReleaseError(f"The artifact {where} unpacks to more than a model may hold.")


def _require_safe(member: tarfile.TarInfo, where: str) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise ReleaseError(
            f"The artifact {where} has the member {member.name!r}, which is no file or folder "
            "inside it; do not deploy it."
        )


def _is_card(member: tarfile.TarInfo) -> bool:
    return member.isfile() and PurePosixPath(member.name) == PurePosixPath(CARD)


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    stream = archive.extractfile(member)
    if stream is None or member.size > MAX_CARD_BYTES:
        raise ReleaseError(f"The {CARD} in {where} has over {MAX_CARD_BYTES:,} bytes.")
    return stream.read()


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
