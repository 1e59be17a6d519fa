"""The one way in which this package tells how far it is; who shows it is not its concern."""

from typing import Protocol


class Progress(Protocol):
    """A callback that takes what is done and what there is to do, in the same unit."""

    def __call__(self, done: int, total: int, /) -> None:
        """Show that `done` of `total` is done; called from one thread."""


def silent(_done: int, _total: int, /) -> None:
    """Show nothing."""
