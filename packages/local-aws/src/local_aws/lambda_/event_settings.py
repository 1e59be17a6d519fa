"""How a function's asynchronous events are treated: its EventInvokeConfigs, one a qualifier.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html
"""

import json
from typing import Any
from urllib.parse import unquote

from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import wrap

_LATEST = "$LATEST"


def install() -> None:
    """Mend the operations; the configurations stay among moto's own records."""
    _set()
    _read()


def settings_of(arn: str) -> dict[str, Any]:
    """Return the settings of the function, version or alias that was invoked by that ARN.

    Empty where it has none, or is not there any more.
    """
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import lambda_backends

    parts = arn.split(":")
    try:
        function = lambda_backends[ACCOUNT_ID][parts[3]].get_function(parts[6])
    except UnknownFunctionException:
        return {}
    qualifier = parts[7] if len(parts) > 7 else _LATEST
    found = _find(function, f"{':'.join(parts[:7])}:{qualifier}")
    return dict(found.config) if found else {}


def _set() -> None:
    from moto.awslambda.models import EventInvokeConfig
    from moto.awslambda.responses import LambdaResponse

    def store(response: Any, before: dict[str, Any]) -> str:
        function, arn = _asked(response)
        config = {**before, **response.json_body}
        config.setdefault("DestinationConfig", {"OnSuccess": {}, "OnFailure": {}})
        now: Any = clock.now().timestamp()
        made = EventInvokeConfig(arn, now, config)
        others = [one for one in function.event_invoke_config if one.arn != arn]
        function.event_invoke_config = [*others, made]
        return json.dumps(made.response())

    fault = "keeps the settings before it, knows no qualifier, and writes the time as a text"

    @wrap(LambdaResponse, "put_function_event_invoke_config", fault=fault)
    def put(_: Any, response: Any) -> str:
        return store(response, {})

    @wrap(LambdaResponse, "update_function_event_invoke_config", fault="changes nothing")
    def update(_: Any, response: Any) -> str:
        return store(response, _known(*_asked(response)).config)


def _read() -> None:
    from moto.awslambda.responses import LambdaResponse

    fault = "knows no qualifier"

    @wrap(LambdaResponse, "get_function_event_invoke_config", fault=fault)
    def get(_: Any, response: Any) -> str:
        return json.dumps(_known(*_asked(response)).response())

    @wrap(LambdaResponse, "delete_function_event_invoke_config", fault=fault)
    def delete(_: Any, response: Any) -> tuple[int, dict[str, Any], str]:
        function, arn = _asked(response)
        found = _known(function, arn)
        function.event_invoke_config = [
            one for one in function.event_invoke_config if one is not found
        ]
        return 204, {"status": 204}, ""

    @wrap(LambdaResponse, "list_function_event_invoke_configs", fault=fault)
    def list_all(_: Any, response: Any) -> str:
        name = unquote(response.path.rsplit("/", 3)[1])
        configs = response.backend.get_function(name).event_invoke_config
        return json.dumps({"FunctionEventInvokeConfigs": [one.response() for one in configs]})


def _asked(response: Any) -> tuple[Any, str]:
    """Return the function of a request, and the ARN that its configuration has."""
    name = unquote(response.path.rsplit("/", 2)[1])
    inside = name.split(":")[7:] if name.startswith("arn:") else name.split(":")[1:]
    given = (response.querystring.get("Qualifier") or inside or [_LATEST])[0]
    bare = name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]
    function = response.backend.get_function(bare)
    base = ":".join(function.function_arn.split(":")[:7])
    return function, f"{base}:{given}"


def _find(function: Any, arn: str) -> Any:
    return next((one for one in function.event_invoke_config if one.arn == arn), None)


def _known(function: Any, arn: str) -> Any:
    from moto.awslambda.exceptions import UnknownEventConfig

    found = _find(function, arn)
    if found is None:
        raise UnknownEventConfig(arn)
    return found
