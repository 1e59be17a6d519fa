"""Third step: accept the verdict, or ask for review. A low confidence is a result, no error."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from scones_core.errors import InvalidInference, InvalidRequest, SettingsError
from scones_core.events import (
    AssignedVehicle,
    ClassifiedImage,
    Result,
    challenger_of,
    parse_image_ref,
)
from scones_core.probabilities import is_probability
from scones_core.uris import S3Uri
from scones_lambdas.environment import FilterEnvironment
from scones_lambdas.logs_and_metrics import count_decision, log_image

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def environment() -> FilterEnvironment:
    """Return the function's threshold, release and assignments; raises SettingsError."""
    return FilterEnvironment.of(os.environ, _read_setting)


def _read_setting(uri: S3Uri) -> str:
    # A client is made only where there are too many assignments for a variable.
    from scones_lambdas.s3_objects import read_setting

    return read_setting(uri)


def handler(event: Any, _context: "LambdaContext | None" = None) -> Result:
    """Return the result of one image: accepted from the threshold on, else review.

    `event` is a ClassifiedImage. Raises InvalidRequest, InvalidInference, SettingsError.
    """
    result = decide(parse_classified(event), environment())
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


def decide(classified: ClassifiedImage, settings: FilterEnvironment) -> Result:
    """Return the result, with its assignment where the verdict is accepted.

    It names the release that answered, whose threshold decides. While a challenger is being
    deployed, the function may not have its threshold yet: the active one's decides then. A class
    that the function does not have yet has the assignment that is rolled out with it.

    Raises InvalidInference for a confidence that is no probability: NaN compares false with
    everything, so `>=` alone would send it to review unnoticed. Raises SettingsError where the
    accepted class has no assignment and others have, and as `read_setting`.
    """
    confidence = classified["inference"].get("confidence")
    if not is_probability(confidence):
        raise InvalidInference(f"A confidence lies between 0 and 1; given was {confidence!r:.40}")
    challenger = challenger_of(classified["inference"]["variant"])
    own = settings.challenger_threshold if challenger else None
    threshold = settings.threshold if own is None else own
    accepted = confidence >= threshold
    result: Result = {
        "image": classified["image"],
        "inference": classified["inference"],
        "threshold": threshold,
        "release": challenger or settings.release,
        "decision": "accepted" if accepted else "review",
    }
    if not accepted or not settings.assignments:
        return result
    label = classified["inference"]["label"]
    assignment = settings.assignments.get(label) or settings.newest_assignments().get(label)
    if assignment is None:
        raise SettingsError(
            f"The class {label} has no assignment; write [assignment.{label}] into scones.toml, "
            "then run inv release and inv apply."
        )
    return {**result, "assignment": cast(AssignedVehicle, asdict(assignment))}
