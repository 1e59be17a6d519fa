"""The order in which the processes of a test run are given the tests, file by file."""

import pytest

# An environment that one process applies, and the others wait for, if they ask before it is done.
WAITED_FOR = "applied"


def long_files_first(items: list[pytest.Item]) -> None:
    """Put the files with a test marked as slow before the others; else nothing moves.

    None is left to run alone at the end then. Those that copy an applied environment come behind
    those that make their own, so that no two processes begin by waiting for it.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    copying = {item.path for item in items if WAITED_FOR in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (item.path not in slow, item.path in copying))
