from local_aws.stepfunctions.distributed_map.item_batcher import (
    ChildInput,
    batched_inputs,
    single_inputs,
)
from local_aws.stepfunctions.json_data import compact


def lengths(inputs: list[ChildInput]) -> list[int]:
    return [given.item_count for given in inputs]


def test_without_batches_each_item_is_an_input() -> None:
    assert single_inputs(["a", 2]) == [ChildInput("a"), ChildInput(2)]


def test_a_batch_holds_so_many_items() -> None:
    assert lengths(batched_inputs([1, 2, 3, 4, 5], 2, 0)) == [2, 2, 1]
    assert batched_inputs([], 2, 0) == []


def test_a_batch_holds_so_many_bytes_of_utf8() -> None:
    items = ["ü" * 10] * 4
    two = len(compact({"Items": items[:2]}).encode())
    assert lengths(batched_inputs(items, 0, two)) == [2, 2]
    assert lengths(batched_inputs(items, 0, two - 1)) == [1, 1, 1, 1]


def test_no_batch_is_over_the_quota_of_a_state() -> None:
    batches = batched_inputs(["x" * 100_000] * 3, 0, 10_000_000, {"shared": "y" * 50_000})
    assert lengths(batches) == [2, 1]
    assert all(len(compact(batch.value).encode()) <= 262_144 for batch in batches)


def test_an_item_over_the_limit_is_a_batch_of_its_own() -> None:
    assert lengths(batched_inputs(["x" * 100, "y"], 0, 20)) == [1, 1]


def test_what_all_batches_share_is_in_each() -> None:
    (batch,) = batched_inputs([1], 5, 0, {"a": 1})
    assert batch.value == {"BatchInput": {"a": 1}, "Items": [1]}
