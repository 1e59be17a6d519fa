"""What AWS refuses a call with."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError


def error_response(call: Callable[..., Any], **parameters: Any) -> Mapping[str, Any]:
    """Return the whole response of a call that fails; raises AssertionError if it succeeds."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response
    raise AssertionError(f"{getattr(call, '__name__', call)} succeeded")


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Return the error's code and message; raises AssertionError if the call succeeds."""
    error = error_response(call, **parameters)["Error"]
    return error["Code"], error["Message"]


def error_code(call: Callable[..., Any], **parameters: Any) -> str | None:
    """Return the code of the error that a call ends with; None if it succeeds."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
