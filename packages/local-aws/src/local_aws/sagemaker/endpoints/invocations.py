"""InvokeEndpoint: a request to a variant, its answer or AWS's error, its capture, its metrics."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import urllib3

from local_aws.core import clock
from local_aws.sagemaker.endpoints import answers
from local_aws.sagemaker.endpoints.answers import CUSTOM_ATTRIBUTES, Answer
from local_aws.sagemaker.endpoints.capture_buffer import CaptureWriter
from local_aws.sagemaker.endpoints.capture_format import CaptureStream, Exchange
from local_aws.sagemaker.endpoints.container_http import INVOKE_SECONDS, Reply
from local_aws.sagemaker.endpoints.fleets import Fleet, NoSuchVariant
from local_aws.sagemaker.endpoints.instances import VariantUnavailable
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.variants import Variant, VariantThrottled

# botocore's service-2.json of sagemaker-runtime: the length of BodyBlob.
MAX_BODY_BYTES = 6_291_456
# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
MAX_SERVERLESS_BYTES = 4 * 1024 * 1024
# Copies for a shadow that is slower than its production variant are dropped past this.
SHADOW_WORKERS = 8
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
class Measurement:
    """One invocation for `AWS/SageMaker`; latencies in microseconds, `instances` the variant's."""

    endpoint: str
    variant: str
    status: int
    model_latency: float
    overhead_latency: float
    instances: int = 1


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
                return answers.validation_error(
                    f"Endpoint {request.endpoint} of account {self._account_id} not found."
                )
            if refused := _refused(request, fleet):
                return answers.validation_error(refused)
            try:
                variant = fleet.choose(request.target_variant)
            except NoSuchVariant as error:
                return answers.validation_error(str(error))
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
            return answers.error(429, "ThrottlingException", str(error))
        except VariantUnavailable as error:
            self._record(request, variant, 503, began, asked)
            return answers.error(503, "ServiceUnavailable", str(error))
        except urllib3.exceptions.HTTPError as error:
            self._record(request, variant, 504, began, asked)
            return self._model_error(request, 0, answers.no_answer(error, INVOKE_SECONDS))
        self._record(request, variant, reply.status, began, asked)
        if not reply.ok:
            return self._model_error(request, reply.status, answers.refusal(reply))
        self._capture(request, fleet, variant, reply, at)
        return answers.success(reply, variant.spec.name)

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
        return answers.model_error(
            self._region, self._account_id, request.endpoint, status, message
        )

    def _arn(self, endpoint: str) -> str:
        return f"arn:aws:sagemaker:{self._region}:{self._account_id}:endpoint/{endpoint}"


def _refused(request: Invocation, fleet: Fleet) -> str:
    """Return why the endpoint cannot take the request; "" where it can."""
    if fleet.settings.asynchronous is not None:
        return f"Endpoint {request.endpoint} is asynchronous: use InvokeEndpointAsync to invoke it."
    most = MAX_SERVERLESS_BYTES if fleet.settings.serverless else MAX_BODY_BYTES
    if len(request.body) > most:
        return (
            "1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {most}"
        )
    return ""
