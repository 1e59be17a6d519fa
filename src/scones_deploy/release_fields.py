"""The forms that the fields of a release have."""

import math
import re
from collections.abc import Mapping
from typing import Any

from scones_core.errors import SettingsError
from scones_core.labels import LabelSet
from scones_core.uris import S3Uri

ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?")
SHA256 = re.compile(r"[0-9a-f]{64}")
IMAGE = re.compile(r"[a-z0-9][a-z0-9.:-]*/[a-z0-9][a-z0-9._/-]*(?::[\w.-]+|@sha256:[0-9a-f]{64})")
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")


def matches(pattern: re.Pattern[str], value: Any) -> bool:
    """Say whether a value is a text of this form."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_text(value: Any) -> bool:
    """Say whether a value is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Say whether a value is a finite number in these bounds."""
    return type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def is_count(value: Any) -> bool:
    """Say whether a value is a whole number of at least 1."""
    return type(value) is int and value >= 1


def is_map(value: Any, valid: Any) -> bool:
    """Say whether a value maps texts to values of which `valid` is true."""
    return isinstance(value, Mapping) and all(is_text(k) and valid(v) for k, v in value.items())


def is_artifact(value: Any) -> bool:
    """Say whether a value is the S3 location of a .tar.gz."""
    try:
        return S3Uri.parse(value).key.endswith(".tar.gz")
    except (SettingsError, TypeError, AttributeError):
        return False


def is_labels(value: Any) -> bool:
    """Say whether a value is two or more different class names."""
    try:
        return all(map(is_text, LabelSet.of(value)))
    except (SettingsError, TypeError):
        return False
