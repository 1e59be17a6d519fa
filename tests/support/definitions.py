"""The state machines' definitions, put together as Terraform puts them together."""

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


def with_retries(machine: dict[str, Any]) -> dict[str, Any]:
    """Return a machine of jobs whose steps are tried again, as in modules/job_state_machine."""
    rules = json.loads((FOLDER / "retries.json").read_text(encoding="utf-8"))

    def retried(states: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, state in states.items():
            if state["Type"] == "Task":
                job = state["Resource"].startswith("arn:aws:states:::sagemaker:create")
                found[name] = {"Retry": rules["job" if job else "call"], **state}
            elif "ItemProcessor" in state:
                inner = state["ItemProcessor"]
                each = {**inner, "States": retried(inner["States"])}
                found[name] = {**state, "ItemProcessor": each}
            else:
                found[name] = state
        return found

    return {**machine, "States": retried(machine["States"])}


def machines() -> dict[str, dict[str, Any]]:
    """Return every state machine by name, with its placeholders left in."""
    names = sorted(file.name.removesuffix(".asl.json") for file in FOLDER.glob("*.asl.json"))
    jobs = {
        name: with_retries(json.loads(text(name)))
        for name in names
        if name not in ("classify", "distributed_map")
    }
    return {"classify": rendered(), **jobs}
