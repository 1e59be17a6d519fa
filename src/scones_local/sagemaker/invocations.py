"""InvokeEndpoint: a request to a variant, its answer or AWS's error, its capture, its metrics."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import urllib3

from scones_local.sagemaker.capture import CaptureStream, Exchange
from scones_local.sagemaker.capture_writer import CaptureWriter
from scones_local.sagemaker.fleets import Fleet, Fleets, NoSuchVariant
from scones_local.sagemaker.loopback import INVOKE_SECONDS, Reply
from scones_local.sagemaker.variants import Variant, VariantUnavailable

MAX_BODY_BYTES = 6_291_456
MAX_MESSAGE_CHARACTERS = 2048
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request to an endpoint; the texts are "" where the caller sent none."""

    endpoint: str
    body: bytes
    content_type: str = ""
    accept: str = ""
    custom_attributes: str = ""
    inference_id: str = ""
    target_variant: str = ""

    def headers(self) -> dict[str, str]:
        """Return the headers that the container gets."""
        headers = {
            "Content-Type": self.content_type or "application/octet-stream",
            "Accept": self.accept or "*/*",
        }
        if self.custom_attributes:
            headers[CUSTOM_ATTRIBUTES] = self.custom_attributes
        if self.inference_id:
            headers[INFERENCE_ID] = self.inference_id
        return headers


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the runtime API."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Measurement:
    """One invocation for `AWS/SageMaker`; latencies in microseconds."""

    endpoint: str
    variant: str
    status: int
    model_latency: float
    overhead_latency: float


class Invoker:
    """Answers invocations of one account and region."""

    def __init__(
        self,
        fleets: Fleets,
        captures: CaptureWriter,
        measure: Callable[[Measurement], None],
        *,
        account_id: str,
        region: str,
    ) -> None:
        self._fleets, self._captures, self._measure = fleets, captures, measure
        self._account_id, self._region = account_id, region

    def invoke(self, request: Invocation) -> Answer:
        """Return the container's 2xx answer, or AWS's error in its place."""
        began = time.perf_counter()
        if len(request.body) > MAX_BODY_BYTES:
            return _validation_error(
                "1 validation error detected: Value at 'body' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BODY_BYTES}"
            )
        with self._fleets.lease(self._arn(request.endpoint)) as fleet:
            if fleet is None:
                return _validation_error(
                    f"Endpoint {request.endpoint} of account {self._account_id} not found."
                )
            try:
                variant = fleet.choose(request.target_variant)
            except NoSuchVariant as error:
                return _validation_error(str(error))
            return self._ask(request, fleet, variant, began)

    def _ask(self, request: Invocation, fleet: Fleet, variant: Variant, began: float) -> Answer:
        at, asked = datetime.now(UTC), time.perf_counter()
        try:
            reply = variant.invoke(request.body, request.headers())
        except VariantUnavailable as error:
            self._record(request, variant, 503, began, asked)
            return _error(503, "ServiceUnavailable", str(error))
        except urllib3.exceptions.HTTPError as error:
            self._record(request, variant, 504, began, asked)
            return self._model_error(request.endpoint, 0, _no_answer(error))
        self._record(request, variant, reply.status, began, asked)
        if not reply.ok:
            message = reply.body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", errors="replace")
            return self._model_error(request.endpoint, reply.status, message)
        self._capture(request, fleet, variant, reply, at)
        return _success(reply, variant.spec.name)

    def _record(
        self, request: Invocation, variant: Variant, status: int, began: float, asked: float
    ) -> None:
        now = time.perf_counter()
        self._measure(
            Measurement(
                endpoint=request.endpoint,
                variant=variant.spec.name,
                status=status,
                model_latency=(now - asked) * 1e6,
                overhead_latency=(asked - began) * 1e6,
            )
        )

    def _capture(
        self, request: Invocation, fleet: Fleet, variant: Variant, reply: Reply, at: datetime
    ) -> None:
        if fleet.capture is None:
            return
        exchange = Exchange(
            request=request.body,
            request_type=request.content_type or "application/octet-stream",
            response=reply.body,
            response_type=reply.headers.get("Content-Type", ""),
            at=at,
            inference_id=request.inference_id,
        )
        stream = CaptureStream(request.endpoint, variant.spec.name, fleet.capture)
        self._captures.add(stream, exchange)

    def _model_error(self, endpoint: str, status: int, message: str) -> Answer:
        region, account = self._region, self._account_id
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        kind = "client" if 400 <= status < 500 else "server"
        text = (
            f'Received {kind} error ({status}) from primary with message "{message}". See '
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {account} for more information."
        )
        return _error(
            424,
            "ModelError",
            text,
            OriginalStatusCode=status,
            OriginalMessage=message,
            LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
        )

    def _arn(self, endpoint: str) -> str:
        return f"arn:aws:sagemaker:{self._region}:{self._account_id}:endpoint/{endpoint}"


def _success(reply: Reply, variant: str) -> Answer:
    headers = {
        "Content-Type": reply.headers.get("Content-Type", "application/octet-stream"),
        "x-Amzn-Invoked-Production-Variant": variant,
    }
    if CUSTOM_ATTRIBUTES in reply.headers:
        headers[CUSTOM_ATTRIBUTES] = reply.headers[CUSTOM_ATTRIBUTES]
    return Answer(200, headers, reply.body)


def _no_answer(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return (
            "Your invocation timed out while waiting for a response from container primary "
            f"({INVOKE_SECONDS:.0f} s)."
        )
    return f"The container closed the connection without an answer: {error}"


def _validation_error(message: str) -> Answer:
    return _error(400, "ValidationError", message)


def _error(status: int, code: str, message: str, **fields: object) -> Answer:
    body = json.dumps({"Message": message, "message": message, **fields}).encode()
    return Answer(status, {"Content-Type": "application/json", "x-amzn-errortype": code}, body)
