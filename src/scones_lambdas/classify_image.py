"""Second step: send the object that was checked to the endpoint, and check its answer."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from scones_core.errors import (
    EndpointNotFound,
    ImageTooLarge,
    InvalidInference,
    InvalidRequest,
)
from scones_core.events import (
    MAX_ALTERNATIVES,
    ClassifiedImage,
    ImageRef,
    Inference,
    SerializedImage,
    parse_image_ref,
)
from scones_core.labels import LabelSet, attributed_labels
from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_core.probabilities import probability_vector
from scones_core.uris import S3Uri
from scones_lambdas.clients import s3, sagemaker_runtime
from scones_lambdas.environment import ClassifyEnvironment
from scones_lambdas.faults import SERVICE_FAULTS, endpoint_fault, storage_fault
from scones_lambdas.logs_and_metrics import log_image
from scones_lambdas.s3_objects import location, read_setting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

ANSWER_BYTES_LIMIT = 65_536
"""Room for the probabilities of some 2,500 classes."""


@cache
def environment() -> ClassifyEnvironment:
    """Return the function's endpoint and labels; raises as `read_setting`."""
    return ClassifyEnvironment.of(os.environ, read_setting)


def handler(event: Any, _context: "LambdaContext | None" = None) -> ClassifiedImage:
    """Return the image's reference and the endpoint's answer for it.

    `event` is a SerializedImage. Raises InvalidRequest, ImageNotFound, ImageTooLarge,
    UnsupportedImage, InvalidInference, EndpointNotFound, EndpointThrottled,
    EndpointUnavailable, SettingsError.
    """
    serialized = parse_serialized(event)
    inference = classify(s3(), sagemaker_runtime(), serialized, environment())
    log_image("image classified", serialized["image"], inference_id=inference["inference_id"])
    return {"image": serialized["image"], "inference": inference}


def parse_serialized(event: Any) -> SerializedImage:
    """Return the event as what serialize_image gives; raises InvalidRequest otherwise."""
    if not isinstance(event, Mapping) or not isinstance(event.get("image"), Mapping):
        raise InvalidRequest("classify_image takes what serialize_image returned.")
    image = {**event["image"], **parse_image_ref(event["image"])}
    texts = (image.get("etag"), image.get("content_type"), event.get("inference_id"))
    if not all(isinstance(text, str) and text for text in texts):
        raise InvalidRequest("An image to classify needs etag, content_type and inference_id.")
    return cast(SerializedImage, {"image": image, "inference_id": event["inference_id"]})


def classify(
    storage: "S3Client",
    runtime: "SageMakerRuntimeClient",
    serialized: SerializedImage,
    settings: ClassifyEnvironment,
    content: bytes = b"",
) -> Inference:
    """Return the endpoint's answer for the very object that serialize_image saw.

    `content` are its bytes where they were read before. An answer that names its classes is read
    by them: while a release of other classes is rolled out, either model may answer.
    """
    if not settings.endpoint_name:
        raise EndpointNotFound("No endpoint is deployed; release a model, then run inv apply.")
    content = content or read_image(storage, serialized["image"])
    try:
        response = runtime.invoke_endpoint(
            EndpointName=settings.endpoint_name,
            Body=content,
            ContentType=serialized["image"]["content_type"],
            Accept="application/json",
            InferenceId=serialized["inference_id"],
        )
        answer = response["Body"].read(ANSWER_BYTES_LIMIT + 1)
    except SERVICE_FAULTS as error:
        raise endpoint_fault(error, settings.endpoint_name, serialized["image"]) from error
    labels = attributed_labels(response.get("CustomAttributes", "")) or settings.labels
    probabilities = parse_probabilities(answer, labels)
    label = next(iter(probabilities))
    return {
        "label": label,
        "confidence": probabilities[label],
        "probabilities": probabilities,
        "inference_id": serialized["inference_id"],
        "variant": response.get("InvokedProductionVariant", ""),
    }


def read_image(storage: "S3Client", image: ImageRef) -> bytes:
    """Return the object's bytes; never more than the endpoint takes are read.

    Raises ImageTooLarge, and ImageNotFound where the object has another etag by now.
    """
    try:
        response = storage.get_object(**location(image), IfMatch=image["etag"])
        if response["ContentLength"] > ENDPOINT_BODY_BYTES:
            raise ImageTooLarge(
                f"{S3Uri(image['bucket'], image['key'])} has {response['ContentLength']} bytes; "
                f"the endpoint takes {ENDPOINT_BODY_BYTES}."
            )
        return response["Body"].read()
    except SERVICE_FAULTS as error:
        raise storage_fault(error, image) from error


def parse_probabilities(answer: bytes, labels: LabelSet) -> dict[str, float]:
    """Return the MAX_ALTERNATIVES likeliest labels' probabilities, the likeliest first.

    `answer` is a JSON list of all of them in label order; equal ones stay in that order.

    Raises InvalidInference unless it is a probability vector of as many numbers as labels.
    """
    if len(answer) > ANSWER_BYTES_LIMIT:
        raise InvalidInference(f"The endpoint answered more than {ANSWER_BYTES_LIMIT} bytes.")
    try:
        values = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise InvalidInference(
            f"The endpoint's answer is not valid JSON: {answer[:80]!r}"
        ) from error
    try:
        probabilities = probability_vector(values, len(labels))
    except ValueError as error:
        raise InvalidInference(
            f"The endpoint must answer a probability for each of its {len(labels)} classes, in "
            f"label order and after its softmax: {error}; it answered {answer[:80]!r}"
        ) from error
    ranked = sorted(zip(labels, probabilities, strict=True), key=lambda pair: -pair[1])
    return dict(ranked[:MAX_ALTERNATIVES])
