"""Lambda as moto has it, made to execute: all invocations end in `LambdaFunction.invoke`."""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from scones_core.errors import LocalAwsError
from scones_local.context import ACCOUNT_ID, Context
from scones_local.environment import client_environment
from scones_local.functions import deployment
from scones_local.functions.asynchronous import AsyncInvoker
from scones_local.functions.logs import LogEvent
from scones_local.functions.pool import LambdaPools, Throttled
from scones_local.functions.spec import FunctionSpec, WorkerSettings, base_python
from scones_local.iam.access import permits
from scones_local.iam.policy import Access
from scones_local.iam.resources import log_arn
from scones_local.iam.roles import RoleSessions
from scones_local.registry import wrap

_TAIL_BYTES = 4096
_PRINCIPAL = "lambda.amazonaws.com"


def lambda_runtime_folder() -> Path:
    """Return the folder that stands for the Lambda runtime's own packages."""
    given = os.environ.get("SCONES_LAMBDA_RUNTIME")
    return Path(given).resolve() if given else Path(sys.prefix) / "lambda-runtime"


def install(context: Context) -> None:
    """Run deployed zips in processes of their own, under the official runtime client."""
    settings = WorkerSettings(
        python=base_python(),
        runtime=lambda_runtime_folder(),
        temporary=context.folder("lambda", "tmp"),
        client_environment=client_environment(context.endpoint_url, context.region),
    )
    pools = LambdaPools(context.folder("lambda"), settings, context.children, _put_logs)
    invoker = AsyncInvoker()
    context.on_shutdown(invoker.stop)
    _run_functions(pools, invoker, RoleSessions(_PRINCIPAL))
    deployment.install(pools)
    _honour_qualifier()


def _run_functions(pools: LambdaPools, invoker: AsyncInvoker, roles: RoleSessions) -> None:
    from moto.awslambda.models import LambdaFunction

    @wrap(LambdaFunction, "invoke", fault="runs functions in Docker containers only")
    def invoke(_: Any, function: Any, body: Any, headers: Any, answer: dict[str, str]) -> bytes:
        kind = _header(headers, "X-Amz-Invocation-Type") or "RequestResponse"
        event = _event_bytes(body)
        spec = function_spec(function, roles)
        if kind == "DryRun":
            return b""
        if kind == "Event":
            invoker.submit(function, spec, event, pools)
            return b""
        return _invoke_now(pools, spec, event, answer)


def _invoke_now(
    pools: LambdaPools, spec: FunctionSpec, event: bytes, answer: dict[str, str]
) -> bytes:
    from moto.core.exceptions import JsonRESTError

    try:
        outcome = pools.invoke(spec, event)
    except Throttled as error:
        refusal = JsonRESTError("TooManyRequestsException", "Rate Exceeded.")
        refusal.code = 429
        raise refusal from error
    except LocalAwsError as error:
        refusal = JsonRESTError("ServiceException", str(error))
        refusal.code = 400  # a 500 would be tried again and again
        raise refusal from error
    answer["X-Amz-Executed-Version"] = spec.version
    answer["x-amzn-RequestId"] = outcome.request_id
    tail = outcome.log.encode()[-_TAIL_BYTES:]
    answer["x-amz-log-result"] = base64.b64encode(tail).decode()
    if outcome.failed:
        answer["x-amz-function-error"] = "Unhandled"
    return outcome.payload


def function_spec(function: Any, roles: RoleSessions) -> FunctionSpec:
    """Return what a worker needs to know of moto's function; refuses a container image."""
    from moto.core.exceptions import JsonRESTError

    if function.package_type != "Zip":
        raise JsonRESTError(
            "InvalidParameterValueException",
            f"{function.function_name} is a container image; the embedded AWS runs zips only.",
        )
    reserved = function.reserved_concurrency
    logging = function.kept.get("LoggingConfig", {})
    return FunctionSpec(
        name=function.function_name,
        version=str(function.version),
        arn=function.function_arn,
        handler=function.handler,
        runtime=function.run_time,
        code=function.code_bytes,
        code_sha256=hashlib.sha256(function.code_bytes).hexdigest(),
        timeout_seconds=float(function.timeout),
        memory_mb=int(function.memory_size),
        environment={**_logging_environment(logging), **function.environment_vars},
        region=function.region,
        log_group=logging.get("LogGroup") or function.logs_group_name,
        reserved_concurrency=None if reserved in (None, "") else int(reserved),
        credentials=roles.credentials(function.role, function.function_name).environment(),
    )


def _logging_environment(logging: dict[str, str]) -> dict[str, str]:
    variables = {"AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}
    if level := logging.get("ApplicationLogLevel"):
        variables["AWS_LAMBDA_LOG_LEVEL"] = level
    return variables


def _put_logs(spec: FunctionSpec, stream: str, events: list[LogEvent]) -> None:
    from moto.logs.models import logs_backends

    backend = logs_backends[ACCOUNT_ID][spec.region]
    if not _may_log(spec, stream, new_group=spec.log_group not in backend.groups):
        return
    backend.ensure_log_group(spec.log_group)
    group = backend.groups[spec.log_group]
    if stream not in group.streams:
        group.create_log_stream(stream)
    rows = [{"timestamp": event.timestamp, "message": event.message} for event in events]
    backend.put_log_events(spec.log_group, stream, rows)


def _may_log(spec: FunctionSpec, stream: str, *, new_group: bool) -> bool:
    """Return whether the function's role may write its log; without that there is none."""
    actions = ["CreateLogStream", "PutLogEvents", *(["CreateLogGroup"] if new_group else [])]
    arn = log_arn(spec.region, ACCOUNT_ID, spec.log_group, stream)
    accesses = [Access(f"logs:{action}", arn) for action in actions]
    key = spec.credentials.get("AWS_ACCESS_KEY_ID", "")
    return all(permits(key, access) for access in accesses)


def _honour_qualifier() -> None:
    from moto.awslambda.responses import LambdaResponse

    @wrap(LambdaResponse, "invoke", fault="reads ?qualifier=, where AWS sends ?Qualifier=")
    def invoke(original: Any, response: Any) -> Any:
        if "Qualifier" in response.querystring:
            response.querystring["qualifier"] = response.querystring["Qualifier"]
        return original(response)


def _header(headers: Any, name: str) -> str | None:
    """Return a header, whatever its case: in-process callers give plain dictionaries."""
    wanted = name.lower()
    return next((str(v) for k, v in dict(headers or {}).items() if k.lower() == wanted), None)


def _event_bytes(body: Any) -> bytes:
    from moto.core.exceptions import JsonRESTError

    event = body.encode() if isinstance(body, str) else bytes(body or b"")
    event = event or b"{}"
    try:
        json.loads(event)
    except ValueError as error:
        raise JsonRESTError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from error
    return event
