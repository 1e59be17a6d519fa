"""One reviewer's answer to one image, as a JSON line that is written once and never changed.

An answer is a label, a skip, or an undo of an earlier answer. The image is known by the SHA-256
of its bytes, so that it is the same image in every run, queue and bucket.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from scones_core.errors import SettingsError
from scones_core.json_text import parse_json

SCHEMA_VERSION = "1"
MAX_LINE_BYTES = 64 * 1024
MAX_LABEL_CHARACTERS = 256

Action = Literal["label", "skip", "undo"]

_REVIEWER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"([0-9a-f]{64})\.(?:png|jpg|webp|bmp|gif|tif)")
_ID = re.compile(rf"{_SESSION.pattern}/[0-9]{{1,9}}")
# Folders of the same level as the reviewers'.
_RESERVED = frozenset({"images"})


class InvalidAnswer(ValueError):
    """A line is not an answer; the message is one of a few fixed reasons."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer decided about an image.

    `session` and `sequence` (from 1) identify the answer. `file` is the image's name in the
    folder of images, `<sha256>.<suffix>`. `label` is empty unless `action` is `label`, `undoes`
    unless it is `undo`: then it is the `id` of the answer that no longer holds. `at` is an aware
    ISO 8601 time, `seconds` how long the image was looked at. `image` is where it came from;
    `guess`, `confidence` and `inference_id` are the model's, where known.
    """

    session: str
    sequence: int
    reviewer: str
    action: Action
    sha256: str
    file: str
    at: str
    label: str = ""
    undoes: str = ""
    seconds: float = 0.0
    image: Mapping[str, str] = field(default_factory=dict)
    guess: str = ""
    confidence: float | None = None
    inference_id: str = ""

    @property
    def id(self) -> str:
        """The session and the sequence number, `<session>/<sequence>`."""
        return f"{self.session}/{self.sequence}"


@dataclass(frozen=True, slots=True)
class Faults:
    """Lines that are no answers, counted by reason."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many lines were left out."""
        return sum(self.counts.values())


def require_reviewer(name: str) -> str:
    """Return a reviewer's name; raises SettingsError for one that cannot be part of an S3 key."""
    if not _REVIEWER.fullmatch(name) or name in _RESERVED:
        raise SettingsError(
            f"{name!r} cannot be a reviewer's name; give --reviewer with up to 64 lower-case "
            "letters, digits, dots, hyphens and underscores, such as ana.silva; images is reserved."
        )
    return name


def answer_line(answer: Answer) -> bytes:
    """Return an answer as one line of JSON, with its line end."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(answer), "image": dict(answer.image)}
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.encode() + b"\n"


def parse_answer(line: bytes) -> Answer:
    """Return the answer of a line, which may come from anyone; raises InvalidAnswer."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidAnswer("the line is longer than an answer can be")
    try:
        content = parse_json(line)
    except ValueError as error:
        raise InvalidAnswer("the line is not JSON") from error
    if not isinstance(content, dict):
        raise InvalidAnswer("the line is not a JSON object")
    if content.pop("schema_version", None) != SCHEMA_VERSION:
        raise InvalidAnswer(f"its schema_version is not {SCHEMA_VERSION}")
    known: dict[str, Any] = {name: content[name] for name in Answer.__slots__ if name in content}
    _require_types(known)
    _require_values(known)
    return Answer(**known)


def _require_types(content: Mapping[str, Any]) -> None:
    for name in ("session", "reviewer", "action", "sha256", "file", "at"):
        if not isinstance(content.get(name), str):
            raise InvalidAnswer(f"it has no {name}")
    for name in ("label", "undoes", "guess", "inference_id"):
        text = content.get(name, "")
        if not isinstance(text, str) or len(text) > MAX_LABEL_CHARACTERS:
            raise InvalidAnswer(f"its {name} is not a short text")
    if type(content.get("sequence")) is not int or not 0 < content["sequence"] < 10**9:
        raise InvalidAnswer("it has no sequence")
    for name in ("seconds", "confidence"):
        value = content.get(name, 0.0)
        if value is None and name == "confidence":
            continue
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise InvalidAnswer(f"its {name} is not a number from 0")
    image = content.get("image", {})
    if not isinstance(image, dict) or not all(isinstance(v, str) for v in image.values()):
        raise InvalidAnswer("its image is not a location")


def _require_values(content: Mapping[str, Any]) -> None:
    if not _REVIEWER.fullmatch(content["reviewer"]) or content["reviewer"] in _RESERVED:
        raise InvalidAnswer("its reviewer is not a name")
    if not _SESSION.fullmatch(content["session"]):
        raise InvalidAnswer("its session is not a name")
    file = _FILE.fullmatch(content["file"])
    if not _SHA256.fullmatch(content["sha256"]) or not file or file[1] != content["sha256"]:
        raise InvalidAnswer("its image is not named by its SHA-256")
    if content["action"] not in get_args(Action):
        raise InvalidAnswer("its action is none of label, skip, undo")
    if bool(content.get("label")) != (content["action"] == "label"):
        raise InvalidAnswer("its label does not fit its action")
    undoes = content.get("undoes", "")
    if (content["action"] == "undo") != bool(_ID.fullmatch(undoes)):
        raise InvalidAnswer("what it undoes does not fit its action")
    try:
        time = datetime.fromisoformat(content["at"])
        # One at either end of the calendar is in no year of UTC.
        aware = time.tzinfo is not None and time.astimezone(UTC).tzinfo is not None
    except (ValueError, OverflowError):
        aware = False
    if not aware:
        raise InvalidAnswer("its time is not an ISO 8601 time with an offset")


def parse_lines(lines: Iterable[bytes]) -> tuple[list[Answer], Faults]:
    """Return the answers among these lines, and the others by reason; empty lines do not count."""
    answers: list[Answer] = []
    reasons: Counter[str] = Counter()
    for line in lines:
        try:
            if line.strip():
                answers.append(parse_answer(line))
        except InvalidAnswer as error:
            reasons[str(error)] += 1
    return answers, Faults(dict(reasons))
