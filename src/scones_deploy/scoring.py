"""Known images sent through an endpoint, and its answers compared with those of the training."""

import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.known_images import INFERENCE_ID_PREFIX, KnownImage

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
else:
    SageMakerRuntimeClient = Any

# Other processors and batch sizes move a float32 softmax in the sixth digit; another model
# moves it in the first.
TOLERANCE = 1e-4


def score_differences(
    runtime: SageMakerRuntimeClient, endpoint: str, images: Sequence[KnownImage]
) -> list[str]:
    """Return, for each known image that the endpoint answers otherwise, what it answers.

    A probability may differ by 1e-4. An error of the endpoint is a difference as well.
    """
    found = []
    for number, image in enumerate(images, start=1):
        answer = _answer(runtime, endpoint, image)
        if not _alike(answer, image.probabilities):
            found.append(
                f"known image {number} of {len(images)} is answered {_short(answer)} by {endpoint} "
                f"and should be {_short(list(image.probabilities))}"
            )
    return found


def _answer(runtime: SageMakerRuntimeClient, endpoint: str, image: KnownImage) -> Any:
    try:
        body = runtime.invoke_endpoint(
            EndpointName=endpoint,
            Body=image.body,
            ContentType=image.content_type,
            InferenceId=f"{INFERENCE_ID_PREFIX}{uuid.uuid4()}",
        )["Body"].read()
        return json.loads(body)
    except ClientError as error:
        return f"with {error.response.get('Error', {}).get('Message', error)}"
    except ValueError:
        return f"with {body[:80]!r}"


def _alike(answer: Any, wanted: Sequence[float]) -> bool:
    return (
        isinstance(answer, list)
        and len(answer) == len(wanted)
        and all(
            type(got) in (int, float) and abs(got - value) <= TOLERANCE
            for got, value in zip(answer, wanted, strict=True)
        )
    )


def _short(answer: Any) -> str:
    if not isinstance(answer, list):
        return str(answer)
    shown = (f"{v:.5f}" if type(v) in (int, float) else repr(v) for v in answer[:8])
    return f"[{', '.join(shown)}{', …' if len(answer) > 8 else ''}]"
