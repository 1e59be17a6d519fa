"""What happens when a function is deployed, changed or deleted."""

from typing import Any

from local_aws.core.patching import wrap
from local_aws.errors import LocalAwsError
from local_aws.lambda_.deployment_package import check_zip
from local_aws.lambda_.errors import refusal
from local_aws.lambda_.pools import LambdaPools


def install(pools: LambdaPools) -> None:
    """Check packages when they are deployed, and end the workers of what was changed."""
    _refuse_unusable_zips()
    _retire_changed_functions(pools)


def _refuse_unusable_zips() -> None:
    from moto.awslambda.models import LambdaFunction

    @wrap(LambdaFunction, "_set_function_code", fault="takes any bytes as a package")
    def set_function_code(original: Any, function: Any, updated: dict[str, Any]) -> None:
        from moto.awslambda.exceptions import InvalidParameterValueException

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


def _retire_changed_functions(pools: LambdaPools) -> None:
    from moto.awslambda.models import LambdaBackend, LambdaFunction

    @wrap(LambdaFunction, "update_configuration", fault="keeps no workers, so ends none")
    def update_configuration(original: Any, function: Any, updates: dict[str, Any]) -> Any:
        answer = original(function, updates)
        pools.retire(function.function_name)
        return answer

    @wrap(LambdaFunction, "update_function_code", fault="keeps no workers, so ends none")
    def update_function_code(original: Any, function: Any, updates: dict[str, Any]) -> Any:
        answer = original(function, updates)
        pools.retire(function.function_name)
        return answer

    @wrap(LambdaBackend, "delete_function", fault="keeps no workers, so ends none")
    def delete_function(original: Any, backend: Any, name: str, *rest: Any, **more: Any) -> Any:
        answer = original(backend, name, *rest, **more)
        pools.retire(name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0])
        return answer
