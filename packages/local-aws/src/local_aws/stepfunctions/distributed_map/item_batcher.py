"""The batches of a Distributed Map: which items go into the input of one child execution.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.stepfunctions.json_data import MAX_STATE_BYTES, compact


@dataclass(frozen=True, slots=True)
class ChildInput:
    """The input of one child execution, and how many items are in it.

    `previous` is the child's record before a redrive, None where there is none.
    """

    value: Any
    item_count: int = 1
    previous: Any = None


def single_inputs(items: Sequence[Any]) -> list[ChildInput]:
    """Return one input for each item: without an ItemBatcher."""
    return [ChildInput(item) for item in items]


def batched_inputs(
    items: Sequence[Any], max_items: int, max_bytes: int, shared: Any = None
) -> list[ChildInput]:
    """Return inputs `{"BatchInput": shared, "Items": [...]}` that keep both limits.

    A limit of 0 stands for none but the quota of 262,144 bytes. An item that is over the limit
    by itself makes a batch of its own.
    """
    before = {} if shared is None else {"BatchInput": shared}
    limit = min(max_bytes or MAX_STATE_BYTES, MAX_STATE_BYTES)
    room = limit - _bytes(compact({**before, "Items": []}))
    return [
        ChildInput({**before, "Items": batch}, len(batch))
        for batch in _cut(items, max_items or len(items), room)
    ]


def _cut(items: Sequence[Any], max_items: int, room: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    used = 0
    for item in items:
        size = _bytes(compact(item)) + 1  # the comma
        if batch and (len(batch) >= max_items or used + size - 1 > room):
            yield batch
            batch, used = [], 0
        batch.append(item)
        used += size
    if batch:
        yield batch


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
