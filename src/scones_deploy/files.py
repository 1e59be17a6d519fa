"""Writes that are whole or do not happen."""

import os
import tempfile
from pathlib import Path


def write_if_changed(path: Path, content: bytes, *, mode: int = 0o644) -> bool:
    """Make `path` hold `content` and return whether it had to be written.

    A reader sees the old content or the new one, never a part: the bytes go to a file beside
    it that then takes its place. A file that holds them already keeps its modification time.
    """
    if path.is_file() and path.read_bytes() == content:
        path.chmod(mode)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
