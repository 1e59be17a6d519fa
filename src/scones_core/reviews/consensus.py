"""Consensus of several reviewers of the same images: labels, disagreements, Cohen's kappa."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scones_core.reviews.answers import Answer

Votes = Mapping[str, Mapping[str, str]]
"""The label of each reviewer, by the image's SHA-256."""


@dataclass(frozen=True, slots=True)
class CurrentAnswers:
    """The answers that hold: the last one of each reviewer to each image, without the undone.

    `revised` counts images that one reviewer gave two different labels; the later one holds.
    """

    answers: Mapping[tuple[str, str], Answer]
    revised: int

    def votes(self) -> dict[str, dict[str, str]]:
        """Return the labels by image and reviewer; a skipped image has none of that reviewer."""
        found: dict[str, dict[str, str]] = {}
        for (reviewer, sha256), answer in self.answers.items():
            if answer.action == "label":
                found.setdefault(sha256, {})[reviewer] = answer.label
        return found


@dataclass(frozen=True, slots=True)
class Consensus:
    """The label that most reviewers gave, by image; `disputed` has the votes where two lead."""

    labels: Mapping[str, str]
    disputed: Votes


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree on the `n` images that both labelled.

    `kappa` is Cohen's, None where it is not defined: no common image, or both gave one and the
    same label to all. `disagreements` has (SHA-256, first's label, second's label).
    """

    first: str
    second: str
    n: int
    agreed: int
    kappa: float | None
    disagreements: tuple[tuple[str, str, str], ...]


def current_answers(answers: Iterable[Answer]) -> CurrentAnswers:
    """Return which answers hold, whatever their order.

    Time orders answers, and within a session its sequence; one that was read twice counts once.
    """
    unique = {(answer.reviewer, answer.id): answer for answer in answers}
    undone = {(a.reviewer, a.undoes) for a in unique.values() if a.action == "undo"}
    held: dict[tuple[str, str], Answer] = {}
    labels: dict[tuple[str, str], set[str]] = {}
    for key, answer in sorted(unique.items(), key=lambda item: _order(item[1])):
        if answer.action == "undo" or key in undone:
            continue
        of_image = (answer.reviewer, answer.sha256)
        held[of_image] = answer
        if answer.action == "label":
            labels.setdefault(of_image, set()).add(answer.label)
    return CurrentAnswers(held, sum(len(given) > 1 for given in labels.values()))


def _order(answer: Answer) -> tuple[datetime, str, int]:
    return (datetime.fromisoformat(answer.at).astimezone(UTC), answer.session, answer.sequence)


def consensus(votes: Votes) -> Consensus:
    """Return the label of each image that has more votes than any other."""
    labels: dict[str, str] = {}
    disputed: dict[str, Mapping[str, str]] = {}
    for sha256, given in votes.items():
        ranked = Counter(given.values()).most_common(2)
        if len(ranked) == 1 or (ranked and ranked[0][1] > ranked[1][1]):
            labels[sha256] = ranked[0][0]
        elif ranked:
            disputed[sha256] = dict(given)
    return Consensus(labels, disputed)


def agreement(votes: Votes, first: str, second: str) -> Agreement:
    """Return how far two reviewers agree on the images that both labelled."""
    both = [
        (sha256, given[first], given[second])
        for sha256, given in sorted(votes.items())
        if first in given and second in given
    ]
    differing = tuple(one for one in both if one[1] != one[2])
    kappa = cohens_kappa([(ours, theirs) for _, ours, theirs in both])
    return Agreement(first, second, len(both), len(both) - len(differing), kappa, differing)


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of pairs of labels; None without pairs, and where chance is certain.

    kappa = (p_o - p_e) / (1 - p_e), with the observed share of agreement p_o and that expected by
    chance p_e. Cohen, A coefficient of agreement for nominal scales (1960).
    """
    n = len(pairs)
    if not n:
        return None
    observed = sum(a == b for a, b in pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    # In whole numbers, so that "certain" is exact.
    by_chance = sum(count * second[label] for label, count in first.items())
    if by_chance == n * n:
        return None
    return (observed * n - by_chance) / (n * n - by_chance)
