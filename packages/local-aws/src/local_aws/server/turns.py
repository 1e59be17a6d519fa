"""Actions of some services take turns: moto reads its dictionaries while others write them.

A read that meets a write raises "dictionary changed size during iteration", and two creations of
one name may both find it free. Terraform creates ten resources at a time.
"""

import threading
from typing import Any

# Those whose actions call no other service and wait for nothing, so that a turn is short and no
# two turns can wait for each other.
IN_TURN = frozenset({"ecr", "iam", "kms"})

_turns = {name: threading.Lock() for name in IN_TURN}


def take_turns(original: Any, response: Any) -> Any:
    """Answer a request once no other action of its service is being answered, if it is in turn."""
    turn = _turns.get(response.boto3_service_name)
    if turn is None:
        return original(response)
    with turn:
        return original(response)
