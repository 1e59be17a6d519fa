"""Third step: accept the verdict, or ask for review. A low confidence is a result, no error."""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from scones_core.errors import InvalidInference, InvalidRequest
from scones_core.events import ClassifiedImage, Result, parse_image_ref
from scones_core.probabilities import is_probability
from scones_lambdas.environment import FilterEnvironment
from scones_lambdas.telemetry import count_decision, log_image

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def environment() -> FilterEnvironment:
    """Return the function's threshold; raises SettingsError."""
    return FilterEnvironment.of(os.environ)


def handler(event: Any, _context: "LambdaContext | None" = None) -> Result:
    """Return the result of one image: accepted from the threshold on, else review.

    `event` is a ClassifiedImage. Raises InvalidRequest, InvalidInference, SettingsError.
    """
    result = decide(parse_classified(event), environment().threshold)
    inference = result["inference"]
    log_image(
        "image decided",
        result["image"],
        inference_id=inference["inference_id"],
        decision=result["decision"],
        label=inference["label"],
        confidence=inference["confidence"],
    )
    count_decision(result)
    return result


def parse_classified(event: Any) -> ClassifiedImage:
    """Return the event as what classify_image gives; raises InvalidRequest otherwise."""
    inference = event.get("inference") if isinstance(event, Mapping) else None
    if not isinstance(inference, Mapping):
        raise InvalidRequest("filter_inferences takes what classify_image returned.")
    parse_image_ref(event.get("image"))
    texts = [inference.get(name) for name in ("label", "inference_id", "variant")]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidRequest("An inference needs its label, inference_id and variant, as texts.")
    return cast(ClassifiedImage, {"image": event["image"], "inference": inference})


def decide(classified: ClassifiedImage, threshold: float) -> Result:
    """Return the result; raises InvalidInference for a confidence that is no probability.

    NaN compares false with everything, so `>=` alone would send it to review unnoticed.
    """
    confidence = classified["inference"].get("confidence")
    if not is_probability(confidence):
        raise InvalidInference(f"A confidence lies between 0 and 1; given was {confidence!r:.40}")
    return {
        "image": classified["image"],
        "inference": classified["inference"],
        "threshold": threshold,
        "decision": "accepted" if confidence >= threshold else "review",
    }
