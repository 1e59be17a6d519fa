from pathlib import Path

import pytest

from scones_core.files import sha256_of, write_atomically, write_if_changed, write_json


def test_a_file_is_written_into_a_folder_that_did_not_exist(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", "{}")
    assert (tmp_path / "a" / "b.json").read_text() == "{}"


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


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


def test_json_is_the_same_text_for_the_same_content_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5]})
    write_json(tmp_path / "b.json", {"a": [1.5], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_file_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    # FIPS 180-4's own example.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "file") == digest
