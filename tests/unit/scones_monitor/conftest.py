import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scones_core.events import Result
from scones_monitor.captured_records import CapturedRecord

TIME = datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)


@pytest.fixture
def body() -> Callable[..., dict[str, Any]]:
    """Return a builder of captured lines as SageMaker writes them, before they are JSON."""

    def build(output: dict[str, Any] | None = None, **event: Any) -> dict[str, Any]:
        return {
            "captureData": {
                "endpointInput": {
                    "observedContentType": "image/png",
                    "mode": "INPUT",
                    "data": base64.b64encode(b"image bytes").decode(),
                    "encoding": "BASE64",
                },
                "endpointOutput": {
                    "observedContentType": "application/json",
                    "mode": "OUTPUT",
                    "data": "[0.9388836622238159, 0.061116307973861694]",
                    "encoding": "JSON",
                    **(output or {}),
                },
            },
            "eventMetadata": {
                "eventId": "695344c2-3858-45e5-a14d-33deaf4310c7",
                "inferenceTime": "2026-11-20T14:32:05Z",
                **event,
            },
            "eventVersion": "0",
        }

    return build


@pytest.fixture
def line(body: Callable[..., dict[str, Any]]) -> Callable[..., bytes]:
    return lambda *args, **event: json.dumps(body(*args, **event)).encode()


@pytest.fixture
def record() -> Callable[..., CapturedRecord]:
    def build(
        inference_id: str | None,
        *,
        event_id: str = "event",
        probabilities: tuple[float, ...] = (0.9, 0.1),
    ) -> CapturedRecord:
        return CapturedRecord(
            event_id, inference_id, TIME, "image/png", b"", probabilities, "AllTraffic"
        )

    return build


@pytest.fixture
def result() -> Callable[..., Result]:
    def build(key: str, label: str, confidence: float, inference_id: str = "id") -> Result:
        return {
            "image": {"bucket": "data", "key": key},
            "decision": "accepted" if confidence >= 0.97 else "review",
            "threshold": 0.97,
            "inference": {
                "label": label,
                "confidence": confidence,
                "probabilities": {label: confidence, "other": 1 - confidence},
                "inference_id": inference_id,
                "variant": "AllTraffic",
            },
        }

    return build
