from local_aws.core.clock import Clock
from local_aws.core.stores import Stores
from local_aws.core.work_queue import WorkQueue
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads


class World:
    """A queue of work that is never done, and one save after another of it."""

    def __init__(self) -> None:
        self.queue: WorkQueue[bytes] = WorkQueue("w", Clock(), lambda *_: None, Stores())
        self.blobs = new_blobs()
        self.bodies: dict[str, bytes] = {}

    def save(self) -> int:
        """Return how many bytes a save wrote besides the records."""
        self.blobs.start()
        self.records = dumps(self.queue, self.blobs)
        self.bodies |= self.blobs.new
        self.blobs.stored |= set(self.blobs.new)
        return sum(map(len, self.blobs.new.values()))

    def loaded(self) -> dict[str, bytes]:
        found = loads(self.records, self.bodies.__getitem__)
        return {identity: entry.work for identity, entry in found.items()}


def test_a_queue_comes_back_with_what_is_not_done() -> None:
    world = World()
    assert world.save() == 0 and world.loaded() == {}
    for number in range(100):
        world.queue.accept(str(number), b"body")
        world.save()
    for number in range(99):
        world.queue.done(str(number))
    world.queue.again("99", b"again", 60)
    world.save()
    assert world.loaded() == {"99": b"again"}


def test_a_queue_that_gets_short_and_long_again_comes_back_whole() -> None:
    world = World()
    for count in (30, 5, 25, 0, 40):
        for number in range(40):
            world.queue.done(str(number))
        for number in range(count):
            world.queue.accept(str(number), b"%d" % count)
        world.save()
        assert world.loaded() == {str(number): b"%d" % count for number in range(count)}


def test_a_save_writes_only_the_work_that_came_since_the_last_one() -> None:
    world = World()
    for number in range(50):
        world.queue.accept(str(number), b"x" * 10_000)
    assert world.save() > 500_000
    world.queue.accept("one more", b"x")
    assert 0 < world.save() < 1000
    assert world.save() == 0
