"""Answers in JSON, held against botocore's model of their operation."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape


def require_known_keys(
    operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
) -> None:
    """Raise AssertionError for a key that a client would pass over: AWS gives no such key."""
    if response_dict["status_code"] == 200 and operation_model.output_shape is not None:
        body = json.loads(response_dict["body"] or b"{}")
        unknown = sorted(unknown_keys(operation_model.output_shape, body))
        assert not unknown, f"{operation_model.name} answers {unknown}"


def unknown_keys(shape: Shape, value: Any) -> Iterator[str]:
    """Yield each key of an answer that its shape does not have, with the name of the shape."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from (f"{shape.name}.{name}" for name in value.keys() - shape.members.keys())
        for name in shape.members.keys() & value.keys():
            yield from unknown_keys(shape.members[name], value[name])
    elif isinstance(shape, ListShape):
        for member in value or ():
            yield from unknown_keys(shape.member, member)
    elif isinstance(shape, MapShape):
        for member in (value or {}).values():
            yield from unknown_keys(shape.value, member)
