"""What InvokeEndpointAsync is asked, and the notification that tells how it ended.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
"""

import base64
import datetime
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.endpoints.answers import CUSTOM_ATTRIBUTES
from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.container_http import Reply

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
    told: dict[str, object] = {
        "contentType": reply.headers.get("Content-Type", "application/octet-stream"),
        "outputLocation": str(request.output(settings)),
    }
    wanted = "SUCCESS_NOTIFICATION_TOPIC" in settings.response_topics
    if wanted and len(reply.body) <= MAX_NOTIFIED_BYTES:
        told["responseBody"] = {
            "content": base64.b64encode(reply.body).decode("ascii"),
            "encoding": "BASE64",
        }
    return told


def _extension(folder: str, name: str) -> str:
    return "/".join(part for part in (folder, name or (folder and f"{uuid.uuid4()}.out")) if part)


def _number(name: str, text: str, least: int, most: int) -> float:
    if not text.isdigit() or not least <= int(text) <= most:
        raise InvalidAsyncRequest(f"{name} must be between {least} and {most}, not {text}.")
    return float(text)


def _time(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
