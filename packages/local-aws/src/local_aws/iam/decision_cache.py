"""Decisions that are asked for again and again: remembered as long as the policies are the same.

A function's log, for one, is decided on at each invocation. What a decision was made from is
compared by identity: policies are parsed once for each text, so another text is another object.
"""

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_aws.iam.policy import Access, Denial, Document, Policies

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Decision:
    policies: Policies
    denial: Denial | None


class Decisions:
    """What policies said of a principal's access, where nothing but the policies decides."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], _Decision] = {}

    def of(
        self,
        principal: str,
        access: Access,
        policies: Policies,
        decide: Callable[[], Denial | None],
    ) -> Denial | None:
        """Return the remembered decision, or what `decide` returns."""
        key = (principal, access.action, access.resource)
        known = self._found.get(key)
        if known is not None and _same(known.policies, policies):
            return known.denial
        denial = decide()
        if all(_is_plain(document) for kind in _kinds(policies) for document in kind or ()):
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = _Decision(policies, denial)
        return denial


def _kinds(policies: Policies) -> tuple[Sequence[Document] | None, ...]:
    return policies.identity, policies.boundary, policies.session


def _same(one: Policies, other: Policies) -> bool:
    return all(
        same_documents(first, second)
        for first, second in zip(_kinds(one), _kinds(other), strict=True)
    )


def same_documents(first: Sequence[Document] | None, second: Sequence[Document] | None) -> bool:
    """Return whether these are the very policies that those were, compared by identity."""
    if first is None or second is None:
        return first is second
    return len(first) == len(second) and all(map(operator.is_, first, second))


def _is_plain(document: Document) -> bool:
    """Return whether neither a condition nor a variable makes it depend on the request."""
    text = json.dumps(document, default=str)
    return '"Condition"' not in text and "${" not in text
