"""What Terraform writes: always into a log, and to the terminal as text or as progress."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scones_toolkit.console import Advance, Console

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
        self._advance: Advance | None = None
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
