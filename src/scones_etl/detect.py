"""Which kind of source lies at a path, told by what is there."""

import gzip
import zlib
from pathlib import Path

from scones_core.errors import DatasetError
from scones_etl.cifar import CIFAR_100, LAYOUTS, CifarArchive
from scones_etl.folder import ImageFolder
from scones_etl.labelled import LABELS_FILE, LabelledImages
from scones_etl.mnist import IdxFiles
from scones_etl.raw import Source

_TAR_BLOCK = 512


def open_source(path: Path) -> Source:
    """Return the source at a path: labelled images, an image folder, MNIST, or a CIFAR archive.

    A folder with idx files, or one such file of images, is MNIST; one with `labels.csv` holds
    labelled images; another has a folder for each class; any other file is an archive. Raises
    DatasetError when it is none of these.
    """
    try:
        if IdxFiles.at(path):
            return IdxFiles.open(path)
        if (path / LABELS_FILE).is_file():
            return LabelledImages.open(path)
        if path.is_dir():
            return ImageFolder.open(path)
        first = _first_member(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    folder = first.removeprefix("./").split("/")[0]
    layout = next((layout for layout in LAYOUTS if layout.folder == folder), CIFAR_100)
    return CifarArchive.open(path, layout=layout)


def _first_member(path: Path) -> str:
    """Return the name in a gzipped tar's first header, or what stands there instead of one."""
    try:
        with gzip.open(path) as stream:
            header = stream.read(_TAR_BLOCK)
    # What is no gzip is left to the reader of archives, which says what it found.
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return ""
    return header[:100].split(b"\0")[0].decode("latin1")
