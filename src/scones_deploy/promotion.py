"""A release of one environment for another: the same model, byte for byte, in its own bucket."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import ReleaseError
from scones_core.files import sha256_of
from scones_core.uris import S3Uri
from scones_deploy.artifact_release import download
from scones_deploy.release import Release, Releases

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
else:
    S3Client = Any


def chosen(releases: Releases, release: str | None, environment: str) -> Release:
    """Return the release of this id, or the active one; raises ReleaseError where it is none."""
    name = release or releases.active
    if name is None:
        raise ReleaseError(
            f"Nothing was released in {environment} yet: inv release --env {environment}"
        )
    if name not in releases.releases:
        known = ", ".join(sorted(releases.releases)) or "none"
        raise ReleaseError(f"There is no release {name!r} in {environment}; it has {known}.")
    return releases.releases[name]


def cached(release: Release, folder: Path) -> Path | None:
    """Return a release's artifact in a folder that `fetch` filled; None where it is not there."""
    path = _cache_path(release, folder)
    return path if path.is_file() and sha256_of(path) == release.model_sha256 else None


def _cache_path(release: Release, folder: Path) -> Path:
    return folder / f"{release.model_sha256}.tar.gz"


def fetch(s3: S3Client, release: Release, folder: Path) -> Path:
    """Return a local copy of a release's artifact, named by its hash; one that is there is kept.

    Raises ReleaseError where the artifact is missing or has other bytes than the release says.
    """
    kept = cached(release, folder)
    if kept is not None:
        return kept
    path = _cache_path(release, folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A folder of its own: another fetch may run, whose bytes are not those that were hashed here.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as own:
        partial = Path(own) / path.name
        with partial.open("wb") as file:
            found = download(s3, S3Uri.parse(release.model_data_url), file)
        if found != release.model_sha256:
            raise ReleaseError(
                f"{release.model_data_url} has SHA-256 {found}, and release {release.id} was made "
                f"from {release.model_sha256}; nothing was promoted."
            )
        return partial.replace(path)


def promoted(release: Release, bucket: str) -> Release:
    """Return the release with its artifact at the same key of another environment's bucket."""
    key = S3Uri.parse(release.model_data_url).key
    return replace(release, model_data_url=str(S3Uri(bucket, key)))


def place(s3: S3Client, artifact: Path, release: Release) -> bool:
    """Make sure that a release's artifact is where it says; return whether it was uploaded.

    Raises ReleaseError where other bytes are there: an artifact is never overwritten.
    """
    uri = S3Uri.parse(release.model_data_url)
    found = _present(s3, uri)
    if found is not None:
        if found != release.model_sha256:
            raise ReleaseError(
                f"{uri} holds another artifact (SHA-256 {found}); it was left as it is."
            )
        return False
    try:
        s3.upload_file(str(artifact), uri.bucket, uri.key)
    except (ClientError, BotoCoreError) as error:
        raise ReleaseError(f"The artifact cannot be written to {uri}: {error}") from error
    return True


def _present(s3: S3Client, uri: S3Uri) -> str | None:
    """Return the SHA-256 of an object's bytes, or None where there is no object."""
    try:
        s3.head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return None
        raise ReleaseError(f"{uri} cannot be looked at: {error}") from error
    except BotoCoreError as error:
        raise ReleaseError(f"{uri} cannot be looked at: {error}") from error
    with Path(os.devnull).open("wb") as nowhere:
        return download(s3, uri, nowhere)
