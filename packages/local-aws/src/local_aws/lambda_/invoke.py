"""Invoke: which version runs, what is refused, and the answer as Lambda gives it."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.errors import LocalAwsError
from local_aws.lambda_.async_invocations import AsyncInvoker, Event
from local_aws.lambda_.errors import refusal, throttled, too_large
from local_aws.lambda_.function_spec import FunctionSpec
from local_aws.lambda_.pools import LambdaPools, Throttled

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """One Invoke. `name` is a name, a partial ARN or an ARN, each with a qualifier or without."""

    name: str
    body: bytes
    region: str
    qualifier: str | None = None
    kind: str = "RequestResponse"
    client_context: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Invoke gives: `failed` says that the payload is the function's error."""

    status: int
    payload: bytes = b""
    version: str = ""
    request_id: str = ""
    failed: bool = False
    log: str = field(default="", repr=False)

    def tail(self) -> str:
        """Return the last 4 KB of the log in base64, as `X-Amz-Log-Result` has it."""
        return base64.b64encode(self.log.encode()[-_TAIL_BYTES:]).decode()


class Invoking:
    """The Invoke operation over one account's functions."""

    def __init__(
        self,
        pools: LambdaPools,
        asynchronous: AsyncInvoker,
        spec_of: Callable[[Any], FunctionSpec],
    ) -> None:
        self._pools = pools
        self._asynchronous = asynchronous
        self._spec_of = spec_of

    def invoke(self, request: Request) -> Answer:
        """Return the answer; raises moto's errors for what Lambda refuses."""
        function, arn = chosen_version(request)
        return self.run(function, request, arn)

    def run(self, function: Any, request: Request, arn: str | None = None) -> Answer:
        """Return what `invoke` does, of a version that is chosen already."""
        body = _checked(request)
        spec = self._spec_of(function)
        arn = arn or spec.arn
        if request.kind == "DryRun":
            return Answer(204, version=spec.version)
        if request.kind == "Event":
            event = Event(function, spec, body, arn)
            self._asynchronous.submit(event)
            return Answer(202, version=spec.version, request_id=event.request_id)
        try:
            outcome = self._pools.invoke(spec, body, arn=arn, client_context=request.client_context)
        except Throttled as error:
            raise throttled() from error
        except LocalAwsError as error:
            # A status of 500 would have clients try again and again.
            raise refusal("ServiceException", str(error), 400) from error
        return Answer(
            200, outcome.payload, spec.version, outcome.request_id, outcome.failed, outcome.log
        )


def chosen_version(request: Request) -> tuple[Any, str]:
    """Return moto's function of a request and the ARN that it is invoked by.

    An alias with weights leads to its second version as often as its weight says.
    """
    from moto.awslambda.utils import get_backend

    backend: Any = get_backend(ACCOUNT_ID, request.region)
    name, _, inner = request.name.rpartition("function:")[2].partition(":")
    qualifier = inner or request.qualifier
    function = backend.get_function(name, qualifier)
    if not qualifier or qualifier == str(function.version):
        return function, function.function_arn
    unqualified = f"arn:aws:lambda:{request.region}:{ACCOUNT_ID}:function:{name}"
    aliases = backend._lambdas._get_function_aliases(name)
    if qualifier in aliases:
        version = _weighted(aliases[qualifier])
        function = function if version is None else backend.get_function(name, version)
    return function, f"{unqualified}:{qualifier}"


def _weighted(alias: Any) -> str | None:
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    drawn = random.random()  # noqa: S311 - a share of the traffic, no secret
    for version, weight in weights.items():
        drawn -= float(weight)
        if drawn < 0:
            return str(version)
    return None


def _checked(request: Request) -> bytes:
    """Return the event's bytes; refuses what is no JSON, or over the quota of its kind."""
    limit = MAX_EVENT_BYTES if request.kind == "Event" else MAX_REQUEST_BYTES
    if len(request.body) > limit:
        raise too_large(limit)
    if request.kind not in ("RequestResponse", "Event", "DryRun"):
        raise refusal(
            "InvalidParameterValueException",
            f"Value '{request.kind}' at 'invocationType' failed to satisfy constraint: Member "
            "must satisfy enum value set: [Event, RequestResponse, DryRun]",
            400,
        )
    body = request.body or b"{}"
    try:
        json.loads(body)
    except ValueError as error:
        raise refusal(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
            400,
        ) from error
    return body
