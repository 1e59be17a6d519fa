"""The `.lst` files of SageMaker's built-in image classification, one for each split.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html, "Train with
Image Format": a line has a unique index, the class index from 0 and a path relative to the
channel, separated by tabs. The channel is `dataset/<version>/<split>/`.
"""

from collections.abc import Iterable

from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow
from scones_core.uris import SPLITS, dataset_prefix, list_key


def list_file(rows: Iterable[ManifestRow], classes: LabelSet, channel: str) -> bytes:
    """Return the lines for a split's rows; `channel` is the prefix that their keys share."""
    lines = [
        f"{number}\t{classes.index(row.label)}\t{row.key.removeprefix(channel)}\n"
        for number, row in enumerate(rows)
    ]
    return "".join(lines).encode("ascii")


def list_files(manifest: Manifest) -> dict[str, bytes]:
    """Return the `.lst` of each split under its S3 key."""
    classes = LabelSet(manifest.classes)
    return {
        list_key(manifest.version, split): list_file(
            manifest.split(split), classes, f"{dataset_prefix(manifest.version)}/{split}/"
        )
        for split in SPLITS
    }
