"""A dataset that is ready to be loaded: the bytes of every object, and the manifest over them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scones_core.errors import ChecksumMismatch
from scones_core.manifest import Manifest, ManifestRow
from scones_etl.raw import Intake


@dataclass(frozen=True, slots=True)
class Dropped:
    """Numbers of source images that were left out, each counted once.

    `repeated` has a twin in its own split, `leaked` is a train image that is also a test
    image, and `conflicting` has a twin of another label.
    """

    repeated: int = 0
    leaked: int = 0
    conflicting: int = 0

    @property
    def total(self) -> int:
        """How many source images are in no split."""
        return self.repeated + self.leaked + self.conflicting


@dataclass(frozen=True, slots=True)
class StagedDataset:
    """`objects` maps S3 keys to bytes: images and their lists, not the manifest itself.

    `duplicates` are the names of source images with the same pixels, group by group; `intake`
    is how the source's files came in.
    """

    manifest: Manifest
    objects: Mapping[str, bytes]
    dropped: Dropped
    duplicates: tuple[tuple[str, ...], ...] = ()
    intake: Intake = field(default_factory=Intake)

    @property
    def total_bytes(self) -> int:
        """The size of all objects, without the manifest."""
        return sum(map(len, self.objects.values()))


def content_version(
    classes: Iterable[str],
    source: Mapping[str, str],
    settings: Mapping[str, Any],
    rows: Iterable[ManifestRow],
) -> str:
    """Return the dataset version: 12 hex digits over all that the manifest says.

    The rows' keys are left out, as they hold the version.
    """
    content = {
        "classes": list(classes),
        "source": dict(source),
        "settings": dict(settings),
        "rows": [{k: v for k, v in asdict(row).items() if k != "key"} for row in rows],
    }
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def require_intact(manifest: Manifest, where: str) -> None:
    """Do nothing if a manifest still hashes to its version, else raise ChecksumMismatch."""
    found = content_version(manifest.classes, manifest.source, manifest.settings, manifest.rows)
    if found != manifest.version:
        raise ChecksumMismatch(
            f"{where} says version {manifest.version} but its content is {found}: it was "
            "altered. Run the ETL again."
        )
