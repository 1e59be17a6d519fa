"""Answers on their way to S3: in the background, each once, whatever is interrupted."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.reviews import IMAGES, Answer, answer_line, find_parts, part_key
from scones_monitor.review.images import ImageFolder
from scones_monitor.review.sources import Connect, SourceUnavailable

GATHER_SECONDS = 2.0
"""How long answers are gathered into one object."""

MAX_ANSWERS = 1_000
"""Answers in one object, at most."""

_MAX_PAUSE_SECONDS = 30.0
_CONTENT_TYPES = {"jpg": "image/jpeg", "tif": "image/tiff"}


class Uploads:
    """Puts a reviewer's answers, and their images, below `s3://<bucket>/<root>`.

    What an earlier process left is found by the names of what is there. `on_stored` is called
    with answers that everyone can read from now on.
    """

    def __init__(
        self,
        connect: Connect,
        bucket: str,
        root: str,
        images: ImageFolder,
        *,
        earlier: Sequence[Answer] = (),
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._connect, self._bucket, self._root, self._images = connect, bucket, root, images
        self._gather = gather_seconds
        self.on_stored: Callable[[Sequence[Answer]], None] = lambda _: None
        self._client: Any = None
        self._changed = threading.Condition()
        self._earlier, self._waiting = list(earlier), list[Answer]()
        self._kept: set[str] = set()
        self._closing = False
        self._deadline = float("inf")
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="review-uploads", daemon=True)

    def start(self) -> None:
        """Begin to upload in the background."""
        self._thread.start()

    def add(self, answer: Answer) -> None:
        """Take an answer that is on disk."""
        with self._changed:
            self._waiting.append(answer)
            self._changed.notify_all()

    @property
    def pending(self) -> int:
        """How many answers of this host are not in S3 yet."""
        with self._changed:
            return len(self._waiting) + len(self._earlier)

    def close(self, timeout: float) -> int:
        """Upload what is left within `timeout` seconds, and return how many answers remain."""
        with self._changed:
            self._closing, self._deadline = True, time.monotonic() + timeout
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout + 1)
        return self.pending

    def _run(self) -> None:
        pause = 0.5
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting or self._earlier)
                if not self._waiting and not self._earlier:
                    return
                if not self._closing and not self._earlier:
                    self._changed.wait_for(lambda: self._closing, self._gather)
            try:
                self._upload()
                self.trouble, pause = "", 0.5
            except (ClientError, BotoCoreError, SourceUnavailable, OSError) as error:
                self._client = None
                self.trouble = f"Answers are kept here and not in S3 yet: {error}"
                with self._changed:
                    if time.monotonic() + pause > self._deadline:
                        return
                    self._changed.wait(pause)
                pause = min(_MAX_PAUSE_SECONDS, pause * 2)

    def _upload(self) -> None:
        if self._client is None:
            self._client = self._connect("s3")
        if self._earlier:
            missing = self._not_there(self._earlier)
            for part in _parts(missing):
                self._put(part)
            with self._changed:
                self._earlier = []
        with self._changed:
            waiting = list(self._waiting)
        for part in _parts(waiting):
            self._put(part)
            with self._changed:
                del self._waiting[: len(part)]
            self.on_stored(part)

    def _not_there(self, answers: Sequence[Answer]) -> list[Answer]:
        reviewer = answers[0].reviewer
        there: dict[str, list[range]] = defaultdict(list)
        for part in find_parts(self._client, self._bucket, self._root, reviewer):
            there[part.session].append(range(part.first, part.last + 1))
        return [
            one
            for one in answers
            if not any(one.sequence in part for part in there.get(one.session, ()))
        ]

    def _put(self, part: Sequence[Answer]) -> None:
        for answer in part:
            self._put_image(answer)
        first, last = part[0], part[-1]
        key = part_key(self._root, first.reviewer, first.session, first.sequence, last.sequence)
        body = b"".join(answer_line(answer) for answer in part)
        self._put_once(key, body, "application/x-ndjson")

    def _put_image(self, answer: Answer) -> None:
        if answer.action != "label" or answer.file in self._kept:
            return
        path = self._images.path / answer.file
        # One that a person removed stays removed: the answer says what it was about.
        if path.is_file():
            suffix = answer.file.rpartition(".")[2]
            kind = _CONTENT_TYPES.get(suffix, f"image/{suffix}")
            self._put_once(f"{self._root}{IMAGES}/{answer.file}", path.read_bytes(), kind)
        self._kept.add(answer.file)

    def _put_once(self, key: str, body: bytes, kind: str) -> None:
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=kind, IfNoneMatch="*"
            )
        except ClientError as error:
            # Only this reviewer's own answer, or the same image, has this name.
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
                raise


def _parts(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Return answers in runs of one session without a gap, of MAX_ANSWERS at most."""
    parts: list[list[Answer]] = []
    for answer in sorted(answers, key=lambda one: (one.session, one.sequence)):
        last = parts[-1][-1] if parts else None
        follows = last and (last.session, last.sequence + 1) == (answer.session, answer.sequence)
        if follows and len(parts[-1]) < MAX_ANSWERS:
            parts[-1].append(answer)
        else:
            parts.append([answer])
    return parts
