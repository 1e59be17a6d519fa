import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from local_aws.server.turns import take_turns


def are_answered_at_once(service: str) -> bool:
    """Whether two actions of a service meet while they are answered."""
    meeting = threading.Barrier(2)

    def answer(_response: object) -> bool:
        try:
            meeting.wait(timeout=0.5)
        except threading.BrokenBarrierError:
            return False
        return True

    response = SimpleNamespace(boto3_service_name=service)
    with ThreadPoolExecutor(2) as pool:
        return all(pool.map(lambda _: take_turns(answer, response), range(2)))


@pytest.mark.parametrize("service", ["iam", "kms", "ecr"])
def test_actions_of_a_service_whose_records_are_read_while_written_take_turns(service: str) -> None:
    assert not are_answered_at_once(service)


def test_actions_that_may_wait_for_others_do_not() -> None:
    assert are_answered_at_once("lambda")


def test_a_refused_action_gives_its_turn_back() -> None:
    def refuse(_response: object) -> None:
        raise ValueError

    response = SimpleNamespace(boto3_service_name="iam")
    with pytest.raises(ValueError):
        take_turns(refuse, response)
    assert take_turns(lambda _: "answered", response) == "answered"
