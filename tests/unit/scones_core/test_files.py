from pathlib import Path

import pytest

from scones_core.files import write_atomically


def test_a_file_is_written_into_a_folder_that_did_not_exist(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", "{}")
    assert (tmp_path / "a" / "b.json").read_text() == "{}"


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]
