"""Which images to take: a given archive, the original, or drawn ones when nothing else is there."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from scones_core.errors import DatasetError
from scones_etl import download as remote
from scones_etl.cifar import CifarArchive
from scones_etl.detect import open_source
from scones_etl.raw import Source
from scones_etl.synthetic import Synthetic

ARCHIVE_VARIABLE = "SCONES_CIFAR100"
ARCHIVE_FILE = "cifar-100-python.tar.gz"
CHOICES = ("auto", "cifar100", "synthetic")

Download = Callable[[Path, remote.Say], None]


def resolve_source(
    choice: str,
    *,
    cache_dir: Path,
    environ: Mapping[str, str] = os.environ,
    download: Download = remote.CIFAR100.fetch,
    say: remote.Say = print,
    archive_md5: str = remote.CIFAR100.md5,
) -> Source:
    """Return the source for `auto`, `cifar100`, `synthetic`, or for a path.

    What lies at a path is told by its content: see `detect.open_source`.
    `cifar100` is the archive that SCONES_CIFAR100 names, else the one in `cache_dir`, which
    `download(target, say)` fills. `auto` is the same, but draws images when the server cannot
    be reached; only then, as a damaged archive must not pass for a missing network.
    Raises DatasetError for a path that does not exist and for whatever the download meets.
    """
    if choice == "synthetic":
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
        if choice == "cifar100":
            raise
        say(
            f"WARNING: {error}\nWARNING: The images are now DRAWN ones (synthetic): whatever is "
            "measured on them says nothing about the real task."
        )
        return Synthetic()


def _given(text: str, who: str) -> Source:
    path = Path(text).expanduser()
    if not path.exists():
        raise DatasetError(
            f"{who} no such file exists; give the path of a CIFAR archive, of a folder with a "
            "folder of images for each class, or of MNIST's files."
        )
    return open_source(path)
