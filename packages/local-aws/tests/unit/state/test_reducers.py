from dataclasses import dataclass

from local_aws.state.pickling import new_blobs
from local_aws.state.reducers import CHUNK, Chunks


@dataclass
class Entry:
    timestamp: int


class Stream:
    """What owns the entries."""


def test_whole_chunks_are_saved_once() -> None:
    blobs, owner = new_blobs(), Stream()
    blobs.dump = lambda items: repr(items).encode()
    entries = [Entry(number) for number in range(CHUNK + CHUNK // 2)]
    blobs.start()
    Chunks(owner, entries, blobs)
    assert len(blobs.new) == 2
    blobs.stored |= set(blobs.new)
    entries.append(Entry(CHUNK * 2))
    blobs.start()
    Chunks(owner, entries, blobs)
    assert len(blobs.new) == 1


def test_a_few_entries_stay_in_the_records() -> None:
    blobs = new_blobs()
    blobs.start()
    found = Chunks(Stream(), [Entry(1), Entry(2)], blobs)
    assert not blobs.new and found.rest == [Entry(1), Entry(2)] and not found.chunks


def test_what_is_periodic_is_read_when_the_generation_changes() -> None:
    blobs, owner, reads = new_blobs(), Stream(), []

    def dump(value: object) -> bytes:
        reads.append(value)
        return repr(value).encode()

    blobs.dump = dump
    for generation, expected in ((1, 1), (1, 1), (2, 2)):
        blobs.start(generation)
        blobs.periodic(owner, "metrics", {"a": generation})
        blobs.stored |= set(blobs.new)
        assert len(reads) == expected
