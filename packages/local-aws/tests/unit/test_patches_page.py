"""The page of patches names tests that there are."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "patches.md"
# The distribution's own tests, and those of the project that it lies in.
TESTS = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT.parents[1] / "tests").rglob("test_*.py")]


def known_tests() -> set[str]:
    """Return the names of all tests."""
    names = set()
    for file in TESTS:
        body = ast.parse(file.read_text(encoding="utf-8")).body
        names |= {made.name for made in body if isinstance(made, ast.FunctionDef)}
    return names


def named(text: str) -> list[str]:
    """Return the tests that a text names."""
    return re.findall(r"`(test_\w+)`", text)


def test_each_test_that_the_page_names_is_there() -> None:
    missing = set(named(PAGE.read_text(encoding="utf-8"))) - known_tests()
    assert not missing


def test_each_row_of_the_page_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    heads = [line for line in rows if line.startswith(("| moto |", "| resource |"))]
    assert heads
    assert [line for line in rows if line not in heads and not named(line)] == []
