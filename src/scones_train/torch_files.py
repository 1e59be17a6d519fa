"""Files of `torch.save` from elsewhere: nothing in one is run, and none swells as it is read."""

import zipfile
from typing import Any, BinaryIO

import torch


class SwollenFile(ValueError):
    """An archive would unpack to more bytes than it may."""


def load_tensors(file: BinaryIO, max_bytes: int) -> Any:
    """Return what a file holds, its tensors in the CPU's memory.

    Raises SwollenFile for an archive that would unpack to more than `max_bytes`: `torch.save`
    packs nothing, but PyTorch unpacks what another program packed. Otherwise raises as
    `torch.load`, whose errors have no common base.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > max_bytes:
                raise SwollenFile(f"it unpacks to over {max_bytes:,} bytes")
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=True)
