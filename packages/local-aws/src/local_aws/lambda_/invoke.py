"""Invoke: which version runs, what is refused, and the answer as Lambda gives it.

Over HTTP it is answered without moto (a Flask application, routing, a copy of all headers, an
answer built from the service model), which takes several times as long as a warm invocation.
Errors have the codes and fields of botocore's service-2.json: lambda/Invoke.
"""

import base64
import dataclasses
import json
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError, ServiceException

from local_aws.core.admin_api import Wsgi
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.request_chains import LoopFound
from local_aws.errors import LocalAwsError
from local_aws.iam.access_decisions import AccessDenied, authorise
from local_aws.iam.callers import KeyRefused, require_valid_key
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.required_access import common_values, condition_headers
from local_aws.iam.signatures import Signed, signed_by
from local_aws.lambda_.async_invocations import AsyncInvoker
from local_aws.lambda_.functions import FunctionSpec
from local_aws.lambda_.pools import LambdaPools, Throttled

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576
_TAIL_BYTES = 4096
_LOOP = (
    "Lambda has detected your function being invoked in a recursive loop with other Amazon Web "
    "Services resources and stopped your function's invocation."
)


def refusal(code: str, message: str, status: int, **fields: Any) -> Exception:
    """Return an error that moto serialises, and whose `fields` go into its body as well."""
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
            return Answer(202, request_id=self._asynchronous.submit(function, arn, body))
        try:
            outcome = self._pools.invoke(spec, body, arn=arn, client_context=request.client_context)
        except Throttled as error:
            raise throttled() from error
        except LoopFound as error:
            raise refusal("RecursiveInvocationException", _LOOP, 400) from error
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


_START = "/2015-03-31/functions/"

_END = "/invocations"


def with_invocations(application: Wsgi, invoking: Invoking) -> Wsgi:
    """Return the application with Lambda's Invoke answered here."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        is_invoke = path.startswith(_START) and path.endswith(_END)
        if not is_invoke or environ["REQUEST_METHOD"] != "POST":
            return application(environ, start)
        return _serve(environ, start, invoking)

    return answer


def _serve(
    environ: dict[str, Any], start: Callable[..., Any], invoking: Invoking
) -> Iterable[bytes]:
    try:
        request = _request(environ)
        answer = invoking.invoke(request)
        status, headers, body = _answered(answer, environ)
    except (JsonRESTError, ServiceException) as error:
        status, headers, body = _refused(error)
    phrase = HTTPStatus(status).phrase
    start(f"{status} {phrase}", [*headers.items(), ("Content-Length", str(len(body)))])
    return [body] if body else []


def _request(environ: dict[str, Any]) -> Request:
    signed = signed_by(environ)
    query = parse_qs(environ.get("QUERY_STRING", ""))
    request = Request(
        name=environ["PATH_INFO"][len(_START) : -len(_END)],
        body=b"",
        region=signed.region,
        qualifier=query.get("Qualifier", [None])[0],
        kind=environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse"),
        client_context=_client_context(environ.get("HTTP_X_AMZ_CLIENT_CONTEXT", "")),
    )
    _authorise(signed, request, condition_headers(environ))
    return dataclasses.replace(request, body=_body(environ))


def _client_context(given: str) -> str:
    """Return the context as the runtime gets it: JSON on one line."""
    if not given:
        return ""
    try:
        return json.dumps(json.loads(base64.b64decode(given, validate=True)))
    except ValueError as error:
        raise refusal(
            "InvalidRequestContentException",
            f"Client context must be base64-encoded JSON: {error}",
            400,
        ) from error


def _authorise(signed: Signed, request: Request, headers: Mapping[str, str]) -> None:
    access = invocation_access(request.name, request.qualifier, request.region, headers)
    try:
        signed.require_unexpired()
        require_valid_key(signed.key)
        authorise(signed.key, [access])
    except KeyRefused as error:
        raise refusal(error.code_for("lambda"), str(error), 403) from error
    except AccessDenied as error:
        raise refusal("AccessDeniedException", str(error), 403) from error


def invocation_access(
    name: str, qualifier: str | None, region: str, headers: Mapping[str, str]
) -> Access:
    """Return what the caller of an Invoke must be allowed."""
    function = name.rpartition("function:")[2]
    arn = f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{function}"
    resource = f"{arn}:{qualifier}" if qualifier else arn
    return Access("lambda:InvokeFunction", resource, common_values(region, headers))


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(MAX_REQUEST_BYTES + 1)
    return body


def _answered(answer: Answer, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    headers = {
        "Content-Type": "application/json",
        "x-amzn-RequestId": answer.request_id or str(uuid.uuid4()),
    }
    if answer.version:
        headers["X-Amz-Executed-Version"] = answer.version
    if answer.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail" and answer.status == HTTPStatus.OK:
        headers["X-Amz-Log-Result"] = answer.tail()
    return answer.status, headers, answer.payload


def _refused(error: Any) -> tuple[int, dict[str, str], bytes]:
    status = error.code if isinstance(error.code, int) else 400
    code = getattr(error, "error_type", None) or error.code
    fields = {"Type": "User", "message": error.message, **getattr(error, "fields", {})}
    headers = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": str(code),
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "1"
    return status, headers, json.dumps(fields).encode()
