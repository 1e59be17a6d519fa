"""SQS's messages: a save writes those that were sent, received or deleted since the last one.

Which messages are in flight shows in their times; receipt handles of deleted messages are not
saved.
"""

from typing import Any
from weakref import WeakKeyDictionary

from local_aws.core.patching import patch
from local_aws.state.blobs import Blobs, Reduced, made_of
from local_aws.state.constructors import constructor
from local_aws.state.journals import Journal, merged

_WHY = "keeps everything in memory only"
_journals: WeakKeyDictionary[Any, Journal] = WeakKeyDictionary()
# The journal of the queue that a message is in.
_owners: WeakKeyDictionary[Any, Journal] = WeakKeyDictionary()


def queue(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a queue of moto's; one of type FIFO is saved whole."""
    if value.fifo_queue:  # its groups in flight are those of the very messages
        return None
    state = {**value.__dict__, "_pending_messages": set(), "deleted_messages": set()}
    state["_messages"] = _Messages(value, blobs)
    return made_of(value, state)


class _Messages:
    """Stands for a queue's messages."""

    def __init__(self, owner: Any, blobs: Blobs) -> None:
        journal = _journals.get(owner)
        if journal is None:
            journal = _journals[owner] = Journal()
            for message in list(owner._messages):
                _owners[message] = journal
                journal.note(message.id)
        messages: dict[str, Any] = {}

        def message_of(identity: str) -> Any:
            if not messages:
                messages.update((message.id, message) for message in list(owner._messages))
                messages.setdefault("", None)
            return messages.get(identity)

        self._segments = journal.saved(blobs, message_of)

    def __reduce__(self) -> tuple[Any, ...]:
        return queue_messages, (self._segments,)


def note_change(message: Any) -> None:
    """Have the next save read a message again."""
    journal = _owners.get(message)
    if journal is not None:
        journal.note(message.id)


def note_sent(owner: Any, message: Any) -> None:
    """Note that a queue got a message, perhaps from another one."""
    note_change(message)
    journal = _journals.get(owner)
    if journal is not None:
        _owners[message] = journal
        journal.note(message.id)


@constructor
def queue_messages(segments: tuple[dict[Any, Any], ...]) -> list[Any]:
    """Return a queue's messages from its segments, in the order in which they were sent."""
    messages = merged(segments).values()
    return sorted(messages, key=lambda message: message.sent_timestamp or 0)


@patch("moto.sqs.models.Message.mark_received", why=_WHY)
@patch("moto.sqs.models.Message.change_visibility", why=_WHY)
@patch("moto.sqs.models.Message.delay", why=_WHY)
def change_message(original: Any, message: Any, *args: Any, **more: Any) -> None:
    """Note that a message was received, hidden, shown or delayed."""
    original(message, *args, **more)
    note_change(message)


@patch("moto.sqs.models.SQSBackend.purge_queue", why=_WHY)
def purge_queue(original: Any, backend: Any, queue_name: str) -> None:
    """Note that all messages of a queue are gone."""
    messages = list(backend.get_queue(queue_name)._messages)
    original(backend, queue_name)
    for message in messages:
        note_change(message)
