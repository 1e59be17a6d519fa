"""The policy of a form that a browser posts to a bucket: what its fields and its file may be.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Fields that need no condition; those that begin with x-ignore- do not, either.
_FREE = frozenset(("awsaccesskeyid", "bucket", "file", "policy", "signature", "x-amz-signature"))
_IGNORED = "x-ignore-"
_LENGTH = "content-length-range"


class FormRefused(Exception):
    """A form that its policy does not allow; `code` is S3's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Condition:
    kind: str
    name: str
    value: str

    def holds(self, given: str) -> bool:
        return given.startswith(self.value) if self.kind == "starts-with" else given == self.value

    def __str__(self) -> str:
        return json.dumps([self.kind, f"${self.name}", self.value])


def require_allowed(fields: Mapping[str, Any], bucket: str, size: int) -> None:
    """Raise FormRefused unless a form's policy allows its fields, its bucket and a file's bytes.

    `fields` have the key with the file's name filled in. When the policy ends is not looked at.
    """
    given = {name.lower(): str(value) for name, value in fields.items()}
    values = {**given, "bucket": bucket}
    named = set[str]()
    for condition in _conditions(given.get("policy", "")):
        if isinstance(condition, range):
            _require_size(condition, size)
            continue
        named.add(condition.name)
        if not condition.holds(values.get(condition.name, "")):
            raise _denied(f"Policy Condition failed: {condition}")
    extra = [
        name
        for name in given
        if name not in named and name not in _FREE and not name.startswith(_IGNORED)
    ]
    if extra:
        raise _denied(f"Extra input fields: {', '.join(sorted(extra))}")


def _require_size(allowed: range, size: int) -> None:
    if size < allowed.start:
        raise FormRefused(
            "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
        )
    if size >= allowed.stop:
        raise FormRefused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")


def _conditions(policy: str) -> list[_Condition | range]:
    try:
        listed = json.loads(base64.b64decode(policy))["conditions"]
        return [found for item in listed for found in _read(item)]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormRefused("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from error


def _read(item: Any) -> list[_Condition | range]:
    """Return the conditions of one item; raises ValueError or TypeError for none."""
    if isinstance(item, dict):
        return [_Condition("eq", name.lower(), str(value)) for name, value in item.items()]
    kind, first, second = item
    if str(kind).lower() == _LENGTH:
        return [range(int(first), int(second) + 1)]
    if kind not in ("eq", "starts-with") or not first.startswith("$"):
        raise ValueError(f"{kind} is no condition")
    return [_Condition(kind, first[1:].lower(), str(second))]


def _denied(why: str) -> FormRefused:
    return FormRefused("AccessDenied", f"Invalid according to Policy: {why}")
