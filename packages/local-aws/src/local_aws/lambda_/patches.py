"""Lambda's patches: importing this module declares them; `install` starts what they need."""

import functools
import threading
from typing import Any

from local_aws.client_environment import client_environment
from local_aws.core.clock import CLOCK
from local_aws.core.context import Context
from local_aws.core.patching import patch
from local_aws.core.stores import on_restored
from local_aws.iam.roles import RoleSessions
from local_aws.lambda_ import (
    configuration,
    event_invoke_configs,
    event_source_mappings,
    function_changes,
    requests,
)
from local_aws.lambda_.async_invocations import AsyncInvoker
from local_aws.lambda_.functions import (
    WorkerSettings,
    base_python,
    function_spec,
    lambda_runtime_folder,
)
from local_aws.lambda_.invoke import Invoking, Request, with_invocations
from local_aws.lambda_.logs import put_logs
from local_aws.lambda_.packages import forget_unpacked
from local_aws.lambda_.pools import LambdaMeter, LambdaPools
from local_aws.sqs import patches as sqs_patches

_PRINCIPAL = "lambda.amazonaws.com"
# Each declares its patches.
PATCHED = (
    *(function_changes, event_invoke_configs, configuration, event_source_mappings),
    requests,
)
_invoking: list[Invoking] = []


def install(context: Context) -> None:
    """Run deployed zips in processes of their own, under the official runtime client."""
    home, meter = context.folder("lambda"), LambdaMeter()
    forget_unpacked(home)
    settings = WorkerSettings(
        python=base_python(),
        runtime=lambda_runtime_folder(),
        temporary=context.folder("lambda", "tmp"),
        client_environment=client_environment(context.endpoint_url, context.region),
    )
    pools = LambdaPools(home, settings, context.children, put_logs, meter)
    stop = threading.Event()
    context.on_shutdown(stop.set)
    pools.watch_idle(stop)
    roles = RoleSessions(_PRINCIPAL)
    spec_of = functools.partial(function_spec, roles=roles)
    invoker = AsyncInvoker(pools, CLOCK, spec_of)
    context.on_shutdown(invoker.stop)
    invoking = Invoking(pools, invoker, spec_of)
    context.invoke = invoking.invoke
    context.fronts.append(lambda application: with_invocations(application, invoking))
    function_changes.use(pools, roles)
    mappings = event_source_mappings.EventSourceMappings(CLOCK, invoking.invoke, roles)
    event_source_mappings.use(mappings)
    sqs_patches.on_sent(mappings.look)
    on_restored(mappings.look)
    context.on_shutdown(mappings.stop)
    _invoking[:] = [invoking]


@patch(
    "moto.awslambda.models.LambdaFunction.invoke", why="runs functions in Docker containers only"
)
def invoke(_: Any, function: Any, body: Any, headers: Any, answer: dict[str, str]) -> bytes:
    """Return what moto's LambdaFunction.invoke should."""
    given = body.encode() if isinstance(body, str) else bytes(body or b"")
    kind = _header(headers, "X-Amz-Invocation-Type") or "RequestResponse"
    request = Request(function.function_name, given, function.region, kind=kind)
    found = _invoking[0].run(function, request)
    if found.version:
        answer["X-Amz-Executed-Version"] = found.version
    if kind == "RequestResponse":
        answer["x-amzn-RequestId"] = found.request_id
        answer["x-amz-log-result"] = found.tail()
    if found.failed:
        answer["x-amz-function-error"] = "Unhandled"
    return found.payload


def _header(headers: Any, name: str) -> str | None:
    """Return a header, whatever its case: in-process callers give plain dictionaries."""
    lower_name = name.lower()
    return next((str(v) for k, v in dict(headers or {}).items() if k.lower() == lower_name), None)
