import time

import pytest

from local_aws.core.bounded_calls import BoundedCalls, TooCostly
from local_aws.errors import LocalAwsError


def test_the_value_and_the_error_of_a_call_come_back() -> None:
    calls = BoundedCalls("local_aws.stepfunctions.query_language.jsonata:evaluated", 20)
    assert [calls("1 + 1", {}), calls("[$a]", {"a": 1})] == [2, [1]]
    with pytest.raises(LocalAwsError, match="returned nothing"):
        calls("$a", {})


def test_a_call_that_takes_too_long_ends_and_the_next_one_is_answered() -> None:
    sleep = BoundedCalls("time:sleep", 1)
    began = time.monotonic()
    with pytest.raises(TooCostly, match="more than 1 seconds"):
        sleep(600)
    assert time.monotonic() - began < 60
    assert sleep(0) is None


def test_a_call_that_takes_too_much_memory_ends() -> None:
    with pytest.raises(TooCostly):
        BoundedCalls("builtins:bytearray", 20)(1 << 40)


def test_arguments_that_are_nested_too_deeply_are_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LocalAwsError, match="cannot be handed on"):
        BoundedCalls("builtins:len", 20)(deep)
