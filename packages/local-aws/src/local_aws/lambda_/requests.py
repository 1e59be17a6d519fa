"""Checks of Lambda requests: permissions, aliases, versions and reserved concurrency.

https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import json
from typing import Any

from moto.awslambda.exceptions import ConflictException

from local_aws.core.patching import patch
from local_aws.iam.policy_documents import invalid_principal
from local_aws.lambda_.configuration import CONCURRENT_EXECUTIONS
from local_aws.lambda_.invoke import refusal

# What must remain of an account's concurrency for the functions that reserve none.
MIN_UNRESERVED = 100
_BACKEND = "moto.awslambda.models.LambdaBackend"
_CONFLICT = "ResourceConflictException"
_LATEST = "$LATEST"
_ALIAS_WHY = "names a conflict otherwise"


@patch(f"{_BACKEND}.add_permission", why="adds a statement again that is there already")
def add_permission(
    original: Any, backend: Any, function_name: str, qualifier: str, raw: str
) -> Any:
    """Add a statement to a function's policy; its id is new for the function or qualifier."""
    function = backend.get_function(function_name, qualifier)
    target = ":".join(function.function_arn.split(":")[:7])
    if qualifier and qualifier != _LATEST:
        target = f"{target}:{qualifier}"
    given = json.loads(raw)
    statement_id, principal = given.get("StatementId"), str(given.get("Principal"))
    is_service = "." in principal and not principal.startswith("arn:")
    if not is_service and invalid_principal({"Statement": {"Principal": {"AWS": principal}}}):
        raise refusal(
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
            400,
        )
    for statement in function.policy.statements:
        if (statement.get("Sid"), statement.get("Resource")) == (statement_id, target):
            raise refusal(
                _CONFLICT,
                f"The statement id ({statement_id}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement.",
                409,
            )
    return original(backend, function_name, qualifier, raw)


@patch(f"{_BACKEND}.create_alias", why=_ALIAS_WHY)
@patch(f"{_BACKEND}.update_alias", why=_ALIAS_WHY)
def write_alias(original: Any, backend: Any, name: str, *args: Any, **more: Any) -> Any:
    """Make or change an alias."""
    try:
        return original(backend, name, *args, **more)
    except ConflictException as error:
        raise refusal(_CONFLICT, str(error.message), 409) from error


@patch(f"{_BACKEND}.delete_function", why="deletes a version that an alias leads to")
def delete_function(
    original: Any, backend: Any, function_name: str, qualifier: str | None = None
) -> Any:
    """Delete a function, or a version that no alias leads to."""
    if qualifier and qualifier != _LATEST:
        aliases = [
            alias.name
            for alias in backend.list_aliases(function_name)
            if str(alias.function_version) == qualifier
            or qualifier in ((alias.routing_config or {}).get("AdditionalVersionWeights") or {})
        ]
        if aliases:
            raise refusal(
                _CONFLICT,
                f"Version {qualifier} of function {function_name} is in use by the aliases: "
                f"[{', '.join(aliases)}]",
                409,
            )
    return original(backend, function_name, qualifier)


@patch(f"{_BACKEND}.put_function_concurrency", why="reserves more than an account has")
def put_function_concurrency(
    original: Any, backend: Any, function_name: str, reserved_concurrency: str
) -> Any:
    """Reserve concurrency for a function; some stays for those that reserve none."""
    name = backend.get_function(function_name).function_name
    others = sum(
        int(function.reserved_concurrency or 0)
        for function in backend.list_functions()
        if function.function_name != name
    )
    if CONCURRENT_EXECUTIONS - others - int(reserved_concurrency) < MIN_UNRESERVED:
        raise refusal(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}].",
            400,
        )
    return original(backend, function_name, reserved_concurrency)
