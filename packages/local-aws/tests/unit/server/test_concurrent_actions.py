import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from moto.core.responses import ActionResult

from local_aws.server.concurrent_actions import serialise_actions


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
        return all(pool.map(lambda _: serialise_actions(answer, response), range(2)))


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
        serialise_actions(refuse, response)
    assert serialise_actions(lambda _: "answered", response) == "answered"


class Asked:
    """A request to a service, of which moto's method raises an error so many times."""

    boto3_service_name, method = "sagemaker", "POST"

    def __init__(
        self, action: str, errors: int, said: str = "changed size during iteration"
    ) -> None:
        self.action, self.errors, self.said, self.tries = action, errors, said, 0

    def _get_action(self) -> str:
        return self.action

    def serialized(self, result: ActionResult) -> tuple[int, dict[str, Any], str]:
        return 400, {}, str(result.result)

    def answer(self, _response: object) -> str:
        self.tries += 1
        if self.tries <= self.errors:
            raise RuntimeError(f"dictionary {self.said}")
        return "answered"


def test_a_read_that_meets_a_write_is_tried_again() -> None:
    asked = Asked("ListModels", errors=3)
    assert serialise_actions(asked.answer, asked) == "answered"
    assert asked.tries == 4


def test_a_change_that_meets_another_is_left_to_its_client() -> None:
    asked = Asked("CreateModel", errors=1)
    status, _, body = serialise_actions(asked.answer, asked)
    assert (status, asked.tries) == (503, 1) and "try again" in body


def test_a_read_that_always_meets_a_write_ends() -> None:
    asked = Asked("ListModels", errors=1_000)
    assert serialise_actions(asked.answer, asked)[0] == 503


def test_another_error_is_not_tried_again() -> None:
    asked = Asked("ListModels", errors=1, said="is broken")
    with pytest.raises(RuntimeError, match="is broken"):
        serialise_actions(asked.answer, asked)
