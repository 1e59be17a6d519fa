"""The packages of functions and layers: large, and there as bytes and as they were sent."""

from typing import Any

from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Reduced, made_of


def package(owner: Any, blobs: Blobs) -> Reduced:
    """Reduce a function or layer of moto's."""
    state = owner.__dict__.copy()
    for holder in ("code", "content"):
        if "ZipFile" in (state.get(holder) or {}):
            state[holder] = {**state[holder], "ZipFile": _sent(owner, holder, state[holder], blobs)}
    if "code_bytes" in state:
        state["code_bytes"] = _bytes(owner, "code_bytes", state["code_bytes"], blobs)
    return made_of(owner, state)


def _sent(owner: Any, part: str, holder: dict[str, Any], blobs: Blobs) -> Any:
    sent = holder["ZipFile"]
    if isinstance(sent, str):
        return _Text(_bytes(owner, part, sent.encode(), blobs))
    return _bytes(owner, part, sent, blobs)


def _bytes(owner: Any, part: str, body: bytes, blobs: Blobs) -> Any:
    # The hash of bytes is computed once for each object.
    return blobs.of(owner, part, (hash(body), len(body)), lambda: body)


class _Text:
    """Stands for a body that is text."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.text, (self.body,)
