"""Deterministic zips: the same files give the same bytes, wherever and whenever they are packed.

`repro-zipfile` does the same, but takes date and mode from the environment where it sets
them; here nothing but names and contents may reach the bytes.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX = 3
REGULAR_0644 = 0o100644 << 16


def zip_bytes(entries: Mapping[str, bytes]) -> bytes:
    """Return a zip of these contents by archive name: sorted, 1980-01-01, 0644, no folders."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = REGULAR_0644
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name], compresslevel=9)
    return buffer.getvalue()


def content_sha256(entries: Mapping[str, bytes]) -> str:
    """Return the identity of the contents: 64 hexadecimal digits over sorted names and bytes.

    Unlike the zip's own hash it does not depend on the zlib that compressed it.
    """
    digest = hashlib.sha256()
    for name in sorted(entries):
        digest.update(f"{name}\0{hashlib.sha256(entries[name]).hexdigest()}\n".encode())
    return digest.hexdigest()
