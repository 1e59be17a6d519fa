"""Concurrent actions take turns: moto reads its dictionaries while other actions write them.

A read that meets a write raises "dictionary changed size during iteration", and two creations of
one name may both find it free. Terraform creates ten resources at a time. Actions of some services
take turns; a read of another service is tried again, and a change is answered as AWS answers in
trouble of its own, so that the client tries again.
"""

import threading
from http import HTTPStatus
from typing import Any

from local_aws.core.refusals import refuse_action
from local_aws.state.commits import is_change

# Those whose actions call no other service and wait for nothing, so that a turn is short and no
# two turns can wait for each other.
IN_TURN = frozenset({"ecr", "iam", "kms"})
MAX_TRIES = 20
# What Python says of a dictionary, a set or a deque that another thread changed meanwhile.
_MET = ("changed size during iteration", "mutated during iteration", "changed during iteration")

_turns = {name: threading.Lock() for name in IN_TURN}


def serialise_actions(original: Any, response: Any) -> Any:
    """Answer a request undisturbed: in its service's turn, or again where a write was met."""
    turn = _turns.get(response.boto3_service_name)
    if turn is None:
        return _answered(original, response)
    with turn:
        return original(response)


def _answered(original: Any, response: Any) -> Any:
    for _ in range(MAX_TRIES):
        try:
            return original(response)
        except RuntimeError as error:
            if not str(error).endswith(_MET):
                raise
            if is_change(response.method, str(response._get_action() or "")):
                break
    sentence = "Another request changed what this one reads; try again."
    return refuse_action(response, "ServiceUnavailable", sentence, HTTPStatus.SERVICE_UNAVAILABLE)
