"""Regular expressions and wildcards that somebody else wrote, matched in bounded time.

Python's engine tries every way of matching, of which there may be more than a processor can try
in years, and lets no other thread run meanwhile. An expression that might do so on a text is
matched by another process, which ends when its time is over.
"""

import functools
import re
from collections.abc import Sequence

from local_aws.core.bounded_calls import BoundedCalls

SECONDS = 1.0
_matched_elsewhere = BoundedCalls(f"{__name__}:matched", SECONDS)
# So many steps of the engine take some milliseconds.
_MAX_STEPS = 1_000_000
_MAX_QUICK = 16
# What is repeated without end, and what doubles the ways of matching.
_REPEATS, _CHOICES = ("*", "+", "{"), ("?", "|")
# A group that is repeated, or one that refers to another.
_NESTED = re.compile(r"\)[*+?{]|\\[1-9]|\(\?P=")


class Expression:
    """A regular expression of Python's syntax; raises re.error and RecursionError for others."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        self.pattern, self.ignore_case = pattern, ignore_case
        self._compiled = _compiled(pattern, ignore_case)
        self._repeats = sum(map(pattern.count, _REPEATS))
        self._choices = sum(map(pattern.count, _CHOICES))
        self._nested = _NESTED.search(pattern) is not None

    def search(self, text: str) -> list[str | None] | None:
        """Return the first match and its groups; None without one. Raises TooCostly."""
        return self._matched(text, whole=False)

    def fullmatch(self, text: str) -> bool:
        """Return whether the whole text matches. Raises TooCostly."""
        return self._matched(text, whole=True) is not None

    def _matched(self, text: str, *, whole: bool) -> list[str | None] | None:
        if self._is_quick(text):
            return _found(self._compiled, text, whole=whole)
        found: list[str | None] | None = _matched_elsewhere(
            self.pattern, self.ignore_case, text, whole
        )
        return found

    def _is_quick(self, text: str) -> bool:
        """Return whether the engine needs few steps for a text, whatever it tries."""
        if self._nested or self._choices > _MAX_QUICK or self._repeats > _MAX_QUICK:
            return False
        steps: int = (len(text) + 1) ** (self._repeats + 1) * 2**self._choices
        return steps <= _MAX_STEPS


def matched(pattern: str, ignore_case: bool, text: str, whole: bool) -> list[str | None] | None:
    """Return the match of a whole text, or the first in it, and its groups; None without one."""
    return _found(_compiled(pattern, ignore_case), text, whole=whole)


def _found(compiled: re.Pattern[str], text: str, *, whole: bool) -> list[str | None] | None:
    match = compiled.fullmatch(text) if whole else compiled.search(text)
    return None if match is None else [match[0], *match.groups()]


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if ignore_case else 0)


def wildcard(parts: Sequence[str]) -> re.Pattern[str]:
    """Return an expression for parts with any text between them; the whole text must match it.

    Each part is an expression without repeats. Nothing is tried twice: where the leftmost place
    of a part leads to no match, no other does.
    """
    first, *between = parts
    if not between:
        return re.compile(first, re.DOTALL)
    *inner, last = between
    steps = "".join(f"(?>.*?{part})" for part in inner)
    return re.compile(f"{first}{steps}.*{last}", re.DOTALL)
