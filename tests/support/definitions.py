"""The workflow's definition, put together as Terraform puts it together."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "terraform/definitions"


def text(name: str = "classify") -> str:
    """Return a definition's file as it is."""
    return (FOLDER / f"{name}.asl.json").read_text(encoding="utf-8")


def rendered(**values: str) -> dict[str, Any]:
    """Return the definition with these placeholders filled in.

    A Map without an ItemProcessor gets those of distributed_map.asl.json, as in
    modules/workflow.
    """

    def filled(name: str) -> dict[str, Any]:
        found = text(name)
        for placeholder, value in values.items():
            found = found.replace(f"${{{placeholder}}}", value)
        read: dict[str, Any] = json.loads(found)
        return read

    machine, shared = filled("classify"), filled("distributed_map")
    del shared["Comment"]
    for name, state in machine["States"].items():
        if state["Type"] == "Map" and "ItemProcessor" not in state:
            batch = {f"{name}Batch": shared["ItemProcessor"]["States"]["ClassifyBatch"]}
            named = {**shared["ItemProcessor"], "StartAt": f"{name}Batch", "States": batch}
            machine["States"][name] = {**shared, **state, "ItemProcessor": named}
    return machine
