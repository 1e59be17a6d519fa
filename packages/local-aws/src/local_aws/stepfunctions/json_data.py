"""The data of states as JSON: written compactly, measured, and read strictly."""

import json
from typing import Any

MAX_STATE_BYTES = 262_144


def compact(value: Any) -> str:
    """Return a value as the JSON text whose bytes count against the quota of a state."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def within_quota(value: Any) -> bool:
    """Return whether a state's data is at most 262,144 bytes of compact UTF-8 JSON."""
    text = value if isinstance(value, str) else compact(value)
    return len(text.encode("utf-8", "surrogatepass")) <= MAX_STATE_BYTES


def strict_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises ValueError also for NaN and Infinity, which Python reads and RFC 8259 does not have,
    and for what is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("the text is nested too deeply") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")
