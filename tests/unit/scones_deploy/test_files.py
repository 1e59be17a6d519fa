from pathlib import Path

import pytest

from scones_deploy.files import write_if_changed


def test_content_and_mode_are_written_and_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert write_if_changed(path, b"new", mode=0o755)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o755)


def test_the_same_content_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_if_changed(path, b"same")
    before = path.stat()
    assert not write_if_changed(path, b"same")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_write_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "kept").touch()
    with pytest.raises(OSError):
        write_if_changed(folder, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
