"""Layers around an action, once its service is found: one list, the outermost first.

Each layer gets the one below it and the response that moto made for the request.
"""

import functools
from collections.abc import Callable
from typing import Any

from local_aws.core.context import Context
from local_aws.core.patching import patch
from local_aws.iam.policy_documents import refuse_malformed_policy
from local_aws.iam.request_authorization import authorise_action
from local_aws.server.concurrent_actions import serialise_actions
from local_aws.server.request_shapes import explain_failure, refuse_malformed
from local_aws.server.routing import refuse_missing_action, refuse_unknown_region
from local_aws.state.commits import note_action

ActionLayer = Callable[[Callable[[Any], Any], Any], Any]
LAYERS: tuple[ActionLayer, ...] = (
    refuse_unknown_region,  # which moto has no backend of: 403
    note_action,  # remembers whether it is a change, and refuses one that cannot be saved: 503
    refuse_malformed,  # what the API's model does not take: 400
    authorise_action,  # asks the caller's policies
    refuse_malformed_policy,  # a policy that is none: 400
    refuse_missing_action,  # what moto lacks: 400
    explain_failure,  # what fails over a name that is not there: 400
    serialise_actions,  # where moto may not be asked twice at a time
)


def install(context: Context) -> None:
    """Do nothing more: the layers need nothing of the running server."""
    del context


@patch(
    "moto.core.responses.BaseResponse.call_action",
    why="saves nothing, asks no policies, takes values of any length and type, answers 500 for an "
    "action that it lacks, which clients try again for minutes, and fails where another thread "
    "writes what it reads",
)
def call_action(original: Any, response: Any) -> Any:
    """Answer a request through its layers."""
    return _stacked(original)(response)


@functools.cache
def _stacked(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    below = original
    for layer in reversed(LAYERS):
        below = functools.partial(layer, below)
    return below
