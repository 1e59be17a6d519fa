"""Errors of the Invoke operation, in Lambda's words.

Codes and fields are those of botocore's service-2.json: lambda/Invoke.
"""

from typing import Any


def refusal(code: str, message: str, status: int, **fields: Any) -> Exception:
    """Return an error that moto serialises, and whose `fields` go into its body as well."""
    from moto.core.exceptions import JsonRESTError

    error = JsonRESTError(code, message)
    error.code = status
    error.fields = fields  # type: ignore[attr-defined]
    return error


def throttled() -> Exception:
    """Return the error of a function whose reserved concurrency is used up."""
    return refusal(
        "TooManyRequestsException",
        "Rate Exceeded.",
        429,
        Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
    )


def too_large(max_bytes: int) -> Exception:
    """Return the error of a request whose payload is over the quota."""
    sentence = f"Request must be smaller than {max_bytes} bytes for the InvokeFunction operation"
    return refusal("RequestEntityTooLargeException", sentence, 413)
