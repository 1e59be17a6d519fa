"""The stored events against the functions: what one returns is what the next one takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from scones_core.events import ClassifiedImage, Inference, Result, SerializedImage
from scones_lambdas import classify_image, filter_inferences, serialize_image
from tests.functional.scones_lambdas.conftest import picture, put

EVENTS = Path(__file__).parents[2] / "events"

pytestmark = pytest.mark.usefixtures("world")


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def shape(value: Any) -> Any:
    """Return a message's names and types, without what differs from image to image."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return type(value)


def test_each_function_returns_the_event_that_is_stored_for_the_next(context: Any) -> None:
    put("images/one.png", picture())
    serialized = serialize_image.handler(event("serialize_image"), context)
    assert shape(serialized) == shape(event("classify_image"))
    classified = classify_image.handler(serialized)
    assert shape(classified) == shape(event("filter_inferences"))
    assert filter_inferences.handler(classified)["decision"] == "accepted"


def test_the_stored_events_have_the_fields_of_the_core_s_messages() -> None:
    assert set(event("classify_image")) == set(SerializedImage.__annotations__)
    classified = event("filter_inferences")
    assert set(classified) == set(ClassifiedImage.__annotations__)
    assert set(classified["inference"]) == set(Inference.__annotations__)
    assert set(filter_inferences.handler(classified)) <= set(Result.__annotations__)
