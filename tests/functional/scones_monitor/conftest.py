import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from PIL import Image

BUCKET = "captures"


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """Return a session to share: it reads botocore's service models once."""
    return boto3.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def s3(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of an S3 that has one empty bucket, `captures`."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = session.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def put(s3: Any) -> Callable[..., None]:
    """Return a writer of one capture file: its key, and its lines."""

    def write(key: str, *lines: str) -> None:
        s3.put_object(Bucket=BUCKET, Key=key, Body="".join(f"{line}\n" for line in lines).encode())

    return write


def _png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def line() -> Callable[..., str]:
    """Return a builder of captured lines, in the layout and order that SageMaker writes."""

    def build(
        event_id: str,
        *,
        time: str = "2026-11-20T14:32:05Z",
        probabilities: tuple[float, ...] = (0.99, 0.01),
        inference_id: str | None = None,
        image: bytes | None = None,
        answer: object = None,
    ) -> str:
        event = {"eventId": event_id, "inferenceTime": time}
        if inference_id is not None:
            event["inferenceId"] = inference_id
        body = base64.b64encode(_png(128) if image is None else image).decode()
        sent = {"observedContentType": "image/png", "mode": "INPUT", "data": body}
        given = {"observedContentType": "application/json", "mode": "OUTPUT"}
        given |= {"data": json.dumps(answer or list(probabilities)), "encoding": "JSON"}
        return json.dumps(
            {
                "captureData": {
                    "endpointInput": {**sent, "encoding": "BASE64"},
                    "endpointOutput": given,
                },
                "eventMetadata": event,
                "eventVersion": "0",
            },
            separators=(",", ":"),
        )

    return build
