"""A function's event invoke configurations: how its asynchronous invocations are tried again.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
"""

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, UnknownEventConfig
from moto.awslambda.models import EventInvokeConfig

from local_aws.core import clock
from local_aws.core.patching import patch
from local_aws.lambda_.async_invocations import LATEST, find_settings, missing_action
from local_aws.lambda_.function_changes import access_key


@patch(
    "moto.awslambda.responses.LambdaResponse.put_function_event_invoke_config",
    why="keeps the settings before it, knows no qualifier, and writes the time as a text",
)
def put_function_event_invoke_config(_: Any, response: Any) -> str:
    """Answer PutFunctionEventInvokeConfig."""
    return _store_settings(response, {})


@patch(
    "moto.awslambda.responses.LambdaResponse.update_function_event_invoke_config",
    why="changes nothing",
)
def update_function_event_invoke_config(_: Any, response: Any) -> str:
    """Answer UpdateFunctionEventInvokeConfig."""
    return _store_settings(response, _known(*_asked(response)).config)


def _store_settings(response: Any, before: dict[str, Any]) -> str:
    function, arn = _asked(response)
    config = {**before, **response.json_body}
    for given in (response.json_body.get("DestinationConfig") or {}).values():
        _require_destination(function, (given or {}).get("Destination"))
    config.setdefault("DestinationConfig", {"OnSuccess": {}, "OnFailure": {}})
    now: Any = clock.now().timestamp()
    made = EventInvokeConfig(arn, now, config)
    others = [one for one in function.event_invoke_config if one.arn != arn]
    function.event_invoke_config = [*others, made]
    return json.dumps(made.response())


@patch(
    "moto.awslambda.responses.LambdaResponse.get_function_event_invoke_config",
    why="knows no qualifier",
)
def get_function_event_invoke_config(_: Any, response: Any) -> str:
    """Answer GetFunctionEventInvokeConfig."""
    return json.dumps(_known(*_asked(response)).response())


@patch(
    "moto.awslambda.responses.LambdaResponse.delete_function_event_invoke_config",
    why="knows no qualifier",
)
def delete_function_event_invoke_config(_: Any, response: Any) -> tuple[int, dict[str, Any], str]:
    """Answer DeleteFunctionEventInvokeConfig."""
    function, arn = _asked(response)
    found = _known(function, arn)
    function.event_invoke_config = [one for one in function.event_invoke_config if one is not found]
    return 204, {"status": 204}, ""


@patch(
    "moto.awslambda.responses.LambdaResponse.list_function_event_invoke_configs",
    why="knows no qualifier",
)
def list_function_event_invoke_configs(_: Any, response: Any) -> str:
    """Answer ListFunctionEventInvokeConfigs."""
    name = unquote(response.path.rsplit("/", 3)[1])
    configs = response.backend.get_function(name).event_invoke_config
    return json.dumps({"FunctionEventInvokeConfigs": [one.response() for one in configs]})


def _require_destination(function: Any, target: str | None) -> None:
    key = access_key(function.function_name, function.role)
    if target and (missing := missing_action(key, target)):
        raise InvalidParameterValueException(
            f"The function's execution role does not have permissions to call {missing} on {target}"
        )


def _asked(response: Any) -> tuple[Any, str]:
    """Return the function of a request, and the ARN that its configuration has."""
    name = unquote(response.path.rsplit("/", 2)[1])
    inside = name.split(":")[7:] if name.startswith("arn:") else name.split(":")[1:]
    given = (response.querystring.get("Qualifier") or inside or [LATEST])[0]
    bare = name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]
    function = response.backend.get_function(bare)
    base = ":".join(function.function_arn.split(":")[:7])
    return function, f"{base}:{given}"


def _known(function: Any, arn: str) -> Any:
    found = find_settings(function, arn)
    if found is None:
        raise UnknownEventConfig(arn)
    return found
