"""A dataset that was staged before, as a source: its images keep their splits and labels."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scones_core.errors import MalformedDataset, UnsupportedImage
from scones_core.image_header import read_image_header
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow, require_intact
from scones_core.uris import dataset_prefix
from scones_etl.extract.image_files import read_photos, stacked
from scones_etl.extract.source import RawDataset, class_table
from scones_etl.image_format import AS_GIVEN, ImageFormat

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class StagedFolder:
    """A folder with the objects of a dataset version: `<split>/<label>/*.png`, `manifest.json`."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> "StagedFolder":
        """Return the source of a folder; its images are not read yet.

        Raises MalformedDataset or ChecksumMismatch for a manifest that is absent or altered.
        """
        file = path / MANIFEST
        try:
            manifest = Manifest.loads(file.read_bytes())
        except OSError as error:
            raise MalformedDataset(
                f"{file} cannot be read ({error.strerror}); stage the dataset again: inv etl"
            ) from error
        require_intact(manifest, str(file))
        return cls(path, manifest)

    @property
    def kind(self) -> str:
        """The kind of the source that the dataset was staged from."""
        return self.manifest.source["kind"]

    @property
    def name(self) -> str:
        """The dataset's version."""
        return self.manifest.version

    @property
    def sha256(self) -> str:
        """The hash of the manifest, which has those of all images."""
        return hashlib.sha256(self.manifest.dumps().encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the dataset's classes, in its order."""
        return self.manifest.classes

    def image_format(self) -> ImageFormat:
        """Return the form of the dataset's images, with its side where all are square.

        Raises MalformedDataset where the first image cannot be read.
        """
        mode = str(self.manifest.settings.get("image_mode", AS_GIVEN.mode))
        row = self.manifest.rows[0]
        try:
            header = read_image_header((self.path / self._file(row)).read_bytes())
        except (OSError, UnsupportedImage) as error:
            raise MalformedDataset(
                f"{self.path / self._file(row)} cannot be read: {error}"
            ) from error
        return ImageFormat(header.width if header.width == header.height else 0, mode)

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the images of these classes in manifest order, each in its own split.

        Raises UnknownLabel, ChecksumMismatch for an image that was altered, MalformedDataset for
        one that is absent or cannot be decoded.
        """
        table = class_table(self.manifest.classes, classes, f"The dataset {self.name}")
        label_of = dict(zip(self.manifest.classes, table.tolist(), strict=True))
        rows = {self._file(row): row for row in self.manifest.rows if label_of[row.label] >= 0}
        sha256 = {name: row.sha256 for name, row in rows.items()}
        absent = next((name for name in rows if not (self.path / name).is_file()), None)
        if absent is not None:
            raise MalformedDataset(
                f"{self.path / absent} is absent, though the manifest lists it; stage the dataset "
                "again: inv etl"
            )
        photos, unreadable = read_photos(self.path, list(rows), sha256, image)
        for name, reason in unreadable.items():
            raise MalformedDataset(f"{self.path / name} cannot be read: {reason}.")
        kept = [rows[name] for name in photos]
        raw = RawDataset(
            images=stacked(photos.values(), image, str(self.path)),
            labels=np.array([label_of[row.label] for row in kept], dtype=np.int64),
            splits=tuple(row.split for row in kept),
            rows=np.array([row.source_row for row in kept], dtype=np.int64),
            names=tuple(row.source_name for row in kept),
            own_splits=frozenset({"validation", "test"}),
        )
        raw.require_every_class(classes, str(self.path))
        return raw

    def _file(self, row: ManifestRow) -> str:
        return row.key.removeprefix(dataset_prefix(self.manifest.version) + "/")
