"""A training job's input channels: S3 objects downloaded into a folder."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.names import require_channel_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WORKERS = 4


class DownloadFailed(LocalAwsError):
    """A channel's data is not there or must not be read; the message is worded as AWS's."""


class NothingFound(DownloadFailed):
    """There is no object below a channel's prefix."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of `InputDataConfig`; `kind` is S3Prefix or ManifestFile."""

    name: str
    source: str
    kind: str = "S3Prefix"
    content_type: str | None = None
    input_mode: str = "File"
    distribution: str = "FullyReplicated"
    record_wrapper: str = "None"

    @classmethod
    def parse(cls, config: dict[str, Any], default_mode: str) -> "Channel":
        """Return the channel of one `InputDataConfig` entry.

        Raises InvalidName, and DownloadFailed for a source other than S3.
        """
        name, source = config["ChannelName"], config["DataSource"].get("S3DataSource")
        require_channel_name(name)
        if not source:
            raise DownloadFailed(f"ClientError: Channel {name} has no S3DataSource.")
        return cls(
            name=name,
            source=source["S3Uri"],
            kind=source["S3DataType"],
            content_type=config.get("ContentType"),
            input_mode=config.get("InputMode") or default_mode,
            distribution=source.get("S3DataDistributionType") or "FullyReplicated",
            record_wrapper=config.get("RecordWrapperType") or "None",
        )

    def description(self) -> dict[str, str]:
        """Return the channel's entry of `inputdataconfig.json`."""
        entry = {
            "TrainingInputMode": self.input_mode,
            "S3DistributionType": self.distribution,
            "RecordWrapperType": self.record_wrapper,
        }
        return {"ContentType": self.content_type, **entry} if self.content_type else entry


def download(s3: "S3Client", channel: Channel, folder: Path) -> int:
    """Download the channel's objects below the folder; return how many they are.

    Raises DownloadFailed when there is none, when S3 refuses, or when a key leaves the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        objects = list(objects_of(s3, channel))
        if not objects:
            raise NothingFound(nothing_found(channel))
        targets = [(uri, _target(folder, name)) for uri, name in objects]
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda pair: _fetch(s3, *pair), targets))
    except ClientError as error:
        raise DownloadFailed(
            f"ClientError: Data download failed:{_s3_words(error)} ({channel.source})"
        ) from error
    return len(objects)


def objects_of(s3: "S3Client", channel: Channel) -> Iterator[tuple[S3Uri, str]]:
    """Yield each object of the channel and its name within the channel's folder.

    Raises DownloadFailed, and the S3 client's errors.
    """
    source = S3Uri.parse(channel.source)
    if channel.kind == "ManifestFile":
        yield from _listed(s3, source)
        return
    if channel.kind != "S3Prefix":
        raise DownloadFailed(f"ClientError: S3DataType {channel.kind} is not supported here.")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.key)
    for page in pages:
        for entry in page.get("Contents", ()):
            key = entry["Key"]
            if not key.endswith("/"):
                yield S3Uri(source.bucket, key), _relative(key, source.key)


def _listed(s3: "S3Client", source: S3Uri) -> Iterator[tuple[S3Uri, str]]:
    """Yield the objects of a manifest, `[{"prefix": "s3://…"}, "name", …]`."""
    body = s3.get_object(Bucket=source.bucket, Key=source.key)["Body"].read()
    try:
        head, *names = json.loads(body)
        prefix = S3Uri.parse(head["prefix"])
        listed = [(S3Uri(prefix.bucket, prefix.key + name), str(name)) for name in names]
    except (ValueError, TypeError, KeyError) as error:
        raise DownloadFailed(f"ClientError: {source} is not a valid manifest file.") from error
    yield from listed


def _relative(key: str, prefix: str) -> str:
    """Return the key's part below the prefix; for the prefix's own object, its last name."""
    return key.rpartition("/")[2] if key == prefix else key.removeprefix(prefix).lstrip("/")


def _target(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        raise DownloadFailed(f"ClientError: Data download failed:the key {name!r} is no file name.")
    return folder.joinpath(*parts)


def _fetch(s3: "S3Client", source: S3Uri, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    s3.download_file(source.bucket, source.key, str(target))


def nothing_found(channel: Channel) -> str:
    """Return AWS's message for a prefix without objects."""
    return (
        f'ClientError: Data download failed:No S3 objects found under S3 URL "{channel.source}" '
        "given in input data source. Please ensure that the bucket exists in the selected "
        "region, that objects exist under that S3 prefix, and that the role has "
        f'"s3:ListBucket" permissions on bucket "{S3Uri.parse(channel.source).bucket}".'
    )


def _s3_words(error: ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return f"{code} ({status}): {message}"
