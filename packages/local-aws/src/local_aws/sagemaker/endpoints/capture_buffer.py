"""The buffer between captured exchanges and their files in S3."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from local_aws.sagemaker.endpoints.capture_format import CaptureStream, Exchange, capture_line

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
