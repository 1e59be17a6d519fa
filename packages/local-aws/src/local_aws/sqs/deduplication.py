"""FIFO queues: a message that was sent already is not sent again for five minutes.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
"""

from typing import Any

# How long a deduplication id counts, though its message may have been deleted by then.
SECONDS = 300.0
_SENT = "local_aws_deduplication"
_FIRST_SEQUENCE_NUMBER = 18_000_000_000_000_000_000


def is_new(queue: Any, message: Any) -> bool:
    """Return whether a message of a FIFO queue is to be kept; give it its sequence number.

    A duplicate gets the ids that the first message got.
    """
    sent: dict[Any, tuple[str, str, float]] = vars(queue).setdefault(_SENT, {})
    now = message.sent_timestamp / 1000
    for old in [key for key, (_, _, at) in sent.items() if now - at >= SECONDS]:
        del sent[old]
    per_group = getattr(queue, "deduplication_scope", "queue") == "messageGroup"
    key = f"{message.group_id if per_group else ''}\n{message.deduplication_id}"
    if message.deduplication_id and key in sent:
        message.id, message.sequence_number, _ = sent[key]
        return False
    number = vars(queue).get(f"{_SENT}_number", _FIRST_SEQUENCE_NUMBER) + 256
    vars(queue)[f"{_SENT}_number"] = number
    message.sequence_number = str(number)
    if message.deduplication_id:
        sent[key] = message.id, message.sequence_number, now
    return True
