"""One reviewer's work: the image to decide, the answers so far, the images that come next."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scones_core.errors import MonitorError
from scones_core.reviews import Action, Agreement, Answer, agreement, current_answers
from scones_images import ImageError
from scones_monitor.review.images import ImageFolder, Picture, render
from scones_monitor.review.journal import AnswerJournal
from scones_monitor.review.sources import (
    Candidate,
    NotReadable,
    Source,
    SourceUnavailable,
    of_answer,
)

AHEAD = 6
"""Images that are loaded before they are asked for."""

POLL_SECONDS = 2.0
"""How often a queue that grows is asked for more."""

HISTORY = 10
"""Decisions that the page lists."""

MAX_UNUSABLE = 50
"""Images without a picture that the page lists; all of them are counted."""

MAX_LOCATION_CHARACTERS = 4096
"""Bucket, key, etag and version of an image together: an answer's line has room for them."""

MAX_SECONDS = 3600.0
"""The longest time on an image that counts: a page left open is no work."""

Load = Callable[[Candidate], bytes]


class NotCurrent(Exception):
    """The image was answered already, on another page of this reviewer; or it is unknown."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image that cannot be shown, and so not be decided: it is gone, or no image."""

    candidate: Candidate
    reason: str
    closable: bool = True
    """Whether nobody can decide it any more."""


@dataclass(slots=True)
class _Loaded:
    """An image on the page or next in line, with every message that is about it."""

    picture: Picture
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def first(self) -> Candidate:
        return self.candidates[0]


class ReviewSession:
    """Thread-safe. `labels` are the classes in the order of their keys.

    `others` are answers of other reviewers, which only `agreements` shows, and only of images
    that this reviewer has labelled. `elsewhere` are this reviewer's own, from other hosts.
    """

    def __init__(
        self,
        journal: AnswerJournal,
        images: ImageFolder,
        source: Source,
        load: Load,
        labels: Sequence[str],
        *,
        show_guess: bool = False,
        elsewhere: Iterable[Answer] = (),
        others: Iterable[Answer] = (),
        on_answer: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        self._journal, self._images, self._source, self._load = journal, images, source, load
        self.labels, self.show_guess = tuple(labels), show_guess
        self._elsewhere, self._others, self._on_answer = list(elsewhere), list(others), on_answer
        self._changed = threading.Condition()
        # The answers that hold, by image, and by what a candidate is known by before it is loaded.
        self._held: dict[str, Answer] = {}
        self._known: dict[object, Answer] = {}
        self._refresh_current()
        self._ready: deque[_Loaded] = deque()
        self._skipped: list[_Loaded | Candidate] = []
        self._skipped_before: set[str] = set()
        self._taken: deque[Candidate] = deque()
        self._unsettled: dict[str, list[Candidate]] = {}
        # By image and request: a message that comes again replaces itself.
        self._unusable: dict[object, Unusable] = {}
        self.closed: list[Unusable] = []
        self._duplicates = self._before = self._remaining = 0
        self._exhausted = self._look = self._closed = False
        self._trouble = self._note = ""
        self._restore()
        self._thread = threading.Thread(target=self._fill, name="review-images", daemon=True)

    def _restore(self) -> None:
        """Have images whose answer was undone come first, and skipped ones last."""
        undone = {a.sha256: a for a in self._journal.answers if a.sha256 not in self._held}
        self._taken.extend(of_answer(answer) for answer in reversed(undone.values()))
        skips = (answer for answer in self._held.values() if answer.action == "skip")
        self._skipped_before = {skip.sha256 for skip in skips}

    def start(self) -> None:
        """Begin to load images in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop loading, and give back what was taken and not answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(10)
        with self._changed:
            held = [c for loaded in self._ready for c in loaded.candidates] + list(self._taken)
            held += [unusable.candidate for unusable in self._unusable.values()]
            for skipped in self._skipped:
                held += skipped.candidates if isinstance(skipped, _Loaded) else [skipped]
        for candidate in held:
            try:
                self._source.release(candidate)
            except SourceUnavailable:
                # Its time runs out by itself.
                return

    # What the page asks for.

    def state(self, wait_seconds: float = 0.0) -> dict[str, Any]:
        """Return what the page shows, as JSON; waits for the first image at most so long."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ready or self._exhausted or self._trouble, wait_seconds
            )
            return self._state()

    def _state(self) -> dict[str, Any]:
        item = self._ready[0] if self._ready else None
        labelled = sum(answer.action == "label" for answer in self._session_answers())
        return {
            "reviewer": self._journal.reviewer,
            "labels": list(self.labels),
            "item": None if item is None else self._item(item),
            "next": [loaded.picture.sha256 for loaded in list(self._ready)[1:4]],
            "progress": {
                "answered": labelled,
                "answered_before": self._before,
                "skipped": len(self._skipped),
                "left": len(self._ready) + len(self._taken) + self._remaining,
                "unusable": len(self._unusable),
                "closable": sum(one.closable for one in self._unusable.values()),
                "closed": len(self.closed),
                "duplicates": self._duplicates,
            },
            "history": [self._decision(answer) for answer in self._last(HISTORY)],
            "can_undo": bool(self._last(1)),
            "loading": item is None and not self._exhausted,
            "grows": self._source.grows,
            "unusable": [self._unusable_item(unusable) for unusable in self._unusable_shown()],
            "note": self._note,
            "trouble": self._trouble,
            "left_out": self._left_out(),
        }

    def _item(self, loaded: _Loaded) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": loaded.picture.sha256,
            "width": loaded.picture.width,
            "height": loaded.picture.height,
        }
        if self.show_guess:
            shown |= {"guess": loaded.first.guess, "confidence": loaded.first.confidence}
        return shown

    def _unusable_shown(self) -> list[Unusable]:
        return list(self._unusable.values())[:MAX_UNUSABLE]

    @staticmethod
    def _unusable_item(unusable: Unusable) -> dict[str, Any]:
        place, guess = unusable.candidate.place, unusable.candidate.guess
        return {"place": place, "reason": unusable.reason, "guess": guess}

    @staticmethod
    def _decision(answer: Answer) -> dict[str, Any]:
        return {
            "id": answer.sha256,
            "label": answer.label,
            "guess": answer.guess,
            "confidence": answer.confidence,
            "seconds": answer.seconds,
        }

    def _left_out(self) -> list[str]:
        first: dict[str, str] = {}
        for unusable in self._unusable.values():
            first.setdefault(unusable.reason, unusable.candidate.place)
        counts = Counter(unusable.reason for unusable in self._unusable.values())
        lines = [f"{reason}: {n}, the first {first[reason]}" for reason, n in counts.items()]
        if self.closed:
            lines.append(f"closed, as it could not be shown: {len(self.closed)}")
        lines += [f"{reason}: {count}" for reason, count in self._source.faults().items()]
        lines += [
            f"a line of {self._journal.path.name} is left out, as {reason}: {count}"
            for reason, count in self._journal.faults.counts.items()
        ]
        return lines

    def _session_answers(self) -> list[Answer]:
        session = self._journal.session
        return [answer for answer in self._held.values() if answer.session == session]

    def _last(self, count: int) -> list[Answer]:
        """Return the newest answers of this host that hold, the newest first."""
        undone = {answer.undoes for answer in self._journal.answers if answer.action == "undo"}
        holding = (
            answer
            for answer in reversed(self._journal.answers)
            if answer.action != "undo" and answer.id not in undone
        )
        return [answer for answer, _ in zip(holding, range(count), strict=False)]

    def picture(self, sha256: str) -> bytes:
        """Return the PNG of an image on the page, or of an answered one; raises NotCurrent."""
        with self._changed:
            for loaded in self._ready:
                if loaded.picture.sha256 == sha256:
                    return loaded.picture.png
            answer = self._held.get(sha256)
        if answer is None:
            raise NotCurrent("That image is not on the page.")
        try:
            return render(self._images.read(answer.file)).png
        except ImageError as error:
            raise NotCurrent(f"The image cannot be shown: {error}.") from error

    def answer(self, sha256: str, label: str, seconds: float) -> dict[str, Any]:
        """Keep a label for the image on the page, and return the page's next state.

        Raises NotCurrent for another image than the one on the page, MonitorError for a label
        that is none of the classes and where the answer could not be written.
        """
        if label not in self.labels:
            raise MonitorError(f"{label[:80]!r} is none of the classes; reload the page.")
        return self._decide(sha256, "label", label, seconds)

    def skip(self, sha256: str, seconds: float) -> dict[str, Any]:
        """Put the image on the page to the end; raises as `answer` does."""
        return self._decide(sha256, "skip", "", seconds)

    def _decide(self, sha256: str, action: Action, label: str, seconds: float) -> dict[str, Any]:
        with self._changed:
            if not self._ready or self._ready[0].picture.sha256 != sha256:
                raise NotCurrent(
                    "That image is not the one to decide any more: it was answered on another "
                    "page of yours. The page now shows the next one."
                )
            loaded = self._ready[0]
            answer = self._append(loaded, action, label=label, seconds=seconds)
            self._ready.popleft()
            if action == "label":
                self._unsettled[answer.id] = loaded.candidates
            else:
                self._skipped.append(loaded)
            self._changed.notify_all()
            self._on_answer(answer)
            return self._state()

    def _append(self, loaded: _Loaded, action: Action, **values: Any) -> Answer:
        answer = self._journal.append(
            action,
            sha256=loaded.picture.sha256,
            file=loaded.picture.file,
            image=loaded.first.image,
            guess=loaded.first.guess,
            confidence=loaded.first.confidence,
            inference_id=loaded.first.inference_id,
            **values | {"seconds": min(max(values.get("seconds", 0.0), 0.0), MAX_SECONDS)},
        )
        if action == "undo":
            self._refresh_current()
        else:
            self._hold(answer)
        return answer

    def _refresh_current(self) -> None:
        current = current_answers([*self._journal.answers, *self._elsewhere])
        self._held, self._known = {}, {}
        for answer in current.answers.values():
            self._hold(answer)

    def _hold(self, answer: Answer) -> None:
        self._held[answer.sha256] = answer
        for name in _names(of_answer(answer)):
            self._known[name] = answer

    def undo(self) -> dict[str, Any]:
        """Take back the last answer or skip, of an earlier session too, and show its image.

        Raises MonitorError where there is nothing to undo, or its image is gone.
        """
        with self._changed:
            last = next(iter(self._last(1)), None)
            if last is None:
                raise MonitorError("There is no answer to undo.")
            loaded = self._again(last)
            undone = self._append(loaded, "undo", undoes=last.id)
            self._skipped_before.discard(last.sha256)
            self._ready.appendleft(loaded)
            self._on_answer(undone)
            self._changed.notify_all()
            return self._state()

    def _again(self, answer: Answer) -> _Loaded:
        """Return an answered image, with its messages where they are still held."""
        for index, skipped in enumerate(self._skipped):
            if isinstance(skipped, _Loaded) and skipped.picture.sha256 == answer.sha256:
                del self._skipped[index]
                return skipped
        try:
            picture = render(self._images.read(answer.file))
        except ImageError as error:
            raise MonitorError(f"The last answer cannot be undone: {error}.") from error
        return _Loaded(picture, self._unsettled.pop(answer.id, [of_answer(answer)]))

    def resume_skipped(self) -> dict[str, Any]:
        """Have the skipped images come again, and return the page's state."""
        with self._changed:
            again, self._skipped = self._skipped, []
            self._skipped_before = set()
            for skipped in again:
                if isinstance(skipped, _Loaded):
                    self._ready.append(skipped)
                else:
                    self._taken.append(skipped)
            self._exhausted = self._exhausted and not self._taken
            self._changed.notify_all()
            return self._state()

    def close_unusable(self) -> dict[str, Any]:
        """Take the images that nobody can decide out of the source, and return the page's state.

        `closed` has them then. Those that others may be shown stay in the source, and those that
        it does not let go come again.
        """
        with self._changed:
            waiting = [(name, one) for name, one in self._unusable.items() if one.closable]
        for name, unusable in waiting:
            try:
                self._source.settle(unusable.candidate)
            except SourceUnavailable as error:
                self._set_trouble(str(error))
                break
            with self._changed:
                self._unusable.pop(name, None)
                self.closed.append(unusable)
        with self._changed:
            return self._state()

    def stored(self, answers: Sequence[Answer]) -> None:
        """Settle the messages of answers that everyone can read now."""
        for answer in answers:
            with self._changed:
                candidates = self._unsettled.pop(answer.id, [])
            for candidate in candidates:
                try:
                    self._source.settle(candidate)
                except SourceUnavailable as error:
                    # It comes again, is known as answered, and settled then.
                    self._trouble = str(error)

    def agreements(self, others: Iterable[Answer] = ()) -> list[Agreement]:
        """Return how far each other reviewer agrees with this one, on what both labelled."""
        with self._changed:
            own = [*self._journal.answers, *self._elsewhere]
        votes = current_answers([*own, *self._others, *others]).votes()
        reviewer = self._journal.reviewer
        names = sorted(
            {name for by_reviewer in votes.values() for name in by_reviewer} - {reviewer}
        )
        measured = (agreement(votes, reviewer, name) for name in names)
        return [pair for pair in measured if pair.n]

    # The thread that loads images.

    def _fill(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or self._wants_more(), timeout=POLL_SECONDS
                )
                if self._closed:
                    return
                wants = self._wants_more()
            try:
                self._source.keep()
                if wants:
                    self._load_next()
                self._set_trouble("")
            except SourceUnavailable as error:
                self._set_trouble(f"{error}. Trying again.")
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, POLL_SECONDS)

    def _wants_more(self) -> bool:
        return len(self._ready) < AHEAD and (self._look or not self._exhausted)

    def _set_trouble(self, text: str) -> None:
        with self._changed:
            self._trouble = text
            self._changed.notify_all()

    def _load_next(self) -> None:
        if not self._taken:
            taken = self._source.take(AHEAD)
            remaining = self._source.remaining()
            note = "" if taken else self._source.note()
            with self._changed:
                self._remaining, self._note = remaining, note
                self._taken.extend(taken)
                self._exhausted, self._look = not taken, False
                self._changed.notify_all()
            if not taken:
                return
        candidate = self._taken[0]
        if not self._is_known(candidate):
            self._load_one(candidate)
        with self._changed:
            self._taken.popleft()
            self._changed.notify_all()

    def look_again(self) -> None:
        """Have a queue that grows asked for more, where all of it was seen."""
        with self._changed:
            if self._source.grows:
                self._look = True
                self._changed.notify_all()

    def _is_known(self, candidate: Candidate) -> bool:
        """Settle an image that was answered before, without loading it; return whether it was."""
        with self._changed:
            names = _names(candidate)
            answer = next((self._known[name] for name in names if name in self._known), None)
        return answer is not None and self._put_aside(answer, candidate)

    def _put_aside(self, answer: Answer, candidate: Candidate) -> bool:
        """Return whether an answer that holds keeps an image from being shown now."""
        if answer.action == "label":
            self._source.settle(candidate)
            with self._changed:
                self._before += answer.session != self._journal.session
            return True
        with self._changed:
            if answer.sha256 not in self._skipped_before:
                return False
            self._skipped.append(candidate)
            return True

    def _load_one(self, candidate: Candidate) -> None:
        try:
            body = self._read(candidate)
            picture = render(body)
        except ImageError as error:
            with self._changed:
                name = (frozenset(candidate.image.items()), candidate.inference_id, candidate.file)
                closable = not isinstance(error, NotReadable)
                self._unusable[name] = Unusable(candidate, str(error), closable)
            return
        held = self._held.get(picture.sha256)
        if held is not None and self._put_aside(held, candidate):
            return
        with self._changed:
            for loaded in [*self._ready, *self._skipped]:
                if isinstance(loaded, _Loaded) and loaded.picture.sha256 == picture.sha256:
                    self._duplicates += candidate.inference_id != loaded.first.inference_id
                    loaded.candidates.append(candidate)
                    return
        try:
            self._images.keep(picture, body)
        except OSError as error:
            raise SourceUnavailable(
                f"{self._images.path} cannot be written ({error.strerror}); make room"
            ) from error
        with self._changed:
            self._ready.append(_Loaded(picture, [candidate]))
            self._changed.notify_all()

    def _read(self, candidate: Candidate) -> bytes:
        if sum(map(len, candidate.image.values())) > MAX_LOCATION_CHARACTERS:
            raise ImageError("its location is longer than any of S3")
        if candidate.file:
            try:
                return self._images.read(candidate.file)
            except ImageError:
                # Another host's answer: its image is in S3.
                pass
        return self._load(candidate)


def _names(candidate: Candidate) -> list[object]:
    """Return what an image is known by before it is loaded: each of them identifies it."""
    names: list[object] = []
    if candidate.file:
        names.append(("file", candidate.file))
    if candidate.inference_id:
        names.append(("inference", candidate.inference_id))
    if candidate.image.get("etag") or candidate.image.get("version"):
        names.append(frozenset(candidate.image.items()))
    return names
