import contextlib
import io
import random
import shutil
import stat
import struct
import time
import zipfile
from pathlib import Path
from typing import Any
from zipfile import ZipInfo

import pytest

from local_aws.errors import LocalAwsError
from local_aws.lambda_ import packages
from local_aws.lambda_.packages import check_zip, unpack


def packed(
    *entries: tuple[str | ZipInfo, bytes | str], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_files_folders_and_the_executable_bit_are_unpacked(tmp_path: Path) -> None:
    tool = zipfile.ZipInfo("bin/tool")
    tool.external_attr = 0o755 << 16
    unpack(packed(("a.py", "x = 1"), ("pkg/b.py", ""), (tool, "#!")), tmp_path / "task")
    assert (tmp_path / "task/a.py").read_text() == "x = 1"
    assert (tmp_path / "task/pkg/b.py").exists()
    assert (tmp_path / "task/bin/tool").stat().st_mode & stat.S_IXUSR


def test_an_unpacked_package_is_left_as_it_is(tmp_path: Path) -> None:
    content = packed(("a.py", "x = 1"))
    unpack(content, tmp_path / "task")
    (tmp_path / "task/mark").touch()
    unpack(content, tmp_path / "task")
    assert (tmp_path / "task/mark").exists()


@pytest.mark.parametrize("name", ["../a.py", "/etc/a", "a/../../b", "..\\a", "C:/a", "x\\..\\y"])
def test_an_entry_outside_of_the_package_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(LocalAwsError, match="outside"):
        unpack(packed(("good.py", ""), (name, "evil")), tmp_path / "in/task")
    assert list(tmp_path.rglob("*.py")) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(LocalAwsError, match="link or device"):
        check_zip(packed((entry, "/etc/passwd")))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="at most 1,000 bytes"):
        unpack(packed(("zeros", b"\0" * 1_000_001)), tmp_path / "task", max_bytes=1000)
    assert not (tmp_path / "task").exists()


def test_a_package_of_a_million_names_is_refused_before_it_costs_anything() -> None:
    plain = packed(("a", ""))
    start, end = plain.index(b"PK\1\2"), plain.index(b"PK\5\6")
    directory = plain[start:end] * 1_000_000
    where = struct.pack("<II", len(directory), start)
    content = plain[:start] + directory + plain[end : end + 12] + where + plain[end + 20 :]
    before = time.thread_time()
    with pytest.raises(LocalAwsError, match="1,000,000 files; at most 50,000"):
        check_zip(content)
    assert time.thread_time() - before < 2


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_of_which_a_little_unpacks_to_gigabytes_at_once_is_refused(method: int) -> None:
    with pytest.raises(LocalAwsError, match="deflate"):
        check_zip(packed(("a.py", "x = 1"), method=method))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 10])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(LocalAwsError, match="no zip"):
        check_zip(content)


def test_a_damaged_entry_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    content = bytearray(packed(("a.py", "x" * 500 + "y" * 500)))
    content[35:40] = b"\xff\xff\xff\xff\xff"
    with pytest.raises(LocalAwsError, match="unpacked"):
        unpack(bytes(content), tmp_path / "task")
    assert list(tmp_path.iterdir()) == []


def test_altered_packages_are_unpacked_or_refused(tmp_path: Path) -> None:
    rng, original = random.Random(0), packed(("a.py", "x = 1\n" * 50), ("b/c.py", "y = 2\n" * 50))
    for number in range(300):
        altered = bytearray(original)
        altered[rng.randrange(len(altered))] = rng.randrange(256)
        with contextlib.suppress(LocalAwsError):
            unpack(bytes(altered), tmp_path / str(number))


def test_layers_that_another_thread_laid_out_meanwhile_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = packed(("python/a.py", "x = 1"))

    def lay_out_twice(source: Path, target: Path, **options: Any) -> Path:
        monkeypatch.undo()
        packages.laid_out([content], ["sha"], tmp_path)
        return shutil.copytree(source, target, **options)

    monkeypatch.setattr("shutil.copytree", lay_out_twice)
    target = packages.laid_out([content], ["sha"], tmp_path)
    assert target is not None
    assert (target / "python/a.py").read_text() == "x = 1"
