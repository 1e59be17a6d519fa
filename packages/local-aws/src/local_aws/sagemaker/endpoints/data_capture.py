"""Captured requests and answers, in the form that an endpoint's data capture writes to S3.

One JSON object a line, keys in this order, compact separators:

    {"captureData":{"endpointInput":{...},"endpointOutput":{...}},
     "eventMetadata":{"eventId":...,"inferenceTime":...[,"inferenceId":...]},"eventVersion":"0"}

Object key: `<destination>/<endpoint>/<variant>/YYYY/MM/DD/HH/MM-SS-mmm-<uuid>.jsonl`, in UTC and
named after the file's first record. A destination that ends with a slash yields `//`.
"""

import base64
import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from local_aws.core.s3_uri import S3Uri


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What an endpoint configuration asks to be captured. `percentage` is 0 to 100."""

    destination: S3Uri
    percentage: int
    inputs: bool
    outputs: bool
    csv_types: frozenset[str] = frozenset()
    json_types: frozenset[str] = frozenset()
    kms_key_id: str | None = None
    role_arn: str = ""

    @classmethod
    def parse(cls, config: Mapping[str, Any] | None, role_arn: str = "") -> Self | None:
        """Return the settings of a `DataCaptureConfig`; None where nothing is captured.

        `role_arn` is the role that captures are written with.
        """
        if not config or not config.get("EnableCapture", False):
            return None
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        headers = config.get("CaptureContentTypeHeader") or {}
        return cls(
            destination=S3Uri.parse(config["DestinationS3Uri"]),
            percentage=int(config["InitialSamplingPercentage"]),
            inputs=bool(modes & {"Input", "InputAndOutput"}),
            outputs=bool(modes & {"Output", "InputAndOutput"}),
            csv_types=frozenset(map(media_type, headers.get("CsvContentTypes") or ())),
            json_types=frozenset(map(media_type, headers.get("JsonContentTypes") or ())),
            kms_key_id=config.get("KmsKeyId") or None,
            role_arn=role_arn,
        )

    def samples(self) -> bool:
        """Return whether the next request is one of the sampled."""
        return random.random() * 100 < self.percentage  # noqa: S311 - sampling, not secrecy

    def encode(self, content_type: str, data: bytes) -> tuple[str, str]:
        """Return the data as text, and its encoding: JSON, CSV or BASE64.

        Bytes that are no UTF-8 are BASE64 whatever their content type promises.
        """
        kind = media_type(content_type)
        for encoding, types in (("CSV", self.csv_types), ("JSON", self.json_types)):
            if kind in types:
                try:
                    return data.decode(), encoding
                except UnicodeDecodeError:
                    break
        return base64.b64encode(data).decode("ascii"), "BASE64"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that a variant answered with 2xx. `inference_id` is "" where none was sent."""

    request: bytes
    request_type: str
    response: bytes
    response_type: str
    at: datetime
    inference_id: str = ""


@dataclass(frozen=True, slots=True)
class CaptureStream:
    """Where the records of one variant of one endpoint go."""

    endpoint: str
    variant: str
    settings: CaptureSettings

    def object_key(self, first: datetime) -> str:
        """Return a new object key for a file whose first record is of that time."""
        at = first.astimezone(UTC)
        folder = f"{self.endpoint}/{self.variant}/{at:%Y/%m/%d/%H}"
        name = f"{at:%M-%S}-{at.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        prefix = self.settings.destination.key
        return f"{prefix}/{folder}/{name}" if prefix else f"{folder}/{name}"


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def capture_line(exchange: Exchange, settings: CaptureSettings) -> str:
    """Return the exchange as one line of JSON, without the line's end."""
    data = {}
    if settings.inputs:
        data["endpointInput"] = _side(settings, "INPUT", exchange.request_type, exchange.request)
    if settings.outputs:
        data["endpointOutput"] = _side(
            settings, "OUTPUT", exchange.response_type, exchange.response
        )
    metadata = {
        "eventId": str(uuid.uuid4()),
        "inferenceTime": f"{exchange.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    if exchange.inference_id:
        metadata["inferenceId"] = exchange.inference_id
    record = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(record, separators=(",", ":"))


def _side(settings: CaptureSettings, mode: str, content_type: str, data: bytes) -> dict[str, str]:
    text, encoding = settings.encode(content_type, data)
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


LOG = logging.getLogger(__name__)
MAX_FILE_BYTES = 4 * 1024 * 1024
ATTEMPTS = 3


class PutObject(Protocol):
    """Writes one object to S3; raises what the S3 client raises."""

    def __call__(
        self, *, bucket: str, key: str, body: bytes, kms_key_id: str | None, role_arn: str
    ) -> None:
        """Write `body` under the key, encrypted with the KMS key where one is given."""


@dataclass(slots=True)
class _Buffer:
    first: datetime
    due: float
    lines: list[str] = field(default_factory=list)
    size: int = 0
    attempts: int = 0


class CaptureWriter:
    """Collects records by stream and writes each buffer as one file, `seconds` after its first.

    AWS gathers for about a minute; a laptop's user does not want to wait for that. A file that
    cannot be written is tried again at its next turn, three times in all, then reported as lost.
    """

    def __init__(
        self, put: PutObject, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._put, self._seconds, self._clock = put, seconds, clock
        self._buffers: dict[CaptureStream, _Buffer] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def add(self, stream: CaptureStream, exchange: Exchange) -> None:
        """Keep the exchange if it is sampled; it is in S3 `seconds` later at the latest."""
        if not stream.settings.samples():
            return
        line = capture_line(exchange, stream.settings)
        with self._changed:
            buffer = self._buffers.get(stream)
            if buffer is None:
                buffer = _Buffer(exchange.at, self._clock() + self._seconds)
                self._buffers[stream] = buffer
                self._changed.notify()
            buffer.lines.append(line)
            buffer.size += len(line) + 1
            if buffer.size >= MAX_FILE_BYTES:
                buffer.due = self._clock()
                self._changed.notify()

    def flush(self, endpoint: str | None = None) -> None:
        """Write what is buffered now, of one endpoint or of all."""
        with self._changed:
            streams = [s for s in self._buffers if endpoint is None or s.endpoint == endpoint]
            taken = [(stream, self._buffers.pop(stream)) for stream in streams]
        for stream, buffer in taken:
            self._write(stream, buffer)

    def close(self) -> None:
        """Write everything that is buffered and stop; what cannot be written now is lost."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = self._take_due()
                if not due:
                    if self._closed:
                        return
                    self._changed.wait(self._seconds_until_next())
                    continue
            for stream, buffer in due:
                self._write(stream, buffer)

    def _take_due(self) -> list[tuple[CaptureStream, _Buffer]]:
        now = self._clock()
        streams = [stream for stream, buffer in self._buffers.items() if buffer.due <= now]
        return [(stream, self._buffers.pop(stream)) for stream in streams]

    def _seconds_until_next(self) -> float | None:
        due = min((buffer.due for buffer in self._buffers.values()), default=None)
        return None if due is None else max(0.0, due - self._clock())

    def _write(self, stream: CaptureStream, buffer: _Buffer) -> None:
        bucket, key = stream.settings.destination.bucket, stream.object_key(buffer.first)
        body = "".join(f"{line}\n" for line in buffer.lines).encode()
        try:
            self._put(
                bucket=bucket,
                key=key,
                body=body,
                kms_key_id=stream.settings.kms_key_id,
                role_arn=stream.settings.role_arn,
            )
        except Exception as error:  # whatever S3 answers, the endpoint must go on serving
            self._keep(stream, buffer, error)

    def _keep(self, stream: CaptureStream, buffer: _Buffer, error: Exception) -> None:
        buffer.attempts += 1
        where = f"s3://{stream.settings.destination.bucket}"
        with self._changed:
            if self._closed or buffer.attempts >= ATTEMPTS:
                LOG.error("%d captured records lost at %s: %s", len(buffer.lines), where, error)
                return
            newer = self._buffers.get(stream)
            if newer is not None:
                buffer.lines += newer.lines
                buffer.size += newer.size
            buffer.due = self._clock() + max(self._seconds, 0.1)
            self._buffers[stream] = buffer
            self._changed.notify()
