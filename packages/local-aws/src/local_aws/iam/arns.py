"""Parameters of a request, and the ARNs that they make."""

from typing import Any

ANY = ["*"]


def parameter_values(response: Any, name: str) -> list[str]:
    """Return a request parameter's values, none where it was not sent."""
    found = response._get_param(name)
    if found is None:
        members = (v for k, v in response.querystring.items() if k.startswith(f"{name}.member."))
        found = [value for values in members for value in values]
    values = found if isinstance(found, list) else [found]
    return [value for value in values if isinstance(value, str) and value]


def arn(response: Any, service: str, before: str, value: str) -> str:
    """Return the ARN of what a parameter names; `before` precedes a bare name in it."""
    if value.startswith("arn:"):
        return value
    name = value.rstrip("/").rsplit("/", 1)[-1] if service == "sqs" else value.lstrip("/")
    return f"arn:aws:{service}:{response.region}:{response.current_account}:{before}{name}"
