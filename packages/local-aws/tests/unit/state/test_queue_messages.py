from typing import Any

import pytest
from moto.sqs.models import Message, Queue, SQSBackend

from local_aws.sqs.patches import unix_time_millis
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads

pytestmark = pytest.mark.usefixtures("patched_moto")


def message(number: int) -> Message:
    made = Message(f"id-{number}", f"body {number}")
    # moto declares it as None.
    vars(made)["sent_timestamp"] = int(unix_time_millis()) + number
    return made


def queue(name: str, **attributes: Any) -> Queue:
    # As moto makes one itself.
    return Queue(name, "us-east-1", "123456789012", **attributes)  # type: ignore[abstract]


class World:
    """A backend with one queue, and one save after another of it."""

    def __init__(self, count: int = 0, **attributes: Any) -> None:
        self.backend = SQSBackend("us-east-1", "123456789012")
        self.queue = queue("q", **attributes)
        self.backend.queues["q"] = self.queue
        self.blobs = new_blobs()
        self.bodies: dict[str, bytes] = {}
        for number in range(count):
            self.queue.add_message(message(number))

    def save(self) -> int:
        """Return how many bodies a save brought with it."""
        self.blobs.start()
        self.records = dumps(self.queue, self.blobs)
        self.bodies |= self.blobs.new
        self.blobs.stored |= set(self.blobs.new)
        return len(self.blobs.new)

    def loaded(self) -> Queue:
        back: Queue = loads(self.records, self.bodies.__getitem__)
        return back

    def receive(self, count: int = 1) -> list[Any]:
        return self.backend.receive_message("q", count, 0, 30)


def test_a_queue_comes_back_with_its_messages_in_their_order() -> None:
    world = World(200)
    world.save()
    assert [found.body for found in world.loaded()._messages] == [
        f"body {number}" for number in range(200)
    ]


def test_one_message_sent_received_or_deleted_saves_itself_alone() -> None:
    world = World(2000)
    assert world.save() == 1
    assert world.save() == 0
    whole = sum(map(len, world.bodies.values()))
    world.queue.add_message(message(5000))
    world.save()
    (received,) = world.receive()
    world.save()
    world.backend.delete_message("q", received.receipt_handle)
    assert world.save() == 1
    assert sum(map(len, world.bodies.values())) < 1.01 * whole
    back = world.loaded()
    assert len(back._messages) == 2000 and received.id not in {m.id for m in back._messages}


def test_a_message_in_flight_is_in_flight_after_loading() -> None:
    world = World(2)
    (received,) = world.receive()
    world.save()
    back = world.loaded()
    assert [found.id for found in back.messages] == ["id-1"]
    assert len(back._messages) == 2
    back.delete_message(received.receipt_handle)
    assert [found.id for found in back._messages] == ["id-1"]


def test_a_purged_queue_is_saved_empty() -> None:
    world = World(3)
    world.save()
    world.backend.purge_queue("q")
    world.save()
    assert world.loaded()._messages == []


def test_messages_in_the_dead_letters_are_saved_there_and_not_where_they_came_from() -> None:
    world = World(1)
    dead = queue("dead")
    world.save()
    (moved,) = world.queue._messages
    world.queue._messages.remove(moved)
    dead.add_message(moved)
    world.save()
    assert world.loaded()._messages == []


def test_deleting_twice_is_no_error_and_a_foreign_handle_is_one() -> None:
    world = World(1)
    (received,) = world.receive()
    for _ in range(2):
        world.backend.delete_message("q", received.receipt_handle)
    assert list(world.queue.messages) == [] and not world.queue.messages
    with pytest.raises(Exception, match="receipt handle is invalid"):
        world.backend.delete_message("q", "foreign")
