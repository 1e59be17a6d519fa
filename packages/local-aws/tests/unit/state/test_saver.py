import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core.stores import Stores
from local_aws.errors import LocalAwsError
from local_aws.state import saver as saving
from local_aws.state.saver import NotSaved, Saver
from local_aws.state.state_folder import Snapshots
from local_aws.testing.aws import eventually


class Kept:
    """A value that is saved by itself, with its saver."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.value: Any = "before"
        self.stores = Stores()
        self.stores.keep("value", lambda: self.value, self.load)
        self.saver = Saver(Snapshots(folder), self.stores)

    def load(self, value: Any) -> None:
        self.value = value

    def saved(self) -> Any:
        """Return the value that a process would start with which is started now."""
        again = Kept(self.folder)
        again.saver.load()
        return again.value


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "state")
    made.saver.start()
    yield made
    made.saver.close()


def test_a_committed_change_is_on_disk(kept: Kept) -> None:
    kept.value = "after"
    kept.saver.commit()
    assert kept.saved() == "after"


def test_an_end_that_was_seen_is_on_disk(kept: Kept) -> None:
    kept.saver.commit()
    with kept.stores.durable_transition():
        kept.value = "ended"
        kept.saver.settle()  # somebody sees it before what ends is through
    assert kept.saved() == "ended"


def test_an_end_that_nobody_saw_is_saved_as_well(kept: Kept) -> None:
    with kept.stores.durable_transition():
        kept.value = "ended"
    kept.saver.close()
    assert kept.saved() == "ended"


def test_nothing_waits_where_no_end_is_unsaved(kept: Kept) -> None:
    kept.saver.commit()
    kept.value = "something that runs"
    kept.saver.settle()
    assert kept.saved() == "before"


def test_callers_that_come_together_are_all_served(kept: Kept) -> None:
    threads = [threading.Thread(target=kept.saver.commit) for _ in range(20)]
    kept.value = "after"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert kept.saved() == "after"


def test_what_is_closed_commits_without_waiting(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody saves any more, so that one who waited would wait for this long.
    monkeypatch.setattr(saving, "COMMIT_SECONDS", 3600.0)
    kept.saver.close()
    for call in (kept.saver.commit, kept.saver.settle):
        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        caller.join(10)
        assert not caller.is_alive()


def make_unwritable(folder: Path) -> Callable[[], None]:
    """Put a file where the folder of the bodies is to be; return what takes it away again."""
    folder.mkdir(exist_ok=True)
    (folder / "bodies").write_bytes(b"")
    return (folder / "bodies").unlink


def test_a_change_that_was_not_saved_is_not_acknowledged_until_saving_works(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "RETRY_SECONDS", 0.01)
    repair = make_unwritable(kept.folder)
    kept.value = "after"
    with pytest.raises(NotSaved, match=r"could not be saved in .*state"):
        kept.saver.commit()
    assert kept.saver.failure and "refused" in kept.saver.problems()[0]
    with kept.stores.durable_transition():
        kept.value = "ended"
    with pytest.raises(NotSaved):
        kept.saver.settle()
    repair()
    eventually(lambda: True if not kept.saver.failure else None)
    kept.saver.commit()
    assert kept.saved() == "ended" and kept.saver.problems() == []


def test_a_save_that_does_not_come_to_its_end_is_no_acknowledgement(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "COMMIT_SECONDS", 0.05)
    done = threading.Event()
    kept.stores.keep("slow", done.wait, lambda _: None)
    with pytest.raises(NotSaved, match="not saved in"):
        kept.saver.commit()
    done.set()


def test_a_long_save_is_awaited_while_it_makes_headway(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "COMMIT_SECONDS", 0.5)
    never = threading.Event()

    def thousands_of_bodies() -> None:
        for _ in range(4):
            kept.saver._snapshots.written += 1
            never.wait(0.3)

    kept.stores.keep("long", thousands_of_bodies, lambda _: None)
    kept.value = "after"
    kept.saver.commit()
    assert kept.saved() == "after"


def test_what_cannot_be_saved_costs_only_itself(kept: Kept) -> None:
    last_good: list[str] = []
    kept.stores.keep("other", lambda: last_good or threading.local(), last_good.append)
    kept.value = "after"
    kept.saver.commit()
    assert kept.saved() == "after"
    assert kept.saver.problems()[0].startswith("other: its records are not saved")
    last_good.append("good")
    kept.saver.commit()
    assert kept.saver.problems() == []
    last_good.clear()
    kept.value = "later"
    kept.saver.commit()
    again = Kept(kept.folder)
    loaded: list[list[str]] = []
    again.stores.keep("other", lambda: None, loaded.append)
    again.saver.load()
    assert again.value == "later" and loaded == [["good"]]


def test_what_cannot_be_loaded_costs_only_itself_and_stays_on_disk(kept: Kept) -> None:
    kept.stores.keep("other", lambda: "good", lambda _: None)
    kept.saver.commit()
    kept.saver.close()
    again = Kept(kept.folder)
    again.stores.keep("other", lambda: "empty", fail)
    again.saver.load()
    assert again.value == "before"
    assert again.saver.problems() == ["other: its saved records are not loaded: no"]
    again.saver.start()
    again.value = "after"
    again.saver.commit()
    again.saver.close()
    found: list[str] = []
    last = Kept(kept.folder)
    last.stores.keep("other", lambda: None, found.append)
    last.saver.load()
    assert last.value == "after" and found == ["good"]


def fail(value: str) -> None:
    raise ValueError("no")


def test_a_byte_that_is_altered_costs_one_store_by_name_or_is_refused(kept: Kept) -> None:
    kept.stores.keep("other", lambda: "good" * 20, lambda _: None)
    kept.value = "after" * 20
    kept.saver.commit()
    kept.saver.close()
    path = kept.folder / "records"
    content = path.read_bytes()
    start = content.index(b"\n") + 1
    costs = set()
    for place in range(start, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        again, found = Kept(kept.folder), list[str]()
        again.stores.keep("other", lambda: None, found.append)
        try:
            again.saver.load()
        except LocalAwsError as error:
            assert "not loaded" in str(error)
            costs.add("all")
            continue
        named = {problem.partition(":")[0] for problem in again.saver.problems()}
        assert again.value == ("before" if "value" in named else kept.value)
        assert found == ([] if "other" in named else ["good" * 20])
        costs |= named
    assert costs >= {"all", "other", "value"}


def test_a_service_whose_records_were_altered_keeps_them_on_disk(kept: Kept) -> None:
    kept.value = "after" * 20
    kept.saver.commit()
    kept.saver.close()
    path = kept.folder / "records"
    path.write_bytes(path.read_bytes().replace(b"after", b"aftex", 1))
    for _ in range(2):
        again = Kept(kept.folder)
        again.saver.load()
        assert "bytes are not those that were written" in again.saver.problems()[0]
        again.saver.start()
        again.saver.close()
        assert b"aftexafter" in path.read_bytes()


def test_a_change_of_a_service_whose_records_cannot_be_saved_is_not_acknowledged(
    kept: Kept,
) -> None:
    kept.value = Path.cwd()  # of a class that is not saved
    with pytest.raises(NotSaved, match="its records are not saved"):
        kept.saver.commit("value")
    kept.saver.commit("another")
    kept.value = "after"
    kept.saver.commit("value")
    assert kept.saved() == "after"


def test_data_of_as_many_levels_as_json_may_have_is_saved(kept: Kept) -> None:
    deep: object = "x"
    for _ in range(950):
        deep = {"a": deep}
    kept.value = deep
    kept.saver.commit("value")
    found, levels = kept.saved(), 0
    while isinstance(found, dict | list):
        found, levels = (found["a"] if isinstance(found, dict) else found[0]), levels + 1
    assert (found, levels >= 950) == ("x", True)


def test_a_body_whose_file_was_deleted_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.s3.models import FakeKey

    monkeypatch.setattr(saving, "LOOK_SECONDS", 0)
    made = Kept(tmp_path / "state")
    made.value = FakeKey(name="k", value=b"b" * 10_000, account_id="1", region_name="us-east-1")
    made.saver.start()
    made.saver.commit()
    bodies = list((tmp_path / "state" / "bodies").iterdir())
    for body in bodies:
        body.unlink()
    made.saver.commit()
    made.saver.close()
    assert made.saved().value == b"b" * 10_000
    assert {body.name for body in bodies} == Snapshots(tmp_path / "state").stored
