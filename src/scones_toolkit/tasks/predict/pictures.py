"""The pictures that `inv predict` is asked about: local files, folders, and objects in S3."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.class_folders import PICTURE_SUFFIXES, is_hidden
from scones_core.errors import DatasetError, SettingsError
from scones_core.uris import S3Uri
from scones_images import PHOTOS, ImageTooBig
from scones_toolkit.project import Project


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture by its name; `read` returns its bytes, bounded, or raises SconesError."""

    name: str
    read: Callable[[], bytes]

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in, which may be its class."""
        return PurePosixPath(self.name).parent.name


@dataclass(frozen=True, slots=True)
class Found:
    """The pictures of a location in the order of their names, and how many files are none."""

    pictures: tuple[Picture, ...]
    passed_over: int = 0


def find_pictures(project: Project, location: str) -> Found:
    """Return the pictures of a file, a folder, an S3 object, or an S3 prefix that ends with "/".

    In a folder and below a prefix they are the files with one of PICTURE_SUFFIXES; those that are
    hidden, or in a hidden folder, count as none. Raises SettingsError for a location without any.
    """
    found = _in_s3(project, location) if location.startswith("s3://") else _local(location)
    if not found.pictures:
        raise SettingsError(
            f"{location} is not a picture, nor a folder with pictures "
            f"({', '.join(sorted(PICTURE_SUFFIXES))}), nor an s3:// location of some."
        )
    return found


def _local(location: str) -> Found:
    path = Path(location).expanduser()
    if not path.exists():
        raise SettingsError(f"{location} does not exist; name a picture, a folder or s3://...")
    if not path.is_dir():
        return Found((Picture(str(path), partial(_read, path)),) if path.is_file() else ())
    # A broken link and a pipe are no folders either: they are counted, not read.
    files = [each for each in sorted(path.rglob("*")) if not each.is_dir()]
    chosen = [
        each for each in files if _is_picture(each.relative_to(path).as_posix()) and each.is_file()
    ]
    pictures = tuple(Picture(str(each), partial(_read, each)) for each in chosen)
    return Found(pictures, len(files) - len(chosen))


def _is_picture(name: str) -> bool:
    """Return whether a path below the location names a picture, in no hidden folder."""
    path = PurePosixPath(name)
    return path.suffix.lower() in PICTURE_SUFFIXES and not any(map(is_hidden, path.parts))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _bounded(file)
    except OSError as error:
        raise DatasetError(f"the file cannot be read: {error.strerror}") from error


def _bounded(file: Any) -> bytes:
    body: bytes = file.read(PHOTOS.max_bytes + 1)
    if len(body) > PHOTOS.max_bytes:
        raise ImageTooBig(f"the image has over {PHOTOS.max_bytes:,} bytes")
    return body


def _in_s3(project: Project, location: str) -> Found:
    uri, s3 = S3Uri.parse(location), project.client("s3")
    if uri.key and not uri.key.endswith("/"):
        return Found((Picture(str(uri), partial(_download, s3, uri)),))
    keys = [key for key in _keys(s3, uri) if not key.endswith("/")]
    chosen = [
        S3Uri(uri.bucket, key) for key in keys if _is_picture(key.removeprefix(uri.key).lstrip("/"))
    ]
    pictures = tuple(Picture(str(each), partial(_download, s3, each)) for each in chosen)
    return Found(pictures, len(keys) - len(chosen))


def _keys(s3: Any, uri: S3Uri) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=uri.bucket, Prefix=uri.key)
    try:
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", ()))
    except (ClientError, BotoCoreError) as error:
        raise SettingsError(f"{uri} cannot be listed: {error}") from error


def _download(s3: Any, uri: S3Uri) -> bytes:
    try:
        return _bounded(s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"])
    except s3.exceptions.NoSuchKey as error:
        raise DatasetError('there is no such object; a prefix must end with "/"') from error
    except (ClientError, BotoCoreError) as error:
        raise DatasetError(f"the object cannot be read: {error}") from error
