"""The functions' settings: environment variables that Terraform sets, read once a cold start."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from scones_core.assignments import Assignment, parse_assignments
from scones_core.errors import SettingsError
from scones_core.labels import LabelSet
from scones_core.limits import ENDPOINT_BODY_BYTES, MAX_IMAGE_PIXELS
from scones_core.probabilities import is_probability
from scones_core.uris import S3Uri

Value = TypeVar("Value")


def _read_nothing(uri: S3Uri) -> str:
    raise SettingsError(f"{uri} cannot be read here.")


@dataclass(frozen=True, slots=True)
class SerializeEnvironment:
    """Limits of one image; the defaults are the endpoint's body limit and 16 million pixels."""

    max_image_bytes: int
    max_image_pixels: int

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the limits that MAX_IMAGE_BYTES and MAX_IMAGE_PIXELS set."""
        return cls(
            max_image_bytes=_read(environ, "MAX_IMAGE_BYTES", _positive, str(ENDPOINT_BODY_BYTES)),
            max_image_pixels=_read(environ, "MAX_IMAGE_PIXELS", _positive, str(MAX_IMAGE_PIXELS)),
        )


@dataclass(frozen=True, slots=True)
class ClassifyEnvironment:
    """The endpoint and the labels of its probabilities; no name means no active release."""

    endpoint_name: str
    labels: LabelSet

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        read_object: Callable[[S3Uri], str] = _read_nothing,
    ) -> Self:
        """Return what ENDPOINT_NAME (may be empty or absent) and LABELS set.

        LABELS is a JSON list, or the location of an object that is one: a function's variables
        have 4,096 bytes, and 1,000 names more. `read_object` returns the content of that object.
        """
        return cls(
            endpoint_name=environ.get("ENDPOINT_NAME", "").strip(),
            labels=_read(_stored(environ, "LABELS", read_object), "LABELS", _labels),
        )


@dataclass(frozen=True, slots=True)
class FilterEnvironment:
    """The confidence, 0 to 1, from which on a verdict is accepted, and what it leads to.

    `release` is the active one, empty before the first; `challenger_threshold` is that of the
    release that answers in its place for a share of the images, None where there is none;
    `assignments` are by class name. `newest_assignments` returns those of the release that is being
    rolled out: its endpoint answers before the function has changed over.
    """

    threshold: float
    release: str = ""
    challenger_threshold: float | None = None
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    newest_assignments: Callable[[], Mapping[str, Assignment]] = dict

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        read_object: Callable[[S3Uri], str] = _read_nothing,
    ) -> Self:
        """Return what THRESHOLD, RELEASE, CHALLENGER_THRESHOLD and the assignments' variables set.

        All but the first may be absent.

        ASSIGNMENTS is a JSON object by class name, or the location of one; see
        ClassifyEnvironment. NEWEST_ASSIGNMENTS is the location of the newest ones.
        """

        def newest() -> Mapping[str, Assignment]:
            stored = _stored(environ, "NEWEST_ASSIGNMENTS", read_object)
            return _read(stored, "NEWEST_ASSIGNMENTS", _assignments, "{}")

        return cls(
            threshold=_read(environ, "THRESHOLD", _probability),
            release=environ.get("RELEASE", ""),
            challenger_threshold=_read(
                environ,
                "CHALLENGER_THRESHOLD",
                lambda text: _probability(text) if text else None,
                "",
            ),
            assignments=_read(
                _stored(environ, "ASSIGNMENTS", read_object), "ASSIGNMENTS", _assignments, "{}"
            ),
            newest_assignments=newest,
        )


@dataclass(frozen=True, slots=True)
class RecordEnvironment:
    """Where results go: table and bus by name, queues by ARN; `bucket` has the large runs' files.

    `concurrency` is how many calls are under way at once.
    """

    table: str
    bus: str
    review_queue: str
    dead_letter_queue: str
    bucket: str
    concurrency: int

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what TABLE, EVENT_BUS, REVIEW_QUEUE, DEAD_LETTER_QUEUE and DATA_BUCKET set.

        CONCURRENCY is 10 unless it is set.
        """
        return cls(
            table=_read(environ, "TABLE", _text),
            bus=_read(environ, "EVENT_BUS", _text),
            review_queue=_read(environ, "REVIEW_QUEUE", _arn),
            dead_letter_queue=_read(environ, "DEAD_LETTER_QUEUE", _arn),
            bucket=_read(environ, "DATA_BUCKET", _text),
            concurrency=_read(environ, "CONCURRENCY", _positive, "10"),
        )


@dataclass(frozen=True, slots=True)
class InboxEnvironment:
    """The state machine that takes what was put into the inbox, and the bucket of its lists.

    `dead_letter_queue` is the ARN of the queue for messages that are no S3 event.
    """

    state_machine: str
    bucket: str
    dead_letter_queue: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what STATE_MACHINE, DATA_BUCKET and DEAD_LETTER_QUEUE set."""
        return cls(
            state_machine=_read(environ, "STATE_MACHINE", _arn),
            bucket=_read(environ, "DATA_BUCKET", _text),
            dead_letter_queue=_read(environ, "DEAD_LETTER_QUEUE", _arn),
        )


def _stored(
    environ: Mapping[str, str], name: str, read_object: Callable[[S3Uri], str]
) -> Mapping[str, str]:
    """Return the variables with the object's content in place of its location."""
    text = environ.get(name, "")
    if not text.startswith("s3://"):
        return environ
    return {**environ, name: read_object(S3Uri.parse(text))}


def _read(
    environ: Mapping[str, str],
    name: str,
    parse: Callable[[str], Value],
    default: str | None = None,
) -> Value:
    text = environ.get(name, default)
    if text is None:
        raise SettingsError(f"The function has no variable {name}; apply the Terraform again.")
    try:
        return parse(text)
    except (ValueError, RecursionError, SettingsError) as error:
        raise SettingsError(f"The function's variable {name} is {text!r:.200}: {error}") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more.")
    return number


def _probability(text: str) -> float:
    number = float(text)
    if not is_probability(number):
        raise ValueError("it must lie between 0 and 1.")
    return number


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty.")
    return text.strip()


def _arn(text: str) -> str:
    if text.count(":") < 5 or not text.startswith("arn:"):
        raise ValueError("it must be an ARN.")
    return text


def _assignments(text: str) -> Mapping[str, Assignment]:
    return parse_assignments(json.loads(text))


def _labels(text: str) -> LabelSet:
    names: Any = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it must be a JSON list of class names.")
    return LabelSet.of(names)
