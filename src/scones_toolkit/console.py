"""Terminal output: a progress bar and tables for a person, plain lines for a log."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

Clock = Callable[[], float]


class ProgressCallback(Protocol):
    """Told how far a piece of work is."""

    def __call__(self, done: int, total: int, note: str = "", left: float | None = None) -> None:
        """Show that `done` of `total` pieces are finished, and a word about it.

        `left` is the work's own estimate in seconds; without it, the pace so far is taken.
        """


class Console:
    """Writes to a terminal or, line by line and without colour, to anything else."""

    def __init__(self, rich: RichConsole | None = None, clock: Clock = time.monotonic) -> None:
        self.rich = rich or RichConsole(highlight=False, soft_wrap=True)
        self.clock = clock

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.rich.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print a line that must not be overlooked."""
        self.rich.print(text, markup=False, style="bold yellow")

    def step(self, text: str) -> None:
        """Print the heading of a stage."""
        self.rich.print(text, markup=False, style="bold")

    def detail(self, text: str) -> None:
        """Print a line of another program's output; a terminal shows it dimmed."""
        self.rich.print(f"  {text}", markup=False, style="dim")

    @contextmanager
    def progress(self, title: str) -> Iterator[ProgressCallback]:
        """Show a bar with rate and time left; elsewhere a line every few seconds."""
        if self.rich.is_terminal:
            yield from self._bar(title)
        else:
            yield _Lines(self, title)

    def _bar(self, title: str) -> Iterator[ProgressCallback]:
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        pace = _Pace(self.clock)
        with Progress(*columns, console=self.rich) as bar:
            task = bar.add_task(title, total=None, note="")

            def advance(done: int, total: int, note: str = "", left: float | None = None) -> None:
                shown = pace(done, total, left)
                bar.update(task, completed=done, total=total, note=f"{note} {shown}".strip())

            yield advance

    def table(self, title: str, rows: Mapping[str, object]) -> None:
        """Print names and values in two columns."""
        width = max(map(len, rows), default=0)
        if not self.rich.is_terminal:
            self.say(title)
            for name, value in rows.items():
                self.say(f"  {name.ljust(width)}  {value}")
            return
        table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
        table.add_column()
        # A long value is folded, not cut: it may be copied from here.
        table.add_column(overflow="fold")
        for name, value in rows.items():
            table.add_row(name, str(value))
        self.rich.print(table)

    def grid(self, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table with a header line; a log gets every cell whole, without a frame."""
        if not self.rich.is_terminal:
            cells = [[str(cell) for cell in row] for row in (header, *rows)]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            if title:
                self.say(title)
            for line in cells:
                padded = (cell.ljust(w) for cell, w in zip(line, widths, strict=True))
                self.say("  ".join(padded).rstrip())
            return
        table = Table(*header, title=title, title_justify="left", pad_edge=False)
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.rich.print(table)


class _Lines:
    """Prints a line now and then, and one when all is done: a log is read afterwards."""

    SECONDS = 5.0

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._pace, self._printed, self._last = _Pace(console.clock), console.clock(), ""

    def __call__(self, done: int, total: int, note: str = "", left: float | None = None) -> None:
        now, text = self._console.clock(), f"  {self._title} {done}/{total}"
        text += f"  {note}" if note else ""
        finished = 0 < total == done and not left
        if finished and text == self._last:
            return
        if finished or (done and now - self._printed >= self.SECONDS):
            self._console.say(f"{text}  {self._pace(done, total, left)}")
            self._printed, self._last = now, text if finished else ""


class _Pace:
    """How fast pieces get done, counted from those that were done before: some may be there."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._started, self._before = clock, clock(), -1

    def __call__(self, done: int, total: int, left: float | None) -> str:
        """Return rate and time left in words, or the time taken once nothing is left."""
        elapsed = self._clock() - self._started
        if self._before < 0:
            self._before = max(done - 1, 0)
        made = done - self._before
        if done >= total and not left:
            return f"{elapsed:.1f} s"
        if left is not None:
            return f"{left:.0f} s left"
        if not made or not elapsed:
            return ""
        rate = made / elapsed
        return f"{rate:.{0 if rate >= 10 else 1}f}/s, {(total - done) / rate:.0f} s left"


FINISHED = re.compile(r": (Creation|Modifications|Destruction) complete")


class TerraformLines:
    """Takes Terraform's output line by line.

    `verbose` shows each line, as someone who reviews a plan wants it; otherwise only how many
    resources of an apply are done.
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
        with self._console.progress("resources") as advance:
            self._advance = advance
            try:
                yield
            finally:
                self._advance = None
