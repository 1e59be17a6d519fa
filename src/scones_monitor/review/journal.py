"""A reviewer's answers on this host: a file that only grows, each line on disk before it counts."""

import errno
import fcntl
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from scones_core.errors import MonitorError
from scones_core.reviews import Action, Answer, Faults, answer_line
from scones_core.reviews.answers import MAX_LABEL_CHARACTERS
from scones_core.reviews.shared import of_reviewer


class AnswerJournal:
    """The file `<reviewer>.jsonl` of a folder, held by one process at a time.

    Not safe for several threads at once. A line that a killed process left half-written was
    never confirmed to anyone; it is closed and counted in `faults`.
    """

    def __init__(
        self, path: Path, reviewer: str, handle: int, answers: list[Answer], faults: Faults
    ) -> None:
        self.path, self.reviewer, self.faults = path, reviewer, faults
        self.answers = answers
        self.session = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self._handle, self._sequence, self._torn = handle, 0, False
        self._last = max((datetime.fromisoformat(a.at) for a in answers), default=None)

    @classmethod
    def open(cls, folder: Path, reviewer: str) -> Self:
        """Return a reviewer's journal, made if absent.

        Raises MonitorError where another process has it open, or the folder cannot be written.
        """
        path = folder / f"{reviewer}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise MonitorError(
                f"The answers cannot be kept at {path}: {error.strerror}; give another --out."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise MonitorError(
                f"{reviewer} is reviewing already: another `inv review` has {path} open. Use its "
                "page, or stop it, or give another --reviewer."
            ) from None
        body = path.read_bytes()
        if body and not body.endswith(b"\n"):
            os.write(handle, b"\n")
            os.fsync(handle)
        if is_new:
            _sync_folder(folder)
        return cls(path, reviewer, handle, *of_reviewer(body, reviewer))

    def append(
        self,
        action: Action,
        *,
        sha256: str,
        file: str,
        label: str = "",
        undoes: str = "",
        seconds: float = 0.0,
        image: Mapping[str, str] | None = None,
        guess: str = "",
        confidence: float | None = None,
        inference_id: str = "",
    ) -> Answer:
        """Write an answer and return it once it is on disk.

        Raises MonitorError where it could not be written; nothing of it stays then.
        """
        # A clock that is set back must not put an answer before the one that it follows.
        now = datetime.now(UTC)
        now = max(now, self._last) if self._last else now
        answer = Answer(
            session=self.session,
            sequence=self._sequence + 1,
            reviewer=self.reviewer,
            action=action,
            sha256=sha256,
            file=file,
            at=now.isoformat(timespec="microseconds"),
            label=label,
            undoes=undoes,
            seconds=round(seconds, 3),
            image=dict(image or {}),
            # What is longer makes a line that is no answer to whoever reads it.
            guess=guess[:MAX_LABEL_CHARACTERS],
            confidence=confidence,
            inference_id=inference_id[:MAX_LABEL_CHARACTERS],
        )
        self._write(answer_line(answer))
        self._sequence, self._last = answer.sequence, now
        self.answers.append(answer)
        return answer

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._handle).st_size
        line = b"\n" + line if self._torn else line
        try:
            if os.write(self._handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._handle)
            self._torn = False
        except OSError as error:
            try:
                os.ftruncate(self._handle, size)
            except OSError:
                # A part of the line may stay; the next one must not be appended to it.
                self._torn = True
            raise MonitorError(
                f"The answer was not saved: {self.path} cannot be written ({error.strerror}). "
                "Make room, then answer again."
            ) from error

    def close(self) -> None:
        """Give the file back; closing twice changes nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _sync_folder(folder: Path) -> None:
    """Have the name of a new file on disk, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
