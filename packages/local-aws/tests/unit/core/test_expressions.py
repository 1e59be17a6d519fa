import time

import pytest

from local_aws.core.bounded_calls import TooCostly
from local_aws.core.expressions import Expression, wildcard


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"loss=(\d+)", "step loss=12;", ["loss=12", "12"]),
        (r"(a)|(b)", "b", ["b", None, "b"]),
        (r"x", "abc", None),
        # Matched by another process: there are many ways to match, and the first is found.
        (r"((\w+)=(\w+) ?)+$", "a=b c=d", ["a=b c=d", "c=d", "c", "d"]),
    ],
)
def test_the_first_match_has_its_groups(
    pattern: str, text: str, found: list[str | None] | None
) -> None:
    assert Expression(pattern).search(text) == found


def test_case_counts_unless_it_is_to_be_ignored() -> None:
    assert not Expression("abc").fullmatch("ABC")
    assert Expression("abc", ignore_case=True).fullmatch("ABC")
    assert Expression("(a+)+", ignore_case=True).fullmatch("AAA")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 40 + "!"),
        ("a?" * 40 + "a" * 40 + "b", "a" * 60),
        ("a*" * 12 + "b", "a" * 4_000),
        (r"\s*x", " " * 400_000),
    ],
)
def test_an_expression_that_would_take_years_ends(pattern: str, text: str) -> None:
    began = time.monotonic()
    with pytest.raises(TooCostly):
        Expression(pattern).search(text)
    assert time.monotonic() - began < 60


def test_a_wildcard_takes_any_text_and_no_time() -> None:
    assert wildcard(["a", "b", ""]).fullmatch("axxb\nc")
    assert not wildcard(["a", "b"]).fullmatch("ab ")
    assert wildcard(["", "aa", "a"]).fullmatch("aaa")
    assert not wildcard(["", "aa", "aa"]).fullmatch("aaa")
    began = time.monotonic()
    assert not wildcard(["a"] * 30 + ["b"]).fullmatch("a" * 2_000)
    assert time.monotonic() - began < 5
