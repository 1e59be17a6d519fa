"""A batch of a large run: classify, record, and write the results to S3, in one call.

The Distributed Map hands over `{"BatchInput": {"execution", "run"}, "Items": [{"image", "index"},
...]}`. Each image goes through the three steps of the small runs, `CONCURRENCY` at once, over
connections that are kept open. The answer has counts only, so that no state grows with a batch.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict

from scones_core.errors import EndpointUnavailable, InvalidRequest, WorkflowError
from scones_core.events import (
    ClassifiedImage,
    Result,
    SerializedImage,
    count_by_decision,
    inference_id,
    parse_image_ref,
)
from scones_lambdas import classify_image, clients, filter_inferences, serialize_image
from scones_lambdas.clients import BATCH_RUNTIME_LIMITS, S3_LIMITS
from scones_lambdas.environment import (
    ClassifyEnvironment,
    FilterEnvironment,
    RecordEnvironment,
    SerializeEnvironment,
)
from scones_lambdas.logs_and_metrics import count_results, logger
from scones_lambdas.result_destinations import RESERVED_SECONDS, failed, recorder, write_results

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

IMAGE_ATTEMPTS = 4
"""Of an image whose fault may pass, as the state machine tries in a small run."""
MAX_PAUSE_SECONDS = 5.0

IMAGE_SECONDS = 3 * S3_LIMITS.worst_case_seconds + BATCH_RUNTIME_LIMITS.worst_case_seconds
"""The longest that one attempt may take: header, rest of a long header, whole image, endpoint."""

STOP_SECONDS = IMAGE_SECONDS + 2 * RESERVED_SECONDS
"""With less time left than this, no further image is begun, so that all are still recorded."""


class BatchOutput(TypedDict):
    """What a batch answers: how many ended how, and where its results lie, one JSON a line."""

    counts: dict[str, int]
    results: dict[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one child execution, and the run they belong to."""

    execution: str
    run: str
    items: Sequence[Any]


@dataclass(frozen=True)
class Classifier:
    """What one image is classified with; `remaining` answers the seconds that are left."""

    storage: "S3Client"
    runtime: "SageMakerRuntimeClient"
    limits: SerializeEnvironment
    endpoint: ClassifyEnvironment
    decision: FilterEnvironment
    remaining: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    def classify_one(self, item: Any, execution: str, index: int) -> Result:
        """Return how one image ends; a fault is a failed result, once retries are used up."""
        reached: Result = {"image": item, "decision": "failed", "index": index}
        for attempt in range(1, IMAGE_ATTEMPTS + 1):
            try:
                if self.remaining() < STOP_SECONDS:
                    raise EndpointUnavailable(
                        "The time of its batch ended before the endpoint had answered; redrive "
                        "it, or have smaller batches (limits.batch_images)."
                    )
                ref, head = serialize_image.inspect_image(
                    self.storage, parse_image_ref(item), self.limits
                )
                reached = {**reached, "image": ref}
                serialized: SerializedImage = {
                    "image": ref,
                    "inference_id": inference_id(execution, index),
                }
                whole = head if len(head) == ref["size_bytes"] else b""
                inference = classify_image.classify(
                    self.storage, self.runtime, serialized, self.endpoint, whole
                )
                classified: ClassifiedImage = {"image": ref, "inference": inference}
                return {
                    **filter_inferences.decide(classified, self.decision),
                    "index": index,
                }
            except Exception as error:  # one image's fault, whatever it is, is no other image's
                passing = isinstance(error, WorkflowError) and error.retryable
                if not passing or attempt == IMAGE_ATTEMPTS or self.remaining() < STOP_SECONDS:
                    return failed(reached, error)
                self.sleep(random.uniform(0, min(MAX_PAUSE_SECONDS, 2.0**attempt)))  # noqa: S311
        raise AssertionError("the last attempt returns")


@cache
def environment() -> RecordEnvironment:
    """Return where results go; raises SettingsError."""
    return RecordEnvironment.of(os.environ)


def handler(event: Any, context: "LambdaContext") -> BatchOutput:
    """Return the counts of a batch, whose images are classified, recorded and published.

    Raises InvalidRequest for an event that is no batch, MessageNotSent where the dead-letter
    queue takes nothing, and botocore's errors where the results cannot be written: another call
    repeats the batch and changes nothing of what was done.
    """
    batch = parse_batch(event)

    def remaining() -> float:
        return context.get_remaining_time_in_millis() / 1000

    classifier = Classifier(
        storage=clients.s3(),
        runtime=clients.batch_runtime(),
        limits=serialize_image.environment(),
        endpoint=classify_image.environment(),
        decision=filter_inferences.environment(),
        remaining=remaining,
    )
    with ThreadPoolExecutor(environment().concurrency) as pool:
        results = list(pool.map(lambda item: _classify(classifier, item, batch), batch.items))
    results = recorder(environment(), remaining).record(results, batch.execution)
    count_results(results)
    name = f"{results[0].get('index', 0):09d}"
    place = write_results(environment().bucket, batch.run, name, results)
    counts = count_by_decision(results)
    logger().info("batch classified", extra={**place, **counts})
    return {"counts": counts, "results": place}


def _classify(classifier: Classifier, item: Any, batch: Batch) -> Result:
    index = item.get("index") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or "image" not in item or type(index) is not int:
        raise InvalidRequest(f"An item of a batch has an image and its index; given: {item!r:.80}.")
    return classifier.classify_one(item["image"], batch.execution, index)


def parse_batch(event: Any) -> Batch:
    """Return the event as what the Distributed Map gives; raises InvalidRequest otherwise."""
    about = event.get("BatchInput") if isinstance(event, Mapping) else None
    items = event.get("Items") if isinstance(event, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(items, list) or not items:
        raise InvalidRequest("classify_batch takes BatchInput and Items of a Distributed Map.")
    execution, run = about.get("execution"), about.get("run")
    if not isinstance(execution, str) or not isinstance(run, str) or not run:
        raise InvalidRequest("A batch's execution is given as its ARN, and its run as a name.")
    return Batch(execution, run, items)
