from dataclasses import replace
from typing import Any

import pytest

from scones_core.reviews import Answer, agreement, cohens_kappa, consensus, current_answers


def given(
    reviewer: str, image: str, label: str, number: int = 1, session: str = "s", **values: Any
) -> Answer:
    answer = Answer(
        session=f"{session}-{reviewer}",
        sequence=number,
        reviewer=reviewer,
        action="label",
        sha256=image * 64,
        file=f"{image * 64}.png",
        at=f"2026-01-01T00:00:{number:02}+00:00",
        label=label,
    )
    return replace(answer, **values)


def undo(answer: Answer, number: int) -> Answer:
    return replace(answer, action="undo", label="", undoes=answer.id, sequence=number)


def test_the_later_of_two_answers_of_one_reviewer_holds_and_is_counted() -> None:
    first, second = given("ana", "a", "bicycle", 1), given("ana", "a", "bus", 2)

    held = current_answers([second, first])

    assert held.votes() == {"a" * 64: {"ana": "bus"}}
    assert held.revised == 1


def test_time_with_its_offset_orders_the_answers_of_two_hosts() -> None:
    early = given("ana", "a", "bus", session="x", at="2026-01-01T02:00:00+02:00")
    late = given("ana", "a", "van", session="a", at="2026-01-01T00:30:00+00:00")

    assert current_answers([late, early]).votes() == {"a" * 64: {"ana": "van"}}


def test_what_was_undone_does_not_hold_and_what_was_before_holds_again() -> None:
    first, second = given("ana", "a", "bicycle", 1), given("ana", "a", "bus", 2)

    assert current_answers([first, undo(first, 2)]).votes() == {}
    held = current_answers([undo(second, 3), first, second])
    assert held.votes() == {"a" * 64: {"ana": "bicycle"}}
    assert held.revised == 0


def test_one_reviewer_cannot_undo_the_answer_of_another() -> None:
    ours = given("ana", "a", "bus")

    held = current_answers([ours, replace(undo(ours, 2), reviewer="ben")])

    assert held.votes() == {"a" * 64: {"ana": "bus"}}


def test_an_answer_that_was_read_twice_counts_once() -> None:
    answer = given("ana", "a", "bus")

    assert current_answers([answer, answer]).revised == 0


def test_a_skip_is_no_vote() -> None:
    assert current_answers([given("ana", "a", "", action="skip")]).votes() == {}


def test_the_label_of_most_reviewers_wins_and_a_tie_is_disputed() -> None:
    tie = {"ana": "bus", "ben": "van"}

    found = consensus({"a": {**tie, "eve": "van"}, "b": tie, "c": {"ana": "bus"}})

    assert found.labels == {"a": "van", "c": "bus"}
    assert found.disputed == {"b": tie}


def test_kappa_is_that_of_a_published_example() -> None:
    # 50 applications, 20 yes and 15 no by both, 5 and 10 apart: kappa 0.4.
    # https://en.wikipedia.org/wiki/Cohen%27s_kappa#Simple_example
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15

    assert cohens_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([], None),
        ([("a", "a")] * 3, None),
        ([("a", "a"), ("b", "b")], 1.0),
        ([("a", "b"), ("b", "a")], -1.0),
        ([("a", "b")] * 2, 0.0),
    ],
)
def test_kappa_at_its_limits(pairs: list[tuple[str, str]], kappa: float | None) -> None:
    assert cohens_kappa(pairs) == kappa


def test_agreement_counts_only_what_both_labelled() -> None:
    votes = {"a": {"ana": "bus", "ben": "van"}, "b": {"ana": "bus"}, "c": {"ana": "x", "ben": "x"}}

    found = agreement(votes, "ana", "ben")

    assert (found.n, found.agreed) == (2, 1)
    assert found.disagreements == (("a", "bus", "van"),)
