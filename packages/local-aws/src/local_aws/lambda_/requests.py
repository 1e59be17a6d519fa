"""Checks of Lambda requests: permissions, aliases, versions and reserved concurrency.

https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import json
import re
from typing import Any
from urllib.parse import unquote

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
_BEFORE_NAME = re.compile(r"^(?:.*:)?function:")
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
def create_alias(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    name: str,
    function_name: str,
    function_version: str,
    description: str,
    routing_config: dict[str, Any] | None,
) -> Any:
    """Make an alias."""
    _require_routing(backend, function_name, function_version, routing_config)
    try:
        return original(backend, name, function_name, function_version, description, routing_config)
    except ConflictException as error:
        raise refusal(_CONFLICT, str(error.message), 409) from error


@patch(f"{_BACKEND}.update_alias", why=_ALIAS_WHY)
def update_alias(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    name: str,
    function_name: str,
    function_version: str | None,
    description: str | None,
    routing_config: dict[str, Any] | None,
) -> Any:
    """Change an alias; what is not given stays."""
    alias = backend.get_alias(name, function_name)
    version = function_version or str(alias.function_version)
    routing = alias.routing_config if routing_config is None else routing_config
    _require_routing(backend, function_name, version, routing)
    return original(backend, name, function_name, function_version, description, routing_config)


def _require_routing(
    backend: Any, function_name: str, version: str, routing: dict[str, Any] | None
) -> None:
    """Raise what Lambda answers to an alias that cannot lead to several versions.

    https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
    """
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        raise _invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other in weights:
        if _LATEST in (version, other):
            raise _invalid(
                f"{_LATEST} is not supported for an alias pointing to more than 1 version"
            )
        if other == version:
            raise _invalid(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        backend.get_function(function_name, other)


@patch(f"{_BACKEND}.get_function", why="takes one of two qualifiers")
def get_function(
    original: Any, backend: Any, function_name_or_arn: str, qualifier: str | None = None
) -> Any:
    """Return a function, a version, or what an alias leads to."""
    derived = _qualifier_of(function_name_or_arn)
    if derived and qualifier and derived != qualifier:
        raise _invalid(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return original(backend, function_name_or_arn, qualifier)


@patch(f"{_BACKEND}.update_function_configuration", why="changes a version that was published")
@patch(f"{_BACKEND}.update_function_code", why="changes a version that was published")
def update_function(
    original: Any, backend: Any, function_name: str, qualifier: str | None, body: Any
) -> Any:
    """Change a function, never one of its published versions.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
    """
    asked = qualifier or _qualifier_of(function_name)
    if asked and asked != _LATEST:
        raise _invalid(
            f"{asked} of the function cannot be changed: published versions are immutable; "
            f"change {_LATEST}."
        )
    return original(backend, function_name, qualifier, body=body)


@patch(
    "moto.awslambda.models.LambdaStorage.publish_version",
    why="gives the number of a version that was deleted, or of another, once more",
)
def publish_version(original: Any, storage: Any, name_or_arn: str, description: str = "") -> Any:
    """Publish a version under a number that no version of the function had."""
    function = storage.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    before = list(storage._functions[function.function_name]["versions"])
    made = original(storage, name_or_arn, description)
    numbers = [int(one.version) for one in before]
    highest = max(getattr(function, "highest_version", 0), *numbers, 0)
    if int(made.version) <= highest and all(made is not one for one in before):
        storage._arns.pop(made.function_arn, None)
        storage._arns.update({one.function_arn: one for one in before})
        made.set_version(highest + 1)
        storage._arns[made.function_arn] = made
    function.highest_version = max(highest, int(made.version))
    return made


@patch(
    "moto.awslambda.responses.LambdaResponse.publish_version",
    why="publishes other code than what the caller has seen",
)
def answer_publish_version(original: Any, response: Any) -> Any:
    """Answer PublishVersion, for the code and the revision that the caller names."""
    name = unquote(response.path.split("/")[-2])
    found = response.backend.get_function(name).get_configuration()
    digest, revision = (response._get_param(one) for one in ("CodeSha256", "RevisionId"))
    if digest and digest != found["CodeSha256"]:
        raise _invalid(
            f"CodeSHA256 ({digest}) is different from current CodeSHA256 in {_LATEST} "
            f"({found['CodeSha256']}). Please try again with the CodeSHA256 in {_LATEST}."
        )
    if revision and revision != found["RevisionId"]:
        raise refusal(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction "
            "API to retrieve the latest RevisionId for the resource.",
            412,
        )
    return original(response)


def _qualifier_of(name_or_arn: str) -> str:
    """Return the qualifier at the end of a function's name or ARN, empty where it has none."""
    return _BEFORE_NAME.sub("", name_or_arn).partition(":")[2]


def _invalid(message: str) -> Exception:
    return refusal("InvalidParameterValueException", message, 400)


@patch(f"{_BACKEND}.delete_function", why="deletes a version that an alias leads to")
def delete_function(
    original: Any, backend: Any, function_name: str, qualifier: str | None = None
) -> Any:
    """Delete a function, or a version that no alias leads to."""
    qualifier = qualifier or _qualifier_of(function_name) or None
    if qualifier == _LATEST:
        raise _invalid(f"{_LATEST} version cannot be deleted without deleting the function.")
    if qualifier:
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
