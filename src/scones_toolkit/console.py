"""Terminal output: a progress bar and tables for a person, plain lines for a log."""

import errno
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from scones_toolkit.shell_command import pasteable

Clock = Callable[[], float]


class ProgressCallback(Protocol):
    """Called with how far a piece of work is."""

    def __call__(self, done: int, total: int, note: str = "", left: float | None = None) -> None:
        """Show that `done` of `total` pieces are finished, and a word about it.

        `left` is the work's own estimate in seconds; without it, the recent rate is used.
        """


# Control characters (C0, C1), and the marks that reorder text: a terminal would obey them.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONTROL_IN_TEXT = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
REPLACEMENT = "\ufffd"


def printable(value: object) -> str:
    """Return a value as text with each control character replaced; line ends and tabs stay."""
    return _CONTROL_IN_TEXT.sub(REPLACEMENT, str(value))


def sentence(value: object) -> str:
    """Return a message for a person: printable, its tasks as this shell calls them."""
    return pasteable(printable(value))


def cell(value: object) -> str:
    """Return a value as text of one line, with each control character replaced."""
    return _CONTROL.sub(REPLACEMENT, str(value))


def plural(count: int, noun: str) -> str:
    """Return `1 image`, `2 images`, `1,200 images`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class RichOutput(RichConsole):
    """Rich's console, which leaves to `handle_errors` how a task ends that nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; Rich's own would end the program with exit code 1."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Console:
    """Writes to a terminal or, line by line and without colour, to anything else.

    Keys, error causes and logs come from outside: all text is shown as it is, never taken for
    markup, and its control characters are replaced. `patience` is how many seconds a log stays
    without a line while something is done.
    """

    def __init__(
        self,
        rich: RichConsole | None = None,
        clock: Clock = time.monotonic,
        *,
        patience: float = 5.0,
    ) -> None:
        self.rich = rich or RichOutput(highlight=False, soft_wrap=True)
        self.clock, self.patience = clock, patience

    def say(self, text: str) -> None:
        """Print a text."""
        self._print(text)

    def raw(self, text: str) -> None:
        """Print a text for another program, such as JSON, without wrapping or colour."""
        self.rich.file.write(f"{text}\n")

    def warn(self, text: str) -> None:
        """Print a text that must not be overlooked."""
        self._print(text, "bold yellow")

    def step(self, text: str) -> None:
        """Print the heading of a stage."""
        self._print(text, "bold")

    def detail(self, text: str) -> None:
        """Print a line of another program's output; a terminal shows it dimmed."""
        self._print(f"  {text}", "dim")

    def _print(self, text: str, style: str = "") -> None:
        self.rich.print(Text(sentence(text), style))

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show what is being done and for how long, as `planning`; in a log only if it is long.

        For work that does not know how far it is; a terminal forgets the line at its end.
        """
        if not self.rich.is_terminal:
            with self._announced(what):
                yield
            return
        columns = (
            TextColumn(" "),
            SpinnerColumn("line"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.rich, transient=True) as shown:
            shown.add_task(cell(what), total=None)
            yield

    @contextmanager
    def _announced(self, what: str) -> Iterator[threading.Timer]:
        """Print what is being done, once, where it takes longer than the log's patience.

        Whoever cancels the timer that is given has said more already.
        """
        timer = threading.Timer(self.patience, self.say, [f"  {what} ..."])
        timer.daemon = True
        timer.start()
        try:
            yield timer
        finally:
            timer.cancel()

    @contextmanager
    def progress(self, title: str, *, rate: bool = True) -> Iterator[ProgressCallback]:
        """Show a bar with rate and time left; elsewhere a line every few seconds.

        Without `rate`, for pieces of very different size, only their count is shown.
        """
        pace = _Pace(self.clock, rate=rate)
        if self.rich.is_terminal:
            yield from self._bar(cell(title), pace)
        else:
            with self._announced(title) as announcement:
                yield _Lines(self, title, pace, announcement)

    def _bar(self, title: str, pace: "_Pace") -> Iterator[ProgressCallback]:
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self.rich) as bar:
            task = bar.add_task(title, total=None, note="")

            def advance(done: int, total: int, note: str = "", left: float | None = None) -> None:
                shown = cell(f"{note} {pace(done, total, left)}".strip())
                bar.update(task, completed=done, total=total, note=shown)

            yield advance

    def table(self, title: str, rows: Mapping[str, object]) -> None:
        """Print names and values in two columns."""
        cells = [(cell(name), cell(value)) for name, value in rows.items()]
        if not self.rich.is_terminal:
            width = max((len(name) for name, _ in cells), default=0)
            self.say(title)
            for name, value in cells:
                self.say(f"  {name.ljust(width)}  {value}")
            return
        table = Table(
            title=Text(cell(title)), title_justify="left", show_header=False, pad_edge=False
        )
        table.add_column()
        # A long value is folded, not cut: it may be copied from here.
        table.add_column(overflow="fold")
        for name, value in cells:
            table.add_row(Text(name), Text(value))
        self.rich.print(table)

    def grid(self, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table with a header line, every cell whole.

        In a log it has no frame, nor in a terminal that is too narrow for it.
        """
        cells = [[cell(value) for value in row] for row in (header, *rows)]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        # Between two columns the frame is three characters wide, at the edges one.
        framed = sum(widths) + 3 * len(widths) - 1
        if not self.rich.is_terminal or framed > self.rich.width:
            if title:
                self.say(title)
            for line in cells:
                padded = (value.ljust(w) for value, w in zip(line, widths, strict=True))
                self.say("  ".join(padded).rstrip())
            return
        heading = Text(cell(title)) if title else None
        table = Table(title=heading, title_justify="left", pad_edge=False)
        for name in cells[0]:
            table.add_column(Text(name))
        for row in cells[1:]:
            table.add_row(*map(Text, row))
        self.rich.print(table)


class _Lines:
    """Prints a line now and then, and one when all is done: a log is read afterwards."""

    SECONDS = 5.0

    def __init__(
        self, console: Console, title: str, pace: "_Pace", announcement: threading.Timer
    ) -> None:
        self._console, self._title, self._announcement = console, title, announcement
        self._pace, self._printed, self._last = pace, console.clock(), ""

    def __call__(self, done: int, total: int, note: str = "", left: float | None = None) -> None:
        now, text = self._console.clock(), f"  {self._title} {done}/{total}"
        text += f"  {note}" if note else ""
        finished = 0 < total == done and not left
        if finished and text == self._last:
            return
        if finished or (done and now - self._printed >= self.SECONDS):
            self._announcement.cancel()
            self._console.say(f"{text}  {self._pace(done, total, left)}".rstrip())
            self._printed, self._last = now, text if finished else ""


class _Pace:
    """How fast pieces get done: by what was done in the last seconds, not since the start."""

    WINDOW_SECONDS = 10.0
    # Over less time than this, a rate would be chance.
    MIN_SECONDS = 2.0

    def __init__(self, clock: Clock, *, rate: bool = True) -> None:
        self._clock, self._started, self._rate = clock, clock(), rate
        self._recent: deque[tuple[float, int]] = deque()

    def __call__(self, done: int, total: int, left: float | None) -> str:
        """Return rate and time left in words, or the time taken once nothing is left."""
        now = self._clock()
        self._recent.append((now, done))
        while len(self._recent) > 2 and self._recent[1][0] <= now - self.WINDOW_SECONDS:
            self._recent.popleft()
        if done >= total and not left:
            return f"{now - self._started:.1f} s"
        if left is not None:
            return f"{left:.0f} s left"
        then, before = self._recent[0]
        if not self._rate or done <= before or now - then < self.MIN_SECONDS:
            return ""
        rate = (done - before) / (now - then)
        return f"{rate:.{0 if rate >= 10 else 1}f}/s, {(total - done) / rate:.0f} s left"


FINISHED = re.compile(r": (Creation|Modifications|Destruction) complete")
# How Terraform begins the line that it writes where the lock does not come at once.
LOCKING = "Acquiring state lock"


class TerraformLines:
    """Takes Terraform's output line by line.

    `verbose` shows each line, as someone who reviews a plan wants it; otherwise only how many
    resources of an apply are done, and a wait for the state's lock.
    """

    def __init__(self, console: Console, log: Path, *, verbose: bool = True) -> None:
        self.verbose = verbose
        self.log = log
        self._console = console
        self._advance: ProgressCallback | None = None
        self._done = self._total = 0

    def __call__(self, line: str) -> None:
        """Keep a line, and show it or count the resource that it says is finished."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self.verbose:
            self._console.detail(line)
        elif line.startswith(LOCKING):
            self._console.say("  Waiting for the lock of the state, which another run may hold.")
        elif self._advance and FINISHED.search(line):
            self._done += 1
            self._advance(min(self._done, self._total), self._total)

    @contextmanager
    def counting(self, total: int) -> Iterator[None]:
        """Show the progress of an apply of `total` resource changes."""
        if self.verbose or not total:
            yield
            return
        self._done, self._total = 0, total
        with self._console.progress("resources", rate=False) as advance:
            self._advance = advance
            try:
                yield
            finally:
                self._advance = None
