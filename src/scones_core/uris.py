"""S3 locations, the one key layout of datasets, models and captured records, and local URLs."""

import urllib.parse
from dataclasses import dataclass

from scones_core.errors import SettingsError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class S3Uri:
    """A bucket and a key; `str()` gives `s3://bucket/key`."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "S3Uri":
        """Return the location that `s3://bucket/key` names; raises SettingsError otherwise.

        Everything behind the bucket is the key, as it is written: `#`, `?` and `%` are part of it.
        """
        scheme, _, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise SettingsError(f"{text!r} is not an S3 location; write s3://bucket/key.")
        return cls(bucket, key)

    def join(self, *names: str) -> "S3Uri":
        """Return the location below this one; slashes are neither doubled nor lost."""
        parts = [self.key.rstrip("/"), *(name.strip("/") for name in names)]
        return S3Uri(self.bucket, "/".join(part for part in parts if part))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def is_on_this_host(url: str) -> bool:
    """Return whether a URL names a server of this host, by `localhost` or 127.0.0.0/8."""
    host = urllib.parse.urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.")


def dataset_prefix(version: str) -> str:
    """Return the key prefix of a dataset version, without a trailing slash."""
    return f"dataset/{version}"


def image_key(version: str, split: str, label: str, sha256: str) -> str:
    """Return an image's key: `dataset/<version>/<split>/<label>/<sha256[:16]>.png`."""
    return f"{dataset_prefix(version)}/{split}/{label}/{sha256[:16]}.png"


def list_key(version: str, split: str) -> str:
    """Return the key of a split's `.lst`, in the folder that is the `<split>_lst` channel."""
    return f"{dataset_prefix(version)}/{split}_lst/{split}.lst"


def manifest_key(version: str) -> str:
    """Return the key of a dataset version's manifest, the last object to be written."""
    return f"{dataset_prefix(version)}/manifest.json"
