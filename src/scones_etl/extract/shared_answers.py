"""Answers that reviewers left in S3, fetched into a folder that is a source of labelled images."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones_core.errors import DatasetError
from scones_core.files import write_atomically
from scones_core.reviews import IMAGES, Part, current_answers, find_parts, parse_lines
from scones_core.reviews.shared import LABELS, MAX_PART_BYTES
from scones_core.uris import S3Uri
from scones_etl.extract.labelled_folder import ANSWERS
from scones_images import PHOTOS

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_WORKERS = 16


def fetch_answers(s3: "S3Client", uri: S3Uri, cache: Path) -> Path:
    """Return a folder below `cache` with the answers below `uri`, and the images they are about.

    `uri` is `s3://<data bucket>/labels`, or one reviewer's folder in it. What was fetched before
    is not fetched again. An image that is gone is left out: the reader of the folder says so.
    Raises DatasetError where there are no answers, or S3 refuses. OSError passes through.
    """
    root, reviewer = _root(uri)
    folder = cache / "labels" / hashlib.sha256(str(uri).encode()).hexdigest()[:16]
    try:
        parts = list(find_parts(s3, uri.bucket, root, reviewer))
        if not parts:
            raise DatasetError(
                f"{uri} holds no answers of reviewers; give the location that `inv review` prints, "
                "such as s3://<data bucket>/labels."
            )
        _fetch_parts(s3, uri.bucket, parts, folder)
        _fetch_images(s3, uri.bucket, root, parts, folder)
    except ClientError as error:
        raise DatasetError(f"The answers at {uri} cannot be read: {error}") from error
    return folder


def _root(uri: S3Uri) -> tuple[str, str]:
    """Return the prefix of all reviewers' answers, and the reviewer where it is one's folder."""
    above, _, name = uri.key.strip("/").rpartition("/")
    if name in ("", LABELS):
        return (f"{uri.key.strip('/')}/" if name else ""), ""
    return (f"{above}/" if above else ""), name


def _local(folder: Path, part: Part) -> Path:
    return folder / ANSWERS / part.reviewer / part.session / part.key.rpartition("/")[2]


def _fetch_parts(s3: "S3Client", bucket: str, parts: list[Part], folder: Path) -> None:
    wanted = {_local(folder, part): part for part in parts}
    if not all(path.resolve().is_relative_to(folder.resolve()) for path in wanted):
        raise DatasetError(f"s3://{bucket} has answers under a name that leaves its folder.")
    for path in (folder / ANSWERS).rglob("*.jsonl"):
        if path not in wanted:
            path.unlink()

    def fetch(path: Path) -> None:
        # A part is written once, so one that is here is the one that is there.
        if not path.is_file():
            body = s3.get_object(Bucket=bucket, Key=wanted[path].key)["Body"]
            write_atomically(path, body.read(MAX_PART_BYTES + 1))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(fetch, wanted))


def _fetch_images(s3: "S3Client", bucket: str, root: str, parts: list[Part], folder: Path) -> None:
    wanted: dict[str, str] = {}
    for part in parts:
        answers, _ = parse_lines(_local(folder, part).read_bytes().splitlines())
        labelled = (
            one for one in current_answers(answers).answers.values() if one.action == "label"
        )
        wanted |= {answer.file: f"{root}{IMAGES}/{answer.file}" for answer in labelled}

    def fetch(file: str) -> None:
        path = folder / IMAGES / file
        if path.is_file():
            return
        try:
            body = s3.get_object(Bucket=bucket, Key=wanted[file])["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return
            raise
        write_atomically(path, body.read(PHOTOS.max_bytes + 1))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(fetch, wanted))
