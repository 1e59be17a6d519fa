"""Answers of SQS."""

import json
from typing import Any

from local_aws.core.patching import patch


@patch(
    "moto.sqs.models.Queue.attributes",
    why="answers with a redrive policy in other blanks than AWS",
)
def attributes(original: Any, queue: Any) -> Any:
    """Return a queue's attributes."""
    found = original(queue)
    if found.get("RedrivePolicy"):
        found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return found
