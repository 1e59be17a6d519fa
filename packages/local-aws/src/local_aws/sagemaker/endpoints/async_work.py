"""One asynchronous request: its input from S3, its answer to S3, its message to SNS."""

import logging
import urllib.parse
from datetime import datetime, timedelta
from typing import Any

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core import clock
from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints import answers
from local_aws.sagemaker.endpoints.async_requests import AsyncRequest, notification
from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.capture_buffer import CaptureWriter
from local_aws.sagemaker.endpoints.capture_format import CaptureStream, Exchange
from local_aws.sagemaker.endpoints.container_http import Reply
from local_aws.sagemaker.endpoints.fleets import Fleet
from local_aws.sagemaker.endpoints.instances import VariantUnavailable
from local_aws.sagemaker.endpoints.variants import Variant

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
        """Have the variant answer, and write and tell what came of it."""
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
            self._tell(environment, topic, message)

    def _fail(self, s3: Any, request: AsyncRequest, settings: AsyncSettings, reason: str) -> None:
        target = request.failure(settings)
        if target is None:
            return
        try:
            _store(s3, target, reason.encode(), settings.kms_key_id, "text/plain")
        except (ClientError, BotoCoreError) as error:
            LOG.warning("%s cannot be written: %s", target, error)

    def _tell(self, environment: dict[str, str], topic: str, message: str) -> None:
        try:
            self._services.publish(environment, topic, message)
        except (ClientError, BotoCoreError) as error:
            LOG.warning("%s cannot be told: %s", topic, error)

    def _capture(self, endpoint: str, fleet: Fleet, variant: Variant, exchange: Exchange) -> None:
        if fleet.settings.capture is not None:
            stream = CaptureStream(endpoint, variant.spec.name, fleet.settings.capture)
            self._captures.add(stream, exchange)


def _input(s3: Any, request: AsyncRequest) -> bytes:
    """Return the request's payload; raises AsyncFailed, and the S3 client's errors."""
    if clock.now() - request.received > timedelta(seconds=request.ttl_seconds):
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
        reply = variant.invoke(body, request.headers(), request.timeout_seconds)
    except VariantUnavailable as error:
        raise AsyncFailed(f"ServerError: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        words = answers.no_answer(error, request.timeout_seconds)
        raise AsyncFailed(f"ServerError: {words}") from error
    if not reply.ok:
        kind = "ClientError" if 400 <= reply.status < 500 else "ServerError"
        raise AsyncFailed(f"{kind}: {answers.received(reply.status, answers.refusal(reply))}")
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


def _exchange(request: AsyncRequest, body: bytes, reply: Reply, at: datetime) -> Exchange:
    return Exchange(
        request=body,
        request_type=request.content_type,
        response=reply.body,
        response_type=reply.headers.get("Content-Type", ""),
        at=at,
        inference_id=request.inference_id,
    )
