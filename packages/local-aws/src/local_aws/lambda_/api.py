"""Lambda's operations on functions: what is refused, and what a change does to workers."""

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, UnknownEventConfig
from moto.awslambda.models import EventInvokeConfig

from local_aws.core import clock
from local_aws.core.patching import patch
from local_aws.errors import LocalAwsError
from local_aws.lambda_.async_invocations import LATEST, find_settings
from local_aws.lambda_.configuration import IN_PROGRESS, check_change, note_environment
from local_aws.lambda_.invoke import refusal
from local_aws.lambda_.packages import check_zip
from local_aws.lambda_.pools import LambdaPools

_pools: list[LambdaPools] = []


def use(pools: LambdaPools) -> None:
    """Set whose workers end when a function is changed; called once, when the server starts."""
    _pools[:] = [pools]


@patch(
    "moto.awslambda.models.LambdaFunction._set_function_code", why="takes any bytes as a package"
)
def set_function_code(original: Any, function: Any, updated: dict[str, Any]) -> None:
    """Return what moto's LambdaFunction._set_function_code should."""
    _refuse_other_kinds(function, updated)
    before = getattr(function, "code_bytes", None)
    original(function, updated)
    code = getattr(function, "code_bytes", b"")
    if code is before:
        return
    try:
        check_zip(code)
    except LocalAwsError as error:
        if before is not None:
            function.code_bytes = before
        raise InvalidParameterValueException(
            f"Could not unzip uploaded file. Please check your file, then try to upload "
            f"again. ({error})"
        ) from error


def _refuse_other_kinds(function: Any, code: dict[str, Any]) -> None:
    runtime = getattr(function, "run_time", None) or "python3"
    if "ImageUri" in code:
        kind, runs = "a container image", "zips"
    elif not runtime.startswith("python3"):
        kind, runs = f"of {runtime}", "Python"
    else:
        return
    raise refusal(
        "InvalidParameterValueException",
        f"{function.function_name} is {kind}; the embedded AWS runs {runs} only.",
        400,
    )


@patch(
    "moto.awslambda.models.LambdaFunction.update_configuration",
    why="keeps no workers, so ends none; is Successful at once",
)
def update_configuration(original: Any, function: Any, updates: dict[str, Any]) -> Any:
    """Return what moto's LambdaFunction.update_configuration should."""
    check_change(function, updates)
    note_environment(function, updates)
    answer = original(function, updates)
    _pools[0].retire(function.function_name)
    return {**answer, **IN_PROGRESS}


@patch(
    "moto.awslambda.models.LambdaFunction.update_function_code",
    why="keeps no workers, so ends none; is Successful at once",
)
def update_function_code(original: Any, function: Any, updates: dict[str, Any]) -> Any:
    """Return what moto's LambdaFunction.update_function_code should."""
    check_change(function, updates)
    answer = original(function, updates)
    _pools[0].retire(function.function_name)
    return {**answer, **IN_PROGRESS}


@patch("moto.awslambda.models.LambdaBackend.delete_function", why="keeps no workers, so ends none")
def delete_function(original: Any, backend: Any, name: str, *rest: Any, **more: Any) -> Any:
    """Do what moto's LambdaBackend.delete_function should."""
    answer = original(backend, name, *rest, **more)
    _pools[0].retire(name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0])
    return answer


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
