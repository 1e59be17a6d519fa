import threading
from pathlib import Path

import pytest

from local_aws.state.saver import Saver
from local_aws.state.state_folder import Snapshots
from local_aws.state.stores import Stores


class Kept:
    """A value that is saved by itself, with its saver."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.value = folder, "before"
        self.stores = Stores()
        self.stores.keep("value", lambda: self.value, self.load)
        self.saver = Saver(Snapshots(folder), self.stores)

    def load(self, value: str) -> None:
        self.value = value

    def saved(self) -> str:
        """Return the value that a process would start with which is started now."""
        again = Kept(self.folder)
        again.saver.load()
        return again.value


@pytest.fixture
def kept(tmp_path):
    made = Kept(tmp_path / "state")
    made.saver.start()
    yield made
    made.saver.close()


def test_a_committed_change_is_on_disk(kept):
    kept.value = "after"
    kept.saver.commit()
    assert kept.saved() == "after"


def test_an_end_that_was_seen_is_on_disk(kept):
    kept.saver.commit()
    with kept.stores.outcome():
        kept.value = "ended"
        kept.saver.settle()  # somebody sees it before what ends is through
    assert kept.saved() == "ended"


def test_an_end_that_nobody_saw_is_saved_as_well(kept):
    with kept.stores.outcome():
        kept.value = "ended"
    kept.saver.close()
    assert kept.saved() == "ended"


def test_nothing_waits_where_no_end_is_unsaved(kept):
    kept.saver.commit()
    kept.value = "something that runs"
    kept.saver.settle()
    assert kept.saved() == "before"


def test_callers_that_come_together_are_all_served(kept):
    threads = [threading.Thread(target=kept.saver.commit) for _ in range(20)]
    kept.value = "after"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert kept.saved() == "after"


def test_what_is_closed_commits_without_waiting(kept):
    kept.saver.close()
    kept.saver.commit()
    kept.saver.settle()
