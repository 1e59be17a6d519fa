"""Captured requests and answers, in the form that an endpoint's data capture writes to S3.

One JSON object a line, keys in this order, compact separators:

    {"captureData":{"endpointInput":{...},"endpointOutput":{...}},
     "eventMetadata":{"eventId":...,"inferenceTime":...[,"inferenceId":...]},"eventVersion":"0"}

Object key: `<destination>/<endpoint>/<variant>/YYYY/MM/DD/HH/MM-SS-mmm-<uuid>.jsonl`, in UTC and
named after the file's first record. A destination that ends with a slash yields `//`.
"""

import base64
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

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
