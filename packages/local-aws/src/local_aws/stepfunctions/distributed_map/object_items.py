"""The members of an object as the items of a Distributed Map.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemspath.html
"""

from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
)

from local_aws.core.patching import patch

_MAP = "moto.stepfunctions.parser.asl.component.state.exec.state_map"
_WHY = "takes arrays only for the items of a Distributed Map"


class Pairs(list[dict[str, Any]]):
    """The members of an object, each with its `Key` and `Value`."""


def pairs_of(value: dict[str, Any]) -> Pairs:
    """Return the members of an object in their order."""
    return Pairs({"Key": name, "Value": each} for name, each in value.items())


def context_item(items: Any, index: int, item: Any) -> dict[str, Any]:
    """Return what the context object says of an item: of a member its key, too."""
    if isinstance(items, Pairs):
        return {"Index": index, **item}
    return {"Index": index, "Value": item}


@patch(f"{_MAP}.state_map.StateMap.from_state_props", why=_WHY)
def from_state_props(original: Any, state: Any, properties: Any) -> None:
    """Read a Map's properties; its items know whether it is distributed."""
    original(state, properties)
    if isinstance(state.iteration_component, DistributedIterationComponent):
        for items in filter(None, (state.items_path, state.items)):
            items.is_distributed = True


@patch(
    "moto.stepfunctions.parser.asl.component.common.path.items_path.ItemsPath._eval_body", why=_WHY
)
def evaluate_path(original: Any, path: Any, env: Any) -> None:
    """Put what an ItemsPath leads to on the stack."""
    original(path, env)
    if getattr(path, "is_distributed", False) and isinstance(env.stack[-1], dict):
        env.stack.append(pairs_of(env.stack.pop()))


@patch(f"{_MAP}.items.items.ItemsJSONata._eval_body", why=_WHY)
def evaluate_expression(original: Any, items: Any, env: Any) -> None:
    """Put the value of Items on the stack."""
    if getattr(items, "is_distributed", False):
        items.string_jsonata.eval(env=env)
        found = env.stack.pop()
        if isinstance(found, dict | list):
            env.stack.append(pairs_of(found) if isinstance(found, dict) else found)
            return
    original(items, env)
