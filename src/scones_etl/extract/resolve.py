"""Resolution of a source: by a person's choice, and by what lies at a path."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from scones_core.class_folders import is_hidden
from scones_core.errors import DatasetError
from scones_etl.extract import download as remote
from scones_etl.extract.cifar import CIFAR_100, CifarArchive, layout_of
from scones_etl.extract.image_folder import ImageFolder
from scones_etl.extract.labelled_folder import (
    LABELS_FILE,
    LabelledFolder,
    has_answers,
    has_label_columns,
)
from scones_etl.extract.mnist import IdxFiles
from scones_etl.extract.source import Source
from scones_etl.extract.synthetic import Synthetic

ARCHIVE_VARIABLE = "SCONES_CIFAR100"
ARCHIVE_FILE = "cifar-100-python.tar.gz"
AUTO, CIFAR100, SYNTHETIC = CHOICES = ("auto", "cifar100", "synthetic")

Download = Callable[[Path, remote.Say], None]


def resolve_source(
    choice: str,
    *,
    cache_dir: Path,
    environ: Mapping[str, str] = os.environ,
    download: Download = remote.CIFAR100.fetch,
    say: remote.Say = print,
    archive_md5: str = remote.CIFAR100.md5,
    synthetic_if_unreachable: bool = False,
) -> Source:
    """Return the source for `auto`, `cifar100`, `synthetic`, or for a path.

    A source at a path is recognised by its content: see `open_source`. `auto` and `cifar100` are
    the archive that SCONES_CIFAR100 names, else the one in `cache_dir`, which
    `download(target, say)` fills. With `synthetic_if_unreachable`, as a demo sets it, `auto`
    generates images when the server cannot be reached; only then, as a damaged archive must not
    pass for a missing network.
    Raises DatasetError for a path that does not exist and for whatever the download meets.
    """
    if choice == SYNTHETIC:
        return Synthetic()
    if choice not in CHOICES:
        return _given(choice, f"The source {choice!r} is none of {', '.join(CHOICES)}, and")
    if given := environ.get(ARCHIVE_VARIABLE):
        return _given(given, f"{ARCHIVE_VARIABLE} is {given!r}, and")
    try:
        target = cache_dir / ARCHIVE_FILE
        if not target.exists():
            download(target, say)
        return CifarArchive.open(target, md5=archive_md5)
    except remote.SourceUnreachable as error:
        if choice == CIFAR100 or not synthetic_if_unreachable:
            raise remote.SourceUnreachable(
                f"{error} Or generate images with `--source synthetic`: all steps run, and their "
                "metrics are meaningless."
            ) from error
        say(
            f"WARNING: {error}\nWARNING: The images are now SYNTHETIC: whatever is measured on "
            "them says nothing about the real task."
        )
        return Synthetic()


def _given(text: str, where: str) -> Source:
    if "://" in text:
        raise DatasetError(
            f"{where} an address is not read: download it, and give the path of the file or folder."
        )
    path = Path(text).expanduser()
    # An empty text would be the current folder.
    if not text or not path.exists():
        raise DatasetError(
            f"{where} no such file exists; give the path of a CIFAR archive, of a folder with a "
            "folder of images for each class, or of MNIST's files."
        )
    return open_source(path)


def open_source(path: Path) -> Source:
    """Return the source at a path: CIFAR or MNIST, packed or not, labelled images, or a folder.

    A folder with idx files, or with a folder of these, or one such file of images, is MNIST; one
    with CIFAR's files, or with a folder of these, is CIFAR; one whose `labels.csv` has the columns
    of this project, or with answers of `inv review`, holds labelled images; another has a folder
    for each class; any other file is an archive of CIFAR. Raises DatasetError when it is none of
    these.
    """
    try:
        if path.is_dir():
            return _open_folder(path)
        if not path.is_file():
            raise DatasetError(f"{path} is not a regular file or folder; give another source.")
        if IdxFiles.at(path):
            return IdxFiles.open(path)
        layout = layout_of(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    return CifarArchive.open(path, layout=layout or CIFAR_100)


def _open_folder(path: Path) -> Source:
    inside = [
        entry for entry in sorted(path.iterdir()) if entry.is_dir() and not is_hidden(entry.name)
    ]
    for folder in (path, *inside):
        if IdxFiles.at(folder):
            return IdxFiles.open(folder)
        if layout := layout_of(folder):
            return CifarArchive.open(folder, layout=layout)
    has_list = (path / LABELS_FILE).is_file()
    # A list that is not understood is named where there are no class folders to read instead.
    if has_answers(path) or (has_list and (len(inside) < 2 or has_label_columns(path))):
        return LabelledFolder.open(path)
    return ImageFolder.open(path)
