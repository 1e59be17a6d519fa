from typing import Any

import pytest

from local_aws.core.request_chains import (
    MAX_INVOCATIONS,
    Chain,
    LoopFound,
    Loops,
    current,
    follow_requests,
    following,
    invocations,
    invoked,
    started,
    without_lineage,
)

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:other"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"


def test_a_chain_invokes_a_function_16_times() -> None:
    header = ""
    for count in range(MAX_INVOCATIONS):
        assert invocations(header, FUNCTION) == count
        header = invoked(invoked(header, f"{FUNCTION}:{count}"), f"{OTHER}{count}")
    with pytest.raises(LoopFound):
        invoked(header, FUNCTION)
    assert invocations(invoked(header, FUNCTION, allowed=True), FUNCTION) == MAX_INVOCATIONS + 1


def test_what_lambda_does_not_see_does_not_count_as_its_loop() -> None:
    header = ""
    for _ in range(MAX_INVOCATIONS + 5):
        header = without_lineage(invoked(header, FUNCTION))
    assert invocations(header, FUNCTION) == 0
    assert invocations(started(invoked("", FUNCTION), MACHINE), FUNCTION) == 0
    assert without_lineage("") == ""


def test_a_chain_keeps_its_root_and_counts_executions() -> None:
    header = started(started("", MACHINE), f"{MACHINE}:3")
    chain = Chain.parse(header)
    assert list(chain.passed.values()) == [2]
    assert chain.header() == header
    assert Chain.parse(invoked(header, FUNCTION)).root == chain.root


@pytest.mark.parametrize(
    "header", ["", "Root=;Lineage=x", "Root=1-x-y;Sampled=0", ";;;=", "Self=1-67891233-abcdef"]
)
def test_a_header_without_a_chain_begins_one(header: str) -> None:
    first, second = Chain.parse(header), Chain.parse(header)
    assert first.root != second.root
    assert first.lineage == first.passed == {}


def test_a_chain_of_many_names_forgets_those_of_long_ago() -> None:
    header = ""
    for number in range(200):
        header = invoked(header, f"{OTHER}{number}")
    assert len(header) < 4_096
    assert invocations(header, f"{OTHER}199") == 1


def test_what_comes_back_too_fast_is_a_loop() -> None:
    root = Chain.parse("").root
    loops = Loops(max_repeats=3)
    for before in (1, 2, 3):
        loops.note(root, "a", before)
    loops.note(root, "b", 5)
    for _ in range(2):
        with pytest.raises(LoopFound):
            loops.note(root, "a", 4)


def test_what_comes_back_once_for_each_of_many_items_is_no_loop() -> None:
    root = Chain.parse("").root
    loops = Loops(max_repeats=3)
    for _ in range(300):
        loops.note(root, "a", 1)
    with pytest.raises(LoopFound):
        loops.note(root, "a", 1)
    with pytest.raises(LoopFound):
        loops.note(root, "a", 2)


def test_what_comes_back_slowly_is_not() -> None:
    old = Chain.parse("").root
    at = int(old[2:10], 16) - 100
    loops = Loops(max_repeats=3)
    for _ in range(50):
        loops.note(f"1-{at:08x}-{old[11:]}", "a", 9)


def test_a_request_is_followed_to_its_end_only() -> None:
    seen = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        del environ, start_response
        seen.append(current())
        return []

    layer: Any = follow_requests(application)
    with following("Root=outer"):
        layer({"HTTP_X_AMZN_TRACE_ID": "Root=1"}, None)
        layer({}, None)
        assert seen == ["Root=1", ""]
        assert current() == "Root=outer"
    assert current() == ""
