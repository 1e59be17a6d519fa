import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.events import Result
from scones_core.outputs import Deployment
from scones_toolkit.tasks.monitoring import captures_of

NAMES = {field.name: field.name for field in fields(Deployment)}
DEPLOYMENT = Deployment.of(
    {
        **NAMES,
        "labels": ["bicycle", "motorcycle"],
        "capture_uri": "s3://captures/capture",
        "endpoint_name": "scones-dev",
        "variant": "AllTraffic",
    }
)
RESULT: Result = {
    "image": {"bucket": "data", "key": "a.png"},
    "decision": "accepted",
    "threshold": 0.9,
    "inference": {
        "label": "bicycle",
        "confidence": 0.99,
        "probabilities": {"bicycle": 0.99, "motorcycle": 0.01},
        "inference_id": "one",
        "variant": "AllTraffic",
    },
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket="captures")
        yield client


def capture(s3: Any, variant: str, answer: list[float]) -> None:
    output = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
    record = {
        "captureData": {"endpointOutput": {**output, "data": json.dumps(answer)}},
        "eventMetadata": {
            "eventId": variant,
            "inferenceId": "one",
            "inferenceTime": "2026-11-20T14:32:05Z",
        },
        "eventVersion": "0",
    }
    key = f"capture/scones-dev/{variant}/2026/11/20/14/32-05-000-x.jsonl"
    s3.put_object(Bucket="captures", Key=key, Body=json.dumps(record).encode())


def test_a_report_reads_what_decided_and_not_a_shadows_answers(s3: Any) -> None:
    capture(s3, "AllTraffic", [0.99, 0.01])
    capture(s3, "Shadow", [0.3, 0.7])
    found = captures_of(DEPLOYMENT, s3, [RESULT], datetime(2026, 11, 20, 14, tzinfo=UTC), 0)
    assert [record.variant for record in found.records] == ["AllTraffic"]
