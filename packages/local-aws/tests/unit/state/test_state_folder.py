import contextlib
import errno
import hashlib
import json
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.core.context import Context
from local_aws.errors import LocalAwsError
from local_aws.state import state_folder
from local_aws.state.state_folder import Snapshots

BODY = b"a body"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    made = Snapshots(tmp_path / "state")
    made.write(b"records", {DIGEST: BODY})
    return made


def test_what_was_written_is_read(snapshots: Snapshots) -> None:
    assert snapshots.exist()
    assert snapshots.read() == (b"records", True)
    assert snapshots.body(DIGEST) == BODY and snapshots.stored == {DIGEST}


def test_many_bodies_are_written_and_counted(snapshots: Snapshots) -> None:
    bodies = [str(number).encode() for number in range(50)]
    new = {hashlib.sha256(body).hexdigest(): body for body in bodies}
    snapshots.write(b"more", new)
    assert snapshots.written == 51
    assert snapshots.stored == {DIGEST, *new}
    assert [snapshots.body(digest) for digest in new] == bodies


def test_nobody_else_can_read_it(snapshots: Snapshots) -> None:
    for path in (snapshots.folder, *snapshots.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_no_record_names_any_more_is_removed(snapshots: Snapshots) -> None:
    snapshots.write(b"others", {})
    snapshots.remove({DIGEST})
    assert snapshots.stored == set() and snapshots.read() == (b"others", True)


def test_cleared_state_is_gone(snapshots: Snapshots) -> None:
    snapshots.clear()
    assert not snapshots.folder.exists()


@pytest.mark.parametrize(("name", "value"), [("format", 0), ("moto", "4.0.0"), ("python", "2.7")])
def test_state_of_another_program_is_refused_with_what_to_do(
    snapshots: Snapshots, name: str, value: int | str
) -> None:
    path = snapshots.folder / "records"
    stamp, _, records = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(stamp), name: value}).encode() + b"\n" + records)
    with pytest.raises(LocalAwsError, match=r"not loaded.*local\.reset"):
        snapshots.read()


def test_altered_records_are_known_as_such(snapshots: Snapshots) -> None:
    path = snapshots.folder / "records"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert snapshots.read() == (b"recordx", False)


@pytest.mark.parametrize("content", [b"", b"\n", b"[]\nx", b"\xff\nx", b"records"])
def test_a_file_without_a_stamp_is_refused(snapshots: Snapshots, content: bytes) -> None:
    (snapshots.folder / "records").write_bytes(content)
    with pytest.raises(LocalAwsError, match=r"stamp.*local\.reset"):
        snapshots.read()


@pytest.mark.parametrize("content", [b"", b"another body"])
def test_a_changed_body_is_refused(snapshots: Snapshots, content: bytes) -> None:
    (snapshots.folder / "bodies" / DIGEST).write_bytes(content)
    with pytest.raises(LocalAwsError, match=r"bodies/.*local\.reset"):
        snapshots.body(DIGEST)


def test_what_the_disk_does_not_give_is_refused_in_a_sentence(snapshots: Snapshots) -> None:
    for path, refused in (
        (snapshots.folder / "bodies" / DIGEST, lambda: snapshots.body(DIGEST)),
        (snapshots.folder / "records", snapshots.read),
    ):
        path.unlink()
        path.mkdir()  # reading it fails as it does on a broken disk
        with pytest.raises(LocalAwsError, match="cannot be read"):
            refused()


def test_a_missing_body_is_refused(snapshots: Snapshots) -> None:
    (snapshots.folder / "bodies" / DIGEST).unlink()
    with pytest.raises(LocalAwsError, match=r"local\.reset"):
        snapshots.body(DIGEST)


@contextlib.contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Have writes end short at that size, as on a full disk: some bytes are taken, then none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("new", [{}, {"1" * 64: b"x" * 9000}], ids=["records", "a body"])
def test_a_disk_that_takes_only_a_part_leaves_the_last_good_state(
    snapshots: Snapshots, new: dict[str, bytes]
) -> None:
    before = sorted(snapshots.folder.rglob("*"))
    with limited_file_size(4096), pytest.raises(OSError):
        snapshots.write(b"r" * 9000, new)
    assert snapshots.read() == (b"records", True) and snapshots.body(DIGEST) == BODY
    assert sorted(snapshots.folder.rglob("*")) == before
    snapshots.write(b"r" * 9000, new)
    assert snapshots.read() == (b"r" * 9000, True)


def test_bodies_that_the_records_name_outlive_a_save_that_failed_twice(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = b"another body"
    new = {hashlib.sha256(other).hexdigest(): other}

    def fail_for_the_records(folder: Path) -> None:
        if folder == snapshots.folder:
            raise OSError(errno.EIO, "no sync")

    with monkeypatch.context() as patched:
        patched.setattr(state_folder, "_sync_folder", fail_for_the_records)
        with pytest.raises(OSError):
            snapshots.write(b"others", new)  # these have their name already
    with limited_file_size(4096), pytest.raises(OSError):
        snapshots.write(b"r" * 9000, new)
    assert snapshots.read() == (b"others", True)
    assert [snapshots.body(digest) for digest in new] == [other]


def test_a_folder_that_a_user_deleted_is_not_made_again(tmp_path: Path) -> None:
    home = tmp_path / "deleted"
    with pytest.raises(FileNotFoundError):
        Snapshots(home / "state").write(b"records", {})
    with pytest.raises(FileNotFoundError):
        Context(home, "http://127.0.0.1:1").folder("lambda", "code")
    assert not home.exists()
    home.mkdir()
    assert Context(home, "http://127.0.0.1:1").folder("lambda", "a/b") == home / "lambda/a/b"
