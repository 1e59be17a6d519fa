"""InvokeEndpoint: a request to a variant, its answer or AWS's error, its capture, its metrics."""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import urllib3

from local_aws.core import clock
from local_aws.dashboard.endpoints import LATENCIES
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.data_capture import CaptureStream, CaptureWriter, Exchange
from local_aws.sagemaker.endpoints.instances import (
    INVOKE_SECONDS,
    AnswerTooLarge,
    Reply,
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.variants import Variant, VariantThrottled
from local_aws.sagemaker.endpoints.weighted_variants import Fleet, NoSuchVariant

# botocore's service-2.json of sagemaker-runtime: the length of BodyBlob.
MAX_BODY_BYTES = 6_291_456
# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
MAX_SERVERLESS_BYTES = 4 * 1024 * 1024
# Copies for a shadow that is slower than its production variant are dropped past this.
SHADOW_WORKERS = 8
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"


CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

MAX_MESSAGE_CHARACTERS = 2048
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
MAX_CUSTOM_ATTRIBUTES = 1024


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
class Measurement:
    """One invocation for `AWS/SageMaker`; latencies in microseconds, `instances` the variant's."""

    endpoint: str
    variant: str
    status: int
    model_latency: float
    overhead_latency: float
    instances: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the runtime API."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Invoker:
    """Answers invocations of one account and region."""

    def __init__(
        self,
        traffic: Traffic,
        captures: CaptureWriter,
        measure: Callable[[Measurement], None],
        *,
        account_id: str,
        region: str,
    ) -> None:
        self._traffic, self._captures, self._measure = traffic, captures, measure
        self._account_id, self._region = account_id, region
        self._shadows = ThreadPoolExecutor(SHADOW_WORKERS, thread_name_prefix="shadow")

    def invoke(self, request: Invocation) -> Answer:
        """Return the container's 2xx answer, or AWS's error in its place."""
        began = time.perf_counter()
        with self._traffic.lease(self._arn(request.endpoint)) as fleet:
            if fleet is None:
                return validation_error(
                    f"Endpoint {request.endpoint} of account {self._account_id} not found."
                )
            if refused := _refused(request, fleet):
                return validation_error(refused)
            try:
                variant = fleet.choose(request.target_variant)
            except NoSuchVariant as error:
                return validation_error(str(error))
            shadow = fleet.shadowed()
            if shadow is not None:
                fleet.enter()
                self._shadows.submit(self._copy, request, fleet, shadow)
            return self._ask(request, fleet, variant, began)

    def close(self) -> None:
        """Drop the copies that no shadow has got yet."""
        self._shadows.shutdown(wait=False, cancel_futures=True)

    def _copy(self, request: Invocation, fleet: Fleet, shadow: Variant) -> None:
        """Give the shadow its copy; nobody sees the answer but captures and metrics."""
        try:
            self._ask(request, fleet, shadow, time.perf_counter())
        finally:
            fleet.leave()

    def _ask(self, request: Invocation, fleet: Fleet, variant: Variant, began: float) -> Answer:
        at, asked = clock.now(), time.perf_counter()
        try:
            reply = variant.invoke(request.body, request.headers())
        except VariantThrottled as error:
            self._record(request, variant, 429, began, asked)
            return refused_with(429, "ThrottlingException", str(error))
        except VariantUnavailable as error:
            self._record(request, variant, 503, began, asked)
            return refused_with(503, "ServiceUnavailable", str(error))
        except urllib3.exceptions.HTTPError as error:
            self._record(request, variant, 504, began, asked)
            return self._model_error(request, 0, no_answer(error, INVOKE_SECONDS))
        self._record(request, variant, reply.status, began, asked)
        if not reply.ok:
            return self._model_error(request, reply.status, refusal(reply))
        self._capture(request, fleet, variant, reply, at)
        return success(reply, variant.spec.name)

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
                instances=max(1, variant.count),
            )
        )

    def _capture(
        self, request: Invocation, fleet: Fleet, variant: Variant, reply: Reply, at: datetime
    ) -> None:
        if fleet.settings.capture is None:
            return
        exchange = Exchange(
            request=request.body,
            request_type=request.content_type or "application/octet-stream",
            response=reply.body,
            response_type=reply.headers.get("Content-Type", ""),
            at=at,
            inference_id=request.inference_id,
        )
        stream = CaptureStream(request.endpoint, variant.spec.name, fleet.settings.capture)
        self._captures.add(stream, exchange)

    def _model_error(self, request: Invocation, status: int, message: str) -> Answer:
        return model_error(self._region, self._account_id, request.endpoint, status, message)

    def _arn(self, endpoint: str) -> str:
        return f"arn:aws:sagemaker:{self._region}:{self._account_id}:endpoint/{endpoint}"


def _refused(request: Invocation, fleet: Fleet) -> str:
    """Return why the endpoint cannot take the request; "" where it can."""
    if len(request.custom_attributes) > MAX_CUSTOM_ATTRIBUTES:
        return too_long_attributes()
    if fleet.settings.asynchronous is not None:
        return f"Endpoint {request.endpoint} is asynchronous: use InvokeEndpointAsync to invoke it."
    max_bytes = MAX_SERVERLESS_BYTES if fleet.settings.serverless else MAX_BODY_BYTES
    if len(request.body) > max_bytes:
        return (
            "1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {max_bytes}"
        )
    return ""


def success(reply: Reply, variant: str) -> Answer:
    """Return a container's answer as the endpoint's."""
    headers = {
        "Content-Type": reply.headers.get("Content-Type", "application/octet-stream"),
        "x-Amzn-Invoked-Production-Variant": variant,
    }
    if CUSTOM_ATTRIBUTES in reply.headers:
        headers[CUSTOM_ATTRIBUTES] = reply.headers[CUSTOM_ATTRIBUTES]
    return Answer(200, headers, reply.body)


def refused_with(status: int, code: str, message: str, **fields: object) -> Answer:
    """Return an error of the runtime API; `fields` are those of the error's own shape."""
    body = json.dumps({"Message": message, "message": message, **fields}).encode()
    return Answer(status, {"Content-Type": "application/json", "x-amzn-errortype": code}, body)


def validation_error(message: str) -> Answer:
    """Return the error of a request that cannot be answered as it is."""
    return refused_with(400, "ValidationError", message)


def model_error(region: str, account: str, endpoint: str, status: int, message: str) -> Answer:
    """Return the error of a container that refused, or 0 as its status for one that was mute."""
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    text = (
        f"{received(status, message)}. See "
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logEventViewer:group={group} in account {account} for more information."
    )
    return refused_with(
        424,
        "ModelError",
        text,
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
    )


def too_long_attributes() -> str:
    """Return why custom attributes over 1,024 characters are refused."""
    return (
        "1 validation error detected: Value at 'customAttributes' failed to satisfy constraint: "
        f"Member must have length less than or equal to {MAX_CUSTOM_ATTRIBUTES}"
    )


def received(status: int, message: str) -> str:
    """Return AWS's message for a container's refusal."""
    kind = "client" if 400 <= status < 500 else "server"
    return f'Received {kind} error ({status}) from primary with message "{message}"'


def refusal(reply: Reply) -> str:
    """Return what a container's refusal says, at most 2048 bytes of it."""
    return reply.body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", errors="replace")


def no_answer(failure: urllib3.exceptions.HTTPError, seconds: float) -> str:
    """Return the message for a container that did not answer in time, or at all."""
    if isinstance(failure, AnswerTooLarge):
        return str(failure)
    if isinstance(failure, urllib3.exceptions.TimeoutError):
        return (
            "Your invocation timed out while waiting for a response from container primary "
            f"({seconds:.0f} s)."
        )
    return f"The container closed the connection without an answer: {failure}"


class EndpointMetrics:
    """Brings measurements to `AWS/SageMaker` from a thread of its own, off the request's way."""

    def __init__(self, services: AwsServices) -> None:
        self._services = services
        self._queue: queue.SimpleQueue[Measurement | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="endpoint-metrics", daemon=True)
        self._thread.start()

    def add(self, measurement: Measurement) -> None:
        """Hand over one measurement."""
        m = measurement
        LATENCIES.note(m.endpoint, m.variant, m.status, m.model_latency)
        self._queue.put(measurement)

    def close(self) -> None:
        """Store what is handed over so far, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            # What came meanwhile is stored in the same call.
            gathered, last = [first], False
            with contextlib.suppress(queue.Empty):
                while not last:
                    following = self._queue.get_nowait()
                    last = following is None
                    gathered += [] if following is None else [following]
            self._services.put_metric("AWS/SageMaker", metric_data(gathered))
            if last:
                return


def metric_data(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return measurements as CloudWatch data, one for each metric of each variant.

    Latencies are those of answered requests.
    """
    values: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    for m in measurements:
        of_variant = values.setdefault((m.endpoint, m.variant), {})
        for name, value, unit in _values(m):
            of_variant.setdefault((name, unit), []).append(value)
    return [
        {
            "MetricName": name,
            "Values": found,
            "Unit": unit,
            "Dimensions": [
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": variant},
            ],
        }
        for (endpoint, variant), of_variant in values.items()
        for (name, unit), found in of_variant.items()
    ]


def _values(m: Measurement) -> list[tuple[str, float, str]]:
    return [
        ("Invocations", 1.0, "None"),
        ("InvocationsPerInstance", 1.0 / m.instances, "None"),
        ("Invocation4XXErrors", float(400 <= m.status < 500), "None"),
        ("Invocation5XXErrors", float(m.status >= 500), "None"),
        ("ModelLatency", m.model_latency, "Microseconds"),
        ("OverheadLatency", m.overhead_latency, "Microseconds"),
    ]
