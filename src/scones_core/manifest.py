"""The dataset manifest: what a dataset version holds, and where each image came from."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scones_core.errors import ChecksumMismatch, MalformedDataset
from scones_core.json_text import parse_json
from scones_core.uris import SPLITS

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image: its S3 key, split, label, the PNG's SHA-256, and the row it came from."""

    key: str
    split: str
    label: str
    sha256: str
    source_row: int
    source_name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A dataset version.

    `source` holds `kind` (`cifar100`, `synthetic`, ...), `name` and `sha256` of the input;
    `settings` what the ETL was given; `version` is a hash of all of these and of the rows.
    """

    version: str
    classes: tuple[str, ...]
    source: Mapping[str, str]
    settings: Mapping[str, Any]
    rows: tuple[ManifestRow, ...]
    schema: int = field(default=SCHEMA)

    def split(self, name: str) -> tuple[ManifestRow, ...]:
        """Return the rows of one split, in manifest order."""
        return tuple(row for row in self.rows if row.split == name)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images by split and class, zeros included."""
        found = Counter((row.split, row.label) for row in self.rows)
        return {s: {c: found[s, c] for c in self.classes} for s in SPLITS}

    def dumps(self) -> str:
        """Return the manifest as JSON: sorted keys, the same text for the same content."""
        body = {**asdict(self), "counts": self.counts()}
        return json.dumps(body, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> "Manifest":
        """Return the manifest that `dumps` wrote; raises MalformedDataset for anything else."""
        try:
            body = parse_json(text)
            if body["schema"] != SCHEMA:
                raise MalformedDataset(
                    f"The manifest has schema {body['schema']}, this version reads {SCHEMA}; "
                    "run the ETL again."
                )
            rows = tuple(ManifestRow(**row) for row in body["rows"])
            return cls(
                version=body["version"],
                classes=tuple(body["classes"]),
                source=body["source"],
                settings=body["settings"],
                rows=rows,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedDataset(
                f"The manifest cannot be read ({error}); run the ETL again."
            ) from error


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
