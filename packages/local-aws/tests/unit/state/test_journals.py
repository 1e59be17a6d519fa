import random
from collections.abc import Hashable
from typing import Any

from local_aws.state.journals import Journal, merged
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads


class Saves:
    """One save after another of a dictionary."""

    def __init__(self) -> None:
        self.journal, self.blobs = Journal(), new_blobs()
        self.live: dict[int, Any] = {}
        self.bodies: dict[str, bytes] = {}
        self.written = 0

    def put(self, key: int, value: float | str) -> None:
        self.live[key] = value
        self.journal.note(key)

    def remove(self, key: int) -> None:
        del self.live[key]
        self.journal.note(key)

    def __call__(self, *, stored: bool = True) -> dict[Hashable, Any]:
        """Save; return what was loaded from it."""
        self.blobs.start()
        records = dumps(self.journal.saved(self.blobs, self.live.get), self.blobs)
        bodies = {**self.bodies, **self.blobs.new}
        if stored:
            self.blobs.stored |= set(self.blobs.new)
            self.bodies = bodies
        self.files = len(self.blobs.new)
        self.written += sum(map(len, self.blobs.new.values()))
        return merged(loads(records, bodies.__getitem__))


def test_a_collection_comes_back_whatever_was_done_to_it() -> None:
    draw, save = random.Random(5), Saves()
    for _ in range(300):
        for _ in range(draw.randrange(4)):
            key = draw.randrange(60)
            if key in save.live and draw.random() < 0.4:
                save.remove(key)
            else:
                save.put(key, draw.random())
        assert save(stored=draw.random() < 0.8) == save.live
        assert save.files <= 8


def test_each_entry_is_written_about_log_n_times() -> None:
    save = Saves()
    for number in range(2048):
        save.put(number, "x" * 50)
        save()
    assert save.written < 2048 * 80 * 14
    assert len(save.journal._segments) <= 12


def test_what_is_gone_leaves_nothing_behind_in_the_end() -> None:
    save = Saves()
    for number in range(500):
        save.put(number, "x")
        save()
    for number in range(500):
        save.remove(number)
        save()
    assert sum(len(segment.keys) for segment in save.journal._segments) < 500
    for number in range(1000, 2000):
        save.put(number, "x")
    save()
    assert sum(len(segment.keys) for segment in save.journal._segments) == 1000
