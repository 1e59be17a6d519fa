import threading
from datetime import UTC, datetime

from local_aws.core.s3_uri import S3Uri
from local_aws.sagemaker.endpoints import data_capture
from local_aws.sagemaker.endpoints.data_capture import (
    CaptureSettings,
    CaptureStream,
    CaptureWriter,
    Exchange,
)

DEADLINE_SECONDS = 5.0


class Bucket:
    """A bucket that refuses the first `refusals` objects."""

    def __init__(self, refusals: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.keys_used: list[str | None] = []
        self.attempts = 0
        self._refusals = refusals
        self._changed = threading.Condition()

    def put(
        self, *, bucket: str, key: str, body: bytes, kms_key_id: str | None, role_arn: str
    ) -> None:
        with self._changed:
            self.attempts += 1
            self._changed.notify_all()
            if self.attempts <= self._refusals:
                raise ConnectionError("refused")
            self.objects[f"{bucket}/{key}"] = body
            self.keys_used.append(kms_key_id)

    def wait_for_attempts(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.attempts >= count, DEADLINE_SECONDS)

    def records(self) -> int:
        return sum(body.count(b"\n") for body in self.objects.values())


def stream(
    variant: str = "AllTraffic", endpoint: str = "shop", percentage: int = 100
) -> CaptureStream:
    settings = CaptureSettings(
        S3Uri("captures", "data"), percentage, inputs=True, outputs=True, kms_key_id="key-1"
    )
    return CaptureStream(endpoint, variant, settings)


def exchange() -> Exchange:
    return Exchange(b"in", "image/png", b"[1.0]", "application/json", datetime.now(UTC))


def test_records_of_one_stream_share_a_file_and_streams_do_not() -> None:
    bucket = Bucket()
    writer = CaptureWriter(bucket.put, seconds=60)
    for _ in range(3):
        writer.add(stream("a"), exchange())
    writer.add(stream("b"), exchange())

    writer.close()

    assert sorted(body.count(b"\n") for body in bucket.objects.values()) == [1, 3]
    assert bucket.keys_used == ["key-1", "key-1"]


def test_a_buffer_is_written_by_itself_after_its_seconds() -> None:
    bucket = Bucket()
    writer = CaptureWriter(bucket.put, seconds=0.05)
    writer.add(stream(), exchange())

    assert bucket.wait_for_attempts(1)
    writer.close()
    assert bucket.records() == 1


def test_a_flush_writes_one_endpoint_and_keeps_the_others() -> None:
    bucket = Bucket()
    writer = CaptureWriter(bucket.put, seconds=60)
    writer.add(stream(endpoint="shop"), exchange())
    writer.add(stream(endpoint="other"), exchange())

    writer.flush("shop")

    assert [key.split("/")[2] for key in bucket.objects] == ["shop"]
    writer.close()
    assert bucket.records() == 2


def test_a_refused_file_is_written_again_with_what_came_since() -> None:
    bucket = Bucket(refusals=2)
    writer = CaptureWriter(bucket.put, seconds=0.02)
    writer.add(stream(), exchange())

    assert bucket.wait_for_attempts(3)
    writer.close()
    assert bucket.records() == 1


def test_after_three_refusals_a_file_is_given_up_and_the_writer_goes_on() -> None:
    bucket = Bucket(refusals=data_capture.ATTEMPTS)
    writer = CaptureWriter(bucket.put, seconds=0.02)
    writer.add(stream(), exchange())
    assert bucket.wait_for_attempts(data_capture.ATTEMPTS)

    writer.add(stream("later"), exchange())
    writer.close()

    assert [key.split("/")[3] for key in bucket.objects] == ["later"]


def test_a_request_that_is_not_sampled_is_not_kept() -> None:
    bucket = Bucket()
    writer = CaptureWriter(bucket.put, seconds=60)
    writer.add(stream(percentage=0), exchange())

    writer.close()

    assert bucket.objects == {}
