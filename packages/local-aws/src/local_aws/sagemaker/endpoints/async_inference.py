"""Asynchronous inference: InvokeEndpointAsync, its queue, the answer in S3, the notification.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
"""

import base64
import datetime
import json
import logging
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core import clock
from local_aws.core.s3_uri import S3Uri
from local_aws.core.work_queue import WorkQueue
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.data_capture import CaptureStream, CaptureWriter, Exchange
from local_aws.sagemaker.endpoints.instances import Reply, VariantUnavailable
from local_aws.sagemaker.endpoints.invocations import (
    CUSTOM_ATTRIBUTES,
    MAX_CUSTOM_ATTRIBUTES,
    Answer,
    no_answer,
    received,
    refusal,
    too_long_attributes,
    validation_error,
)
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.variants import Variant
from local_aws.sagemaker.endpoints.weighted_variants import Fleet

# botocore's service-2.json of sagemaker-runtime: AsyncBodyBlob.
MAX_INLINE_BYTES = 128_000
MAX_NOTIFIED_BYTES = 128 * 1024
_PREFIX = "X-Amzn-SageMaker-"


class InvalidAsyncRequest(LocalAwsError):
    """A request cannot be queued; the message is the ValidationError's."""


@dataclass(frozen=True, slots=True)
class AsyncRequest:
    """One request of the queue. `received` is a time of the embedded AWS's clock."""

    endpoint: str
    source: S3Uri | None
    body: bytes
    content_type: str
    accept: str
    custom_attributes: str
    inference_id: str
    timeout_seconds: float
    ttl_seconds: float
    received: datetime.datetime
    extension: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def headers(self) -> dict[str, str]:
        """Return the headers that the container gets."""
        sent = {
            "Content-Type": self.content_type,
            "Accept": self.accept,
            _PREFIX + "Inference-Id": self.inference_id,
        }
        if self.custom_attributes:
            sent[CUSTOM_ATTRIBUTES] = self.custom_attributes
        return sent

    def output(self, settings: AsyncSettings) -> S3Uri:
        """Return where the answer goes."""
        return settings.output.join(self.extension or f"{self.id}.out")

    def failure(self, settings: AsyncSettings) -> S3Uri | None:
        """Return where the reason of a failure goes, if anywhere."""
        return settings.failure.join(f"{self.id}-error.out") if settings.failure else None


def parse_request(
    endpoint: str, headers: Mapping[str, str], body: bytes, now: datetime.datetime
) -> AsyncRequest:
    """Return the request of these HTTP headers; raises InvalidAsyncRequest and UriError."""

    def header(name: str, default: str = "") -> str:
        return headers.get(_PREFIX + name) or default

    location = header("InputLocation")
    if bool(location) == bool(body):
        raise InvalidAsyncRequest("Exactly one of InputLocation and Body must be given.")
    if len(body) > MAX_INLINE_BYTES:
        raise InvalidAsyncRequest(f"Body must have at most {MAX_INLINE_BYTES} bytes.")
    if len(header("Custom-Attributes")) > MAX_CUSTOM_ATTRIBUTES:
        raise InvalidAsyncRequest(too_long_attributes())
    parts = (header("S3OutputPathExtension").strip("/"), header("Filename"))
    return AsyncRequest(
        endpoint=endpoint,
        source=S3Uri.parse(location) if location else None,
        body=body,
        content_type=header("Content-Type", "application/octet-stream"),
        accept=header("Accept", "*/*"),
        custom_attributes=header("Custom-Attributes"),
        inference_id=header("Inference-Id") or str(uuid.uuid4()),
        timeout_seconds=_number(
            "InvocationTimeoutSeconds", header("InvocationTimeoutSeconds", "900"), 1, 3600
        ),
        ttl_seconds=_number("RequestTTLSeconds", header("RequestTTLSeconds", "21600"), 60, 21_600),
        received=now,
        extension=_extension(*parts),
    )


def notification(
    request: AsyncRequest,
    settings: AsyncSettings,
    region: str,
    now: datetime.datetime,
    *,
    reply: Reply | None = None,
    reason: str = "",
) -> str:
    """Return the message for the success topic, or with a `reason` for the error topic."""
    message: dict[str, object] = {
        "awsRegion": region,
        "eventTime": _time(now),
        "receivedTime": _time(request.received),
        "invocationStatus": "Failed" if reason else "Completed",
    }
    if reason:
        message["failureReason"] = reason
    message["requestParameters"] = {
        "endpointName": request.endpoint,
        **({"inputLocation": str(request.source)} if request.source else {}),
        "contentType": request.content_type,
    }
    if reply is not None and not reason:
        message["responseParameters"] = _response(request, settings, reply)
    message.update(
        inferenceId=request.inference_id,
        eventVersion="1.0",
        eventSource="aws:sagemaker",
        eventName="InferenceResult",
    )
    return json.dumps(message)


def _response(request: AsyncRequest, settings: AsyncSettings, reply: Reply) -> dict[str, object]:
    described: dict[str, object] = {
        "contentType": reply.headers.get("Content-Type", "application/octet-stream"),
        "outputLocation": str(request.output(settings)),
    }
    includes_response = "SUCCESS_NOTIFICATION_TOPIC" in settings.response_topics
    if includes_response and len(reply.body) <= MAX_NOTIFIED_BYTES:
        described["responseBody"] = {
            "content": base64.b64encode(reply.body).decode("ascii"),
            "encoding": "BASE64",
        }
    return described


def _extension(folder: str, name: str) -> str:
    return "/".join(part for part in (folder, name or (folder and f"{uuid.uuid4()}.out")) if part)


def _number(name: str, text: str, minimum: int, maximum: int) -> float:
    if not text.isdigit() or not minimum <= int(text) <= maximum:
        raise InvalidAsyncRequest(f"{name} must be between {minimum} and {maximum}, not {text}.")
    return float(text)


def _time(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


LOG = logging.getLogger(__name__)
# https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
MAX_BYTES = 1024**3


class AsyncFailed(LocalAwsError):
    """A queued request has no answer; the message is the failure's reason."""


class AsyncWork:
    """Does what is asked of an endpoint, with the permissions of its role."""

    def __init__(self, services: AwsServices, captures: CaptureWriter) -> None:
        self._services, self._captures = services, captures

    def __call__(
        self, request: AsyncRequest, fleet: Fleet, variant: Variant, settings: AsyncSettings
    ) -> None:
        """Have the variant answer, write the answer, and notify the topic."""
        environment = self._services.role_environment(settings.role_arn)
        s3 = self._services.s3(environment)
        at = clock.now()
        reply, reason = None, ""
        try:
            body = _input(s3, request)
            reply = _asked(variant, request, body)
            target, content = request.output(settings), reply.body
            _store(s3, target, content, settings.kms_key_id, reply.headers.get("Content-Type"))
        except (LocalAwsError, ClientError, BotoCoreError) as error:
            reason = str(error)
            self._fail(s3, request, settings, reason)
        else:
            exchange = _exchange(request, body, reply, at)
            self._capture(request.endpoint, fleet, variant, exchange)
        topic = settings.error_topic if reason else settings.success_topic
        if topic:
            message = notification(
                request, settings, self._services.region, clock.now(), reply=reply, reason=reason
            )
            self._notify(environment, topic, message)

    def _fail(self, s3: Any, request: AsyncRequest, settings: AsyncSettings, reason: str) -> None:
        target = request.failure(settings)
        if target is None:
            return
        try:
            _store(s3, target, reason.encode(), settings.kms_key_id, "text/plain")
        except (ClientError, BotoCoreError) as error:
            LOG.warning("%s cannot be written: %s", target, error)

    def _notify(self, environment: dict[str, str], topic: str, message: str) -> None:
        try:
            self._services.publish(environment, topic, message)
        except (ClientError, BotoCoreError) as error:
            LOG.warning("%s cannot be notified: %s", topic, error)

    def _capture(self, endpoint: str, fleet: Fleet, variant: Variant, exchange: Exchange) -> None:
        if fleet.settings.capture is not None:
            stream = CaptureStream(endpoint, variant.spec.name, fleet.settings.capture)
            self._captures.add(stream, exchange)


def _input(s3: Any, request: AsyncRequest) -> bytes:
    """Return the request's payload; raises AsyncFailed, and the S3 client's errors."""
    if clock.now() - request.received > datetime.timedelta(seconds=request.ttl_seconds):
        raise AsyncFailed("The request was in the queue for longer than RequestTTLSeconds.")
    source = request.source
    if source is None:
        return request.body
    found = s3.get_object(Bucket=source.bucket, Key=urllib.parse.unquote(source.key))
    if found["ContentLength"] > MAX_BYTES:
        raise AsyncFailed(f"The payload at {source} has more than {MAX_BYTES} bytes.")
    content: bytes = found["Body"].read()
    return content


def _asked(variant: Variant, request: AsyncRequest, body: bytes) -> Reply:
    try:
        reply = variant.invoke(body, request.headers(), request.timeout_seconds, MAX_BYTES)
    except VariantUnavailable as error:
        raise AsyncFailed(f"ServerError: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        failure_text = no_answer(error, request.timeout_seconds)
        raise AsyncFailed(f"ServerError: {failure_text}") from error
    if not reply.ok:
        kind = "ClientError" if 400 <= reply.status < 500 else "ServerError"
        raise AsyncFailed(f"{kind}: {received(reply.status, refusal(reply))}")
    return reply


def _store(s3: Any, target: S3Uri, body: bytes, kms_key_id: str | None, kind: str | None) -> None:
    more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
    s3.put_object(
        Bucket=target.bucket,
        Key=target.key,
        Body=body,
        ContentType=kind or "application/octet-stream",
        **more,
    )


def _exchange(request: AsyncRequest, body: bytes, reply: Reply, at: datetime.datetime) -> Exchange:
    return Exchange(
        request=body,
        request_type=request.content_type,
        response=reply.body,
        response_type=reply.headers.get("Content-Type", ""),
        at=at,
        inference_id=request.inference_id,
    )


WORKERS = 8
_CAPACITY_SECONDS = 0.5


class AsyncInvoker:
    """The queues of one account and region."""

    def __init__(self, services: AwsServices, traffic: Traffic, work: AsyncWork) -> None:
        self._services, self._traffic, self._do = services, traffic, work
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._queues: dict[str, ThreadPoolExecutor] = {}
        self._backlogs: dict[str, int] = {}
        self._requests = WorkQueue("sagemaker.async", clock.CLOCK, self._start)

    def accept(self, endpoint: str, headers: Any, body: bytes) -> Answer:
        """Return the answer 202 of a request that is now queued, or AWS's error."""
        with self._traffic.lease(self._arn(endpoint)) as fleet:
            if fleet is None:
                return validation_error(
                    f"Endpoint {endpoint} of account {self._services.account_id} not found."
                )
            if fleet.settings.asynchronous is None:
                return validation_error(
                    f"Endpoint {endpoint} does not support asynchronous inference: use "
                    "InvokeEndpoint to invoke it."
                )
            settings = fleet.settings.asynchronous
        try:
            request = parse_request(endpoint, headers, body, clock.now())
        except LocalAwsError as error:
            return validation_error(str(error))
        self._requests.accept(request.id, request)
        return _accepted(request, settings)

    def close(self) -> None:
        """Begin no more: what is queued stays for the next process."""
        self._closing.set()
        for queue in self._queues.values():
            queue.shutdown(wait=False, cancel_futures=True)

    def _start(self, identity: str, request: AsyncRequest) -> None:
        del identity
        if not self._closing.is_set():
            self._count(request.endpoint, 1)
            self._queue(request.endpoint).submit(self._work, request)

    def _queue(self, endpoint: str) -> ThreadPoolExecutor:
        with self._lock:
            if endpoint not in self._queues:
                self._queues[endpoint] = ThreadPoolExecutor(WORKERS, f"async-{endpoint}")
            return self._queues[endpoint]

    def _arn(self, endpoint: str) -> str:
        services = self._services
        return f"arn:aws:sagemaker:{services.region}:{services.account_id}:endpoint/{endpoint}"

    def _count(self, endpoint: str, change: int) -> None:
        with self._lock:
            self._backlogs[endpoint] = self._backlogs.get(endpoint, 0) + change
            backlog = self._backlogs[endpoint]
        dimensions = [{"Name": "EndpointName", "Value": endpoint}]
        datum = {"MetricName": "ApproximateBacklogSize", "Value": backlog, "Unit": "Count"}
        self._services.put_metric("AWS/SageMaker", [{**datum, "Dimensions": dimensions}])

    def _work(self, request: AsyncRequest) -> None:
        try:
            while not self._closing.is_set() and not self._is_over(request):
                self._without_capacity(request)
        except Exception:  # the queue goes on, whatever became of one request
            LOG.exception("The asynchronous request %s was lost", request.id)
        finally:
            self._count(request.endpoint, -1)
        # What was under way at the end of the server is begun again by the next one.
        if not self._closing.is_set():
            self._requests.done(request.id)

    def _is_over(self, request: AsyncRequest) -> bool:
        """Have the endpoint answer if it can; return whether nothing is left to do."""
        with self._traffic.lease(self._arn(request.endpoint)) as fleet:
            if fleet is None:  # deleted, or it is started again after the server's own start
                return not self._traffic.is_known(self._arn(request.endpoint))
            settings = fleet.settings.asynchronous
            variant = fleet.choose()
            if settings is None or not _has_room(variant, settings):
                return False
            self._do(request, fleet, variant, settings)
            return True

    def _without_capacity(self, request: AsyncRequest) -> None:
        """Publish the metric that scales an endpoint up from no instance, and wait briefly."""
        dimensions = [{"Name": "EndpointName", "Value": request.endpoint}]
        datum = {"MetricName": "HasBacklogWithoutCapacity", "Value": 1.0, "Unit": "Count"}
        self._services.put_metric("AWS/SageMaker", [{**datum, "Dimensions": dimensions}])
        self._closing.wait(_CAPACITY_SECONDS)


def _has_room(variant: Variant, settings: AsyncSettings) -> bool:
    return variant.in_flight < settings.concurrency * variant.processes


def _accepted(request: AsyncRequest, settings: AsyncSettings) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "X-Amzn-SageMaker-OutputLocation": str(request.output(settings)),
    }
    failure = request.failure(settings)
    if failure is not None:
        headers["X-Amzn-SageMaker-FailureLocation"] = str(failure)
    body = json.dumps({"InferenceId": request.inference_id})
    return Answer(202, headers, body.encode())
