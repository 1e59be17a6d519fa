"""Changes of a function: its code and configuration, its deletion; its workers end with them."""

from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException

from local_aws.core.patching import patch
from local_aws.errors import LocalAwsError
from local_aws.iam.roles import RoleSessions
from local_aws.lambda_.async_invocations import missing_action
from local_aws.lambda_.configuration import IN_PROGRESS, check_change, note_environment
from local_aws.lambda_.invoke import refusal
from local_aws.lambda_.packages import check_zip
from local_aws.lambda_.pools import LambdaPools

_pools: list[LambdaPools] = []
_roles: list[RoleSessions] = []
_SERVICES = {"SendMessage": "SQS", "Publish": "SNS"}


def use(pools: LambdaPools, roles: RoleSessions) -> None:
    """Set whose workers end when a function is changed; called once, when the server starts.

    `roles` are the sessions that functions act with.
    """
    _pools[:], _roles[:] = [pools], [roles]


@patch("moto.awslambda.models.LambdaBackend.create_function", why="asks no role for dead letters")
def create_function(original: Any, backend: Any, spec: dict[str, Any]) -> Any:
    """Make a function whose role may send its dead letters."""
    _require_dead_letters(spec["FunctionName"], spec["Role"], spec.get("DeadLetterConfig"))
    return original(backend, spec)


def _require_dead_letters(name: str, role: str, config: dict[str, Any] | None) -> None:
    """Raise InvalidParameterValueException unless a role may send dead letters.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    target = (config or {}).get("TargetArn")
    missing = missing_action(access_key(name, role), target) if target else ""
    if missing:
        raise InvalidParameterValueException(
            "The provided execution role does not have permissions to call "
            f"{missing} on {_SERVICES.get(missing, missing)}"
        )


def access_key(name: str, role: str) -> str:
    """Return the key that a function acts with."""
    return _roles[0].credentials(role, name).access_key_id


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
    role = updates.get("Role") or function.role
    _require_dead_letters(function.function_name, role, updates.get("DeadLetterConfig"))
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
