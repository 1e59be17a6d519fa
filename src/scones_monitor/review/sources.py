"""Where a review's images come from: a run's results, the review queue, other reviewers."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from scones_core.events import Result
from scones_core.json_text import parse_json
from scones_core.probabilities import is_probability
from scones_core.reviews import Answer
from scones_images import PHOTOS, ImageError

Connect = Callable[[str], Any]
"""Returns a boto3 client of a service; a new one after the address has changed."""

HELD_SECONDS = 300
"""How long a message of the queue is hidden from other reviewers, unless it is held longer."""

_GONE = ("NoSuchBucket", "NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412")
# No other try gives this image: its place is none, or it is archived.
_NEVER = (
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidObjectState",
    "KeyTooLongError",
    "MethodNotAllowed",
)
# What is refused of every image, and may be given at another try: new credentials, a set clock.
_SESSION_WIDE = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TokenRefreshRequired",
    "TooManyRequestsException",
)
_EXPIRED = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")
_MAX_MESSAGES = 10


class SourceUnavailable(Exception):
    """S3 or SQS cannot be reached or refuses; another try may succeed."""


class NotReadable(ImageError):
    """An image that this reviewer is not given, as by a policy; somebody else may be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image to decide, not loaded yet.

    `image` has bucket and key, and etag or version where known; `file` is its name among the
    answered images, where it was answered before; `receipt` is that of its message.
    """

    image: Mapping[str, str] = field(default_factory=dict)
    guess: str = ""
    confidence: float | None = None
    inference_id: str = ""
    file: str = ""
    receipt: str = ""

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return f"s3://{self.image.get('bucket', '')}/{self.image.get('key', '')}"


class Source(Protocol):
    """A list of images to decide, which may grow."""

    grows: bool

    def take(self, count: int) -> list[Candidate]:
        """Return up to `count` further images, none at the end; raises SourceUnavailable."""

    def remaining(self) -> int:
        """Return how many images may still come from `take`."""

    def settle(self, candidate: Candidate) -> None:
        """Have an image that was answered, durably and for all, not come again."""

    def release(self, candidate: Candidate) -> None:
        """Let others have an image that was taken and is not answered."""

    def keep(self) -> None:
        """Hold on to what was taken; called every few seconds."""

    def note(self) -> str:
        """Return what is to be said where `take` returned nothing, empty where nothing is."""

    def faults(self) -> Mapping[str, int]:
        """Return what was no image to decide, counted by reason."""


class ListedSource:
    """A list that is known from the start."""

    grows = False

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._left = list(candidates)[::-1]

    def take(self, count: int) -> list[Candidate]:
        """Return the next images."""
        return [self._left.pop() for _ in range(min(count, len(self._left)))]

    def remaining(self) -> int:
        """Return how many were not taken."""
        return len(self._left)

    def settle(self, candidate: Candidate) -> None:
        """Change nothing."""

    def release(self, candidate: Candidate) -> None:
        """Change nothing."""

    def keep(self) -> None:
        """Change nothing."""

    def note(self) -> str:
        """Return nothing."""
        return ""

    def faults(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}


def of_results(
    results: Sequence[Result], decision: Literal["review", "accepted"] = "review"
) -> list[Candidate]:
    """Return the images that a run sent to review, or accepted, the least confident first."""
    found = []
    for result in results:
        inference = result.get("inference")
        if result["decision"] == decision and inference is not None:
            found.append(
                Candidate(
                    image=_location(result["image"]),
                    guess=inference["label"],
                    confidence=inference["confidence"],
                    inference_id=inference["inference_id"],
                )
            )
    return sorted(found, key=lambda one: (one.confidence or 0.0, one.place))


def of_answers(answers: Iterable[Answer]) -> list[Candidate]:
    """Return the images of answers, each once, in the order of the answers."""
    found = {answer.sha256: of_answer(answer) for answer in answers}
    return list(found.values())


def of_answer(answer: Answer) -> Candidate:
    """Return the image of an answer."""
    return Candidate(
        answer.image, answer.guess, answer.confidence, answer.inference_id, file=answer.file
    )


def _location(image: Mapping[str, Any]) -> dict[str, str]:
    names = ("bucket", "key", "etag", "version")
    return {name: str(image[name]) for name in names if image.get(name)}


class ReviewQueue:
    """The SQS queue that the workflow sends images to: a message is removed once answered.

    A message that names no image is left in the queue, and counted by its reason.
    """

    grows = True

    def __init__(self, connect: Connect, url: str) -> None:
        self._connect, self._url = connect, url
        self._client: Any = None
        self._held: dict[str, float] = {}
        self._faults: Counter[str] = Counter()
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def take(self, count: int) -> list[Candidate]:
        """Return images of messages, which are hidden from others; raises SourceUnavailable."""
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=min(count, _MAX_MESSAGES),
            VisibilityTimeout=HELD_SECONDS,
            WaitTimeSeconds=0,
        )
        found = []
        for message in answer.get("Messages", []):
            candidate = self._candidate(message)
            if candidate is not None:
                with self._lock:
                    self._held[candidate.receipt] = time.monotonic()
                found.append(candidate)
        return found

    def _candidate(self, message: Mapping[str, Any]) -> Candidate | None:
        try:
            body = parse_json(message["Body"])
            image = _location(body["image"])
            if not {"bucket", "key"} <= image.keys():
                raise ValueError("no image")
            confidence = body.get("confidence")
            return Candidate(
                image=image,
                guess=str(body.get("label") or ""),
                confidence=float(confidence) if is_probability(confidence) else None,
                inference_id=str(body.get("inference_id") or "")[:256],
                receipt=message["ReceiptHandle"],
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            # The same message comes back once its time is over; it is one fault.
            if message.get("MessageId") not in self._known:
                self._known.add(str(message.get("MessageId")))
                self._faults["a message of the queue names no image"] += 1
            return None

    def remaining(self) -> int:
        """Return about how many messages wait, as SQS counts them."""
        attributes = self._attributes()
        return int(attributes.get("ApproximateNumberOfMessages", 0))

    def note(self) -> str:
        """Return how many messages other sessions hold, about, where there are any."""
        hidden = int(self._attributes().get("ApproximateNumberOfMessagesNotVisible", 0))
        with self._lock:
            others = max(0, hidden - len(self._held))
        if not others:
            return ""
        return (
            f"{others} more of the queue are open in another session, or were in one that was "
            f"killed; they come back within {HELD_SECONDS // 60} minutes if nobody answers them."
        )

    def _attributes(self) -> Mapping[str, str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._call("get_queue_attributes", AttributeNames=names)
        found: Mapping[str, str] = answer["Attributes"]
        return found

    def settle(self, candidate: Candidate) -> None:
        """Delete the message; one that is back in the queue is settled when it comes again."""
        if candidate.receipt:
            self._call("delete_message", ReceiptHandle=candidate.receipt)
            with self._lock:
                self._held.pop(candidate.receipt, None)

    def release(self, candidate: Candidate) -> None:
        """Have the message visible to others at once."""
        if candidate.receipt:
            with self._lock:
                self._held.pop(candidate.receipt, None)
            self._call(
                "change_message_visibility", ReceiptHandle=candidate.receipt, VisibilityTimeout=0
            )

    def keep(self) -> None:
        """Hold the messages on the page for longer, where their time is half over."""
        now = time.monotonic()
        with self._lock:
            due = [r for r, since in self._held.items() if now - since > HELD_SECONDS / 2]
        for receipt in due:
            self._call(
                "change_message_visibility", ReceiptHandle=receipt, VisibilityTimeout=HELD_SECONDS
            )
            with self._lock:
                if receipt in self._held:
                    self._held[receipt] = now

    def faults(self) -> Mapping[str, int]:
        """Return how many messages named no image."""
        return dict(self._faults)

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            if self._client is None:
                self._client = self._connect("sqs")
            return getattr(self._client, operation)(QueueUrl=self._url, **arguments)
        except ClientError as error:
            # A message that was held for too long is another session's now.
            if "ReceiptHandle" in arguments and error.response["Error"]["Code"] in _EXPIRED:
                return {}
            raise SourceUnavailable(f"The review queue refuses: {error}") from error
        except BotoCoreError as error:
            self._client = None
            raise SourceUnavailable(f"The review queue cannot be reached: {error}") from error


class Images:
    """Loads images: of an S3 object as it was when it was classified, or of the answered ones."""

    def __init__(self, connect: Connect, bucket: str, prefix: str) -> None:
        self._connect, self._bucket, self._prefix = connect, bucket, prefix
        self._client: Any = None

    def __call__(self, candidate: Candidate) -> bytes:
        """Return an image's bytes.

        Raises ImageError with the reason, NotReadable where only others may get it, and
        SourceUnavailable.
        """
        if candidate.file:
            location = {"Bucket": self._bucket, "Key": f"{self._prefix}{candidate.file}"}
        else:
            image = candidate.image
            location = {"Bucket": image.get("bucket", ""), "Key": image.get("key", "")}
            if version := candidate.image.get("version"):
                location["VersionId"] = version
            elif etag := candidate.image.get("etag"):
                location["IfMatch"] = etag if etag.startswith('"') else f'"{etag}"'
        try:
            if self._client is None:
                self._client = self._connect("s3")
            found = self._client.get_object(**location)
            body: bytes = found["Body"].read(PHOTOS.max_bytes + 1)
        except ParamValidationError as error:
            raise ImageError("its location is none of S3") from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _GONE:
                raise ImageError("the image was deleted or replaced since") from error
            if code in _NEVER:
                raise ImageError(f"S3 does not give it ({code})") from error
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and code not in _SESSION_WIDE:
                raise NotReadable(
                    f"S3 does not give it to you ({code}); others may see it"
                ) from error
            raise SourceUnavailable(f"S3 refuses s3://{location['Bucket']}: {error}") from error
        except (BotoCoreError, OSError) as error:
            self._client = None
            raise SourceUnavailable(f"S3 cannot be reached: {error}") from error
        if len(body) > PHOTOS.max_bytes:
            raise ImageError(f"the image has more than {PHOTOS.max_bytes:,} bytes")
        return body
