"""A function's configuration: what Lambda refuses of it, and what it answers about it.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from moto.awslambda import urls
from moto.awslambda.models import lambda_backends
from moto.awslambda.responses import LambdaResponse

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import add, patch, set_value
from local_aws.lambda_.invoke import refusal
from local_aws.lambda_.packages import MAX_UNZIPPED_BYTES

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    )
)
MAX_ENVIRONMENT_BYTES = 4096
MAX_LAYERS = 5
_LIMITS = {"Timeout": (1, 900), "MemorySize": (128, 10_240), "Description": (0, 256)}
MAX_NAME_CHARACTERS = 64
CONCURRENT_EXECUTIONS = 1000
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
MAX_STORED_BYTES = 80_530_636_800
MAX_ZIPPED_BYTES = 52_428_800
_NAME = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
_NAME_PATTERN = _NAME + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
_VARIABLE_PATTERN = r"[a-zA-Z]([a-zA-Z0-9_])+"
_LEVELS = ("ApplicationLogLevel", "SystemLogLevel")
_REASON = {"Reason": "The function is being created.", "ReasonCode": "Creating"}
PENDING = {"State": "Pending", **{f"State{name}": text for name, text in _REASON.items()}}
IN_PROGRESS = {
    "LastUpdateStatus": "InProgress",
    **{f"LastUpdateStatus{name}": text for name, text in _REASON.items()},
}


def check_name(name: Any) -> None:
    """Raise ValidationException unless this can name a new function."""
    text = str(name)
    bare = text.rpartition("function:")[2].partition(":")[0]
    if not re.fullmatch(_NAME_PATTERN, text):
        raise _constraint(
            text[:100], "functionName", f"satisfy regular expression pattern: {_NAME_PATTERN}"
        )
    if len(bare) > MAX_NAME_CHARACTERS:
        raise _constraint(
            text[:100], "functionName", f"have length less than or equal to {MAX_NAME_CHARACTERS}"
        )


def check_limits(spec: Mapping[str, Any]) -> None:
    """Raise ValidationException for a number or a text that is out of its range."""
    for name, (minimum, maximum) in _LIMITS.items():
        value = spec.get(name)
        if value is None:
            continue
        size = len(value) if isinstance(value, str) else value
        kind = "length" if isinstance(value, str) else "value"
        member = name[:1].lower() + name[1:]
        if size > maximum:
            raise _constraint(
                str(value)[:100], member, f"have {kind} less than or equal to {maximum}"
            )
        if size < minimum:
            raise _constraint(
                str(value)[:100], member, f"have {kind} greater than or equal to {minimum}"
            )


def check_environment(variables: Mapping[str, str]) -> None:
    """Raise InvalidParameterValueException or ValidationException for what Lambda refuses."""
    before = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided "
    )
    if reserved := sorted(RESERVED_VARIABLES & variables.keys()):
        raise _invalid(
            f"{before}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not re.fullmatch(_VARIABLE_PATTERN, name):
            raise _constraint(
                name[:100],
                "environment.variables",
                f"satisfy regular expression pattern: {_VARIABLE_PATTERN}",
            )
    text = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > MAX_ENVIRONMENT_BYTES:
        raise _invalid(f"{before}exceeded the 4KB limit. String measured: {text}")


def check_logging(logging: Mapping[str, str]) -> None:
    """Raise InvalidParameterValueException for levels where the log is text."""
    given = [name for name in _LEVELS if logging.get(name)]
    if given and logging.get("LogFormat", "Text") != "JSON":
        raise _invalid(f"{given[0]} can be set only where LogFormat is JSON.")


def check_layers(layers: Sequence[str]) -> None:
    """Raise InvalidParameterValueException for too many layers, or two versions of one.

    https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
    """
    if len(layers) > MAX_LAYERS:
        raise _invalid(f"Cannot reference more than {MAX_LAYERS} layers.")
    seen: dict[str, str] = {}
    for arn in layers:
        other = seen.setdefault(arn.rpartition(":")[0], arn)
        if other is not arn:
            raise _invalid(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {other} and {arn} are versions of the same layer."
            )


def _invalid(message: str) -> Exception:
    return refusal("InvalidParameterValueException", message, 400)


def _constraint(value: str, member: str, constraint: str) -> Exception:
    return refusal(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
        f"constraint: Member must {constraint}",
        400,
    )


def _variables(spec: Mapping[str, Any]) -> Mapping[str, str]:
    return (spec.get("Environment") or {}).get("Variables") or {}


def check_change(function: Any, updates: Mapping[str, Any]) -> None:
    """Raise what Lambda answers to a change of configuration or code that it refuses."""
    given = updates.get("RevisionId")
    if given and given != function.get_configuration()["RevisionId"]:
        raise refusal(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
            412,
        )
    check_limits(updates)
    check_environment(_variables(updates))
    check_layers(updates.get("Layers") or ())
    if "LoggingConfig" in updates:
        check_logging(updates["LoggingConfig"] or {})


def note_environment(function: Any, spec: Mapping[str, Any]) -> None:
    """Note whether an environment without variables was given, which is answered as such."""
    if "Environment" in spec:
        given = spec["Environment"] or {}
        function.empty_environment = "Variables" in given and not given["Variables"]


@patch(
    "moto.awslambda.models.LambdaBackend.create_function",
    why="takes any name, reserved variables, 4 KB of them, and levels of a text log",
)
def create_function(original: Any, backend: Any, spec: dict[str, Any]) -> Any:
    """Make a function; raises what Lambda refuses."""
    check_name(spec.get("FunctionName"))
    check_limits(spec)
    check_environment(_variables(spec))
    check_layers(spec.get("Layers") or ())
    check_logging(spec.get("LoggingConfig") or {})
    function = original(backend, spec)
    note_environment(function, spec)
    return function


# What moto drops of a function's configuration.
_KEPT = ("DeadLetterConfig", "LoggingConfig", "KMSKeyArn", "FileSystemConfigs", "SnapStart")
_DROPS = "drops dead-letter, logging and further settings of a function"


@patch("moto.awslambda.models.LambdaFunction.__init__", why=_DROPS)
def create(original: Any, function: Any, *args: Any, **more: Any) -> None:
    """Make a function that keeps its settings."""
    spec = more["spec"] if "spec" in more else args[1]
    function.kept = {key: spec[key] for key in _KEPT if spec.get(key)}
    original(function, *args, **more)


@patch("moto.awslambda.models.LambdaFunction.update_configuration", why=_DROPS)
def update_configuration(original: Any, function: Any, updates: dict[str, Any]) -> Any:
    """Change a function's settings; return its configuration."""
    kept = {key: updates[key] for key in _KEPT if key in updates}
    # A published version shares the dictionary, so it is replaced and never changed.
    function.kept = {key: value for key, value in {**function.kept, **kept}.items() if value}
    if storage := updates.get("EphemeralStorage"):
        function.ephemeral_storage = storage["Size"]
    if tracing := updates.get("TracingConfig"):
        function.tracing_config = tracing
    if "Environment" in updates:  # an empty one, as of a removed block, has no Variables
        variables = updates["Environment"].get("Variables", {})
        updates = {**updates, "Environment": {"Variables": variables}}
    original(function, updates)
    return function.get_configuration()


def _with_kept(function: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with what moto drops of it."""
    found |= function.kept
    group = f"/aws/lambda/{function.function_name}"
    logging = {"LogFormat": "Text", "LogGroup": group, **function.kept.get("LoggingConfig", {})}
    found["LoggingConfig"] = logging
    if "SnapStart" in function.kept:
        found["SnapStart"] = {"OptimizationStatus": "Off", **function.kept["SnapStart"]}
    return found


@patch(
    "moto.awslambda.models.LambdaFunction.get_configuration",
    why="is Active at once, has no revision and runtime version, has what is not there, and "
    "drops dead-letter, logging and further settings",
)
def get_configuration(original: Any, function: Any, on_create: bool = False) -> dict[str, Any]:
    """Return the configuration as Lambda describes it."""
    found: dict[str, Any] = _with_kept(function, original(function, on_create))
    found = {name: value for name, value in found.items() if value not in (None, [], {})}
    if getattr(function, "empty_environment", False):
        found["Environment"] = {"Variables": {}}
    described = json.dumps(found, sort_keys=True, default=str)
    found["RevisionId"] = str(uuid.uuid5(uuid.NAMESPACE_OID, described))
    runtime = hashlib.sha256(str(function.run_time).encode()).hexdigest()
    found["RuntimeVersionConfig"] = {
        "RuntimeVersionArn": f"arn:aws:lambda:{function.region}::runtime:{runtime}"
    }
    if on_create:
        found |= PENDING
        found.pop("LastUpdateStatus", None)
    return found


set_value(
    "moto.awslambda.urls.url_paths",
    {
        **urls.url_paths,
        r"{0}/(?P<api_version>[^/]+)/account-settings/?$": LambdaResponse.dispatch,
        r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)"
        r"/provisioned-concurrency/?$": LambdaResponse.dispatch,
        r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)"
        r"/recursion-config/?$": LambdaResponse.dispatch,
    },
    why="lacks the paths of account settings, provisioned concurrency and recursion",
)


@add(
    "moto.awslambda.responses.LambdaResponse.put_function_recursion_config",
    why="the operation is missing",
)
def put_function_recursion_config(response: Any) -> str:
    """Answer PutFunctionRecursionConfig, which is about all versions of a function."""
    name = _function_name(response)
    setting = response.json_body["RecursiveLoop"]
    response.backend.get_function(name).recursive_loop = setting
    for version in response.backend.list_versions_by_function(name):
        version.recursive_loop = setting
    return json.dumps({"RecursiveLoop": setting})


@add(
    "moto.awslambda.responses.LambdaResponse.get_function_recursion_config",
    why="the operation is missing",
)
def get_function_recursion_config(response: Any) -> str:
    """Answer GetFunctionRecursionConfig."""
    function = response.backend.get_function(_function_name(response))
    return json.dumps({"RecursiveLoop": getattr(function, "recursive_loop", "Terminate")})


def _function_name(response: Any) -> str:
    name = unquote(response.path.rsplit("/", 2)[1])
    return name.rpartition("function:")[2].partition(":")[0]


@add(
    "moto.awslambda.responses.LambdaResponse.get_account_settings",
    why="the operation is missing",
)
def get_account_settings(response: Any) -> str:
    """Answer GetAccountSettings, with the default quotas of an account."""
    functions = list(lambda_backends[ACCOUNT_ID][response.region]._lambdas.latest())
    reserved = sum(int(function.reserved_concurrency or 0) for function in functions)
    limits = {
        "TotalCodeSize": MAX_STORED_BYTES,
        "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
        "CodeSizeZipped": MAX_ZIPPED_BYTES,
        "ConcurrentExecutions": CONCURRENT_EXECUTIONS,
        "UnreservedConcurrentExecutions": CONCURRENT_EXECUTIONS - reserved,
    }
    usage = {
        "TotalCodeSize": sum(int(function.code_size) for function in functions),
        "FunctionCount": len(functions),
    }
    return json.dumps({"AccountLimit": limits, "AccountUsage": usage})


@add(
    "moto.awslambda.responses.LambdaResponse.get_layer_version_by_arn",
    why="the operation is missing",
)
def get_layer_version_by_arn(response: Any) -> str:
    """Answer GetLayerVersionByArn."""
    arn = response.querystring.get("Arn", [""])[0]
    found = response.backend.layers_versions_by_arn(arn) if arn.count(":") == 7 else None
    if found is None:
        raise refusal(
            "ResourceNotFoundException", "The resource you requested does not exist.", 404
        )
    return json.dumps(found.get_layer_version())


def _refuse(operation: str, reason: str, declare: Declare = patch) -> None:
    """Declare that an operation of Lambda's is not done here."""

    @declare(f"moto.awslambda.responses.LambdaResponse.{operation}", why=reason)
    def refuse(*_: Any) -> Any:
        raise NotImplementedError(reason)


_URLS = "a function has no address of its own here; invoke it"
for _verb in ("create", "update", "get", "delete"):
    _refuse(f"{_verb}_function_url_config", _URLS)
_PROVISIONED = "workers stay warm here by themselves"
for _verb in ("put", "get", "delete", "list"):
    _ending = "configs" if _verb == "list" else "config"
    _refuse(f"{_verb}_provisioned_concurrency_{_ending}", _PROVISIONED, add)
