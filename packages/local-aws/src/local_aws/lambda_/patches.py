"""Lambda as moto has it, made to execute: all invocations end in `LambdaFunction.invoke`."""

import base64
import os
import sys
import threading
from pathlib import Path
from typing import Any

from local_aws.client_environment import client_environment
from local_aws.core.clock import CLOCK
from local_aws.core.context import ACCOUNT_ID, Context
from local_aws.core.patching import wrap
from local_aws.iam.authorization import permits
from local_aws.iam.policy import Access
from local_aws.iam.resources import log_arn
from local_aws.iam.roles import RoleSessions
from local_aws.lambda_ import deployment, event_settings
from local_aws.lambda_.async_invocations import AsyncInvoker
from local_aws.lambda_.function_spec import FunctionSpec, WorkerSettings
from local_aws.lambda_.invoke import Invoking, Request
from local_aws.lambda_.invoke_http import with_invocations
from local_aws.lambda_.layers import layer_contents
from local_aws.lambda_.metrics import LambdaMeter
from local_aws.lambda_.pools import LambdaPools
from local_aws.lambda_.runtimes import base_python
from local_aws.lambda_.worker_output import LogEvent

_PRINCIPAL = "lambda.amazonaws.com"
KEPT_EVENTS = 5_000


def lambda_runtime_folder() -> Path:
    """Return the folder that stands for the Lambda runtime's own packages."""
    given = os.environ.get("LOCAL_AWS_LAMBDA_RUNTIME")
    return Path(given).resolve() if given else Path(sys.prefix) / "lambda-runtime"


def install(context: Context) -> None:
    """Run deployed zips in processes of their own, under the official runtime client."""
    settings = WorkerSettings(
        python=base_python(),
        runtime=lambda_runtime_folder(),
        temporary=context.folder("lambda", "tmp"),
        client_environment=client_environment(context.endpoint_url, context.region),
    )
    home, meter = context.folder("lambda"), LambdaMeter()
    pools = LambdaPools(home, settings, context.children, _put_logs, meter)
    stop = threading.Event()
    context.on_shutdown(stop.set)
    pools.watch_idle(stop)
    invoker = AsyncInvoker(pools, CLOCK)
    context.on_shutdown(invoker.stop)
    roles = RoleSessions(_PRINCIPAL)
    invoking = Invoking(pools, invoker, lambda function: function_spec(function, roles))
    context.invoke = invoking.invoke
    context.fronts.append(lambda application: with_invocations(application, invoking))
    _run_functions(invoking)
    deployment.install(pools)
    event_settings.install()


def _run_functions(invoking: Invoking) -> None:
    from moto.awslambda.models import LambdaFunction

    @wrap(LambdaFunction, "invoke", fault="runs functions in Docker containers only")
    def invoke(_: Any, function: Any, body: Any, headers: Any, answer: dict[str, str]) -> bytes:
        given = body.encode() if isinstance(body, str) else bytes(body or b"")
        kind = _header(headers, "X-Amz-Invocation-Type") or "RequestResponse"
        request = Request(function.function_name, given, function.region, kind=kind)
        found = invoking.run(function, request)
        answer["X-Amz-Executed-Version"] = found.version
        if kind == "RequestResponse":
            answer["x-amzn-RequestId"] = found.request_id
            answer["x-amz-log-result"] = found.tail()
        if found.failed:
            answer["x-amz-function-error"] = "Unhandled"
        return found.payload


def function_spec(function: Any, roles: RoleSessions) -> FunctionSpec:
    """Return what a worker needs to know of moto's function."""
    reserved = function.reserved_concurrency
    logging = function.kept.get("LoggingConfig", {})
    layers, layer_sha256s = layer_contents(function) if function.layers else ((), ())
    return FunctionSpec(
        name=function.function_name,
        version=str(function.version),
        arn=function.function_arn,
        handler=function.handler,
        runtime=function.run_time,
        code=function.code_bytes,
        code_sha256=base64.b64decode(function.code_sha_256).hex(),
        timeout_seconds=float(function.timeout),
        memory_mb=int(function.memory_size),
        environment={**_logging_environment(logging), **function.environment_vars},
        region=function.region,
        log_group=logging.get("LogGroup") or function.logs_group_name,
        reserved_concurrency=None if reserved in (None, "") else int(reserved),
        layers=layers,
        layer_sha256s=layer_sha256s,
        json_logs=logging.get("LogFormat") == "JSON",
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
    group = backend.groups.get(spec.log_group)
    new_stream = group is None or stream not in group.streams
    if not _may_log(spec, stream, new_group=group is None, new_stream=new_stream):
        return
    backend.ensure_log_group(spec.log_group)
    group = backend.groups[spec.log_group]
    if new_stream:
        group.create_log_stream(stream)
    rows = [{"timestamp": event.timestamp, "message": event.message} for event in events]
    backend.put_log_events(spec.log_group, stream, rows)
    forget_oldest(group.streams[stream].events)


def forget_oldest(events: list[Any], kept: int = KEPT_EVENTS) -> None:
    """Take the oldest events out of a stream that has twice as many as are kept.

    A worker writes to one stream for as long as it lives, and moto keeps all in memory.
    """
    if len(events) > 2 * kept:
        del events[:-kept]


def _may_log(spec: FunctionSpec, stream: str, *, new_group: bool, new_stream: bool) -> bool:
    """Return whether the function's role may write its log; without that there is none."""
    needed = {"PutLogEvents": True, "CreateLogStream": new_stream, "CreateLogGroup": new_group}
    arn = log_arn(spec.region, ACCOUNT_ID, spec.log_group, stream)
    key = spec.credentials.get("AWS_ACCESS_KEY_ID", "")
    return all(permits(key, Access(f"logs:{action}", arn)) for action in needed if needed[action])


def _header(headers: Any, name: str) -> str | None:
    """Return a header, whatever its case: in-process callers give plain dictionaries."""
    wanted = name.lower()
    return next((str(v) for k, v in dict(headers or {}).items() if k.lower() == wanted), None)
