"""Permissions that each role used and did not use since the start, per policy statement.

IAM reports the same for an account, a day later and by service only:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local_aws.core.admin_api import PREFIX
from local_aws.iam.conditions import as_list, matches
from local_aws.iam.policy_evaluation import Access, Document, Verdict, same_documents, verdict

ACCESS_PATH = f"{PREFIX}iam/access"
_REMEMBERED = 4096
_ALWAYS_NEW = (
    *("aws:currenttime", "aws:epochtime", "dynamodb:leadingkeys", "s3:signatureage"),
    "s3:x-amz-content-sha256",
)
# The statements, as text, that allowed an action; the actions that they alone allowed.
_Used = dict[frozenset[str], set[str]]


class Usage:
    """Which statements allowed which actions, for each role. Thread-safe.

    It is bounded by what policies say, not by how many requests there were.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, ...], Sequence[Document]] = {}
        self._used: dict[str, _Used] = {}

    def add(self, role_arn: str, identity: Sequence[Document], access: Access) -> None:
        """Remember an access that a role was given; `identity` are its own policies."""
        values = {k: v for k, v in access.values.items() if k not in _ALWAYS_NEW}
        key = (role_arn, access.action, access.resource, json.dumps(values, sort_keys=True))
        if same_documents(self._seen.get(key), identity):
            return
        texts = frozenset(
            _text(statement)
            for statement in _statements(identity)
            if verdict([{"Statement": [statement]}], access) is Verdict.ALLOW
        )
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[key] = identity
            self._used.setdefault(role_arn, {}).setdefault(texts, set()).add(access.action)

    def of(self, role_arn: str, identity: Iterable[Document]) -> list[dict[str, Any]]:
        """Return what became of each statement that allows a role something.

        `sid` is its name, `used` the actions that it allowed, `alone` those that no other
        statement allowed as well, `unused` its own spelling of actions that nobody asked for.
        """
        with self._lock:
            used = {texts: set(actions) for texts, actions in self._used.get(role_arn, {}).items()}
        allowing = (s for s in _statements(identity) if s.get("Effect") == "Allow")
        return [_use(statement, used) for statement in allowing]

    def roles(self) -> list[str]:
        """Return the ARNs of the roles that were allowed anything."""
        with self._lock:
            return sorted(self._used)


def _use(statement: Mapping[str, Any], used: _Used) -> dict[str, Any]:
    text = _text(statement)
    by_it = {action for texts, actions in used.items() if text in texts for action in actions}
    alone = used.get(frozenset([text]), set())
    patterns = as_list(statement.get("Action", []))
    idle = [
        pattern
        for pattern in patterns
        if not any(matches(pattern.lower(), a.lower()) for a in by_it)
    ]
    return {
        "sid": statement.get("Sid", ""),
        "used": sorted(by_it),
        "alone": sorted(alone),
        "unused": idle,
    }


def _statements(documents: Iterable[Document]) -> list[Mapping[str, Any]]:
    return [s for document in documents for s in as_list(document.get("Statement", []))]


def _text(statement: Mapping[str, Any]) -> str:
    return json.dumps(statement, sort_keys=True)


USAGE = Usage()
