"""Progress of an execution, kept so that a redrive goes on from there.

Each flow that runs (the state machine's own, a branch, an iteration) has a record, a
plain dictionary: the `state` it is in, that state's `input` and the `variables` at its
beginning, and, for a Map or a Parallel, the records of the flows within as `children`.
A flow that has succeeded has its `output` only. The record of an execution that did not succeed
is kept with it, and that of one that runs is saved: it goes on from there after a kill.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from typing import Any

from local_aws.core.patching import add, patch

_ENVIRONMENT = "moto.stepfunctions.parser.asl.eval.environment.Environment"
_WHY = "does not know how far an execution has come, so that it cannot be redriven"

add(f"{_ENVIRONMENT}.progress", why=_WHY)(None)


def enter_state(env: Any, name: str) -> None:
    """Note that a flow begins a state; what a redrive knows of that state stays."""
    record = env.progress
    if record.pop("resumed", False):
        return
    # It may be saved at any moment: a Map Run goes before the state that it is of.
    record.pop("map_run", None)
    # Neither is changed in place: a state's data and variables are replaced.
    record.update(
        state=name,
        input=env.states._states_data["input"],
        variables=dict(env.variable_store._inner_scope),
        children={},
    )


def restart_state(env: Any) -> None:
    """Forget the flows within a state, and its Map Run, as the state is tried again."""
    env.progress["children"] = {}
    env.progress.pop("map_run", None)


def enter_flow(env: Any, start: str) -> bool:
    """Set where a flow begins; return False when a redrive has its output already."""
    record = env.progress
    if "output" in record:
        env.states.reset(record["output"])
        env.set_ended()
        return False
    if record.get("resumed"):
        env.states.reset(record["input"])
        env.variable_store._inner_scope.update(record["variables"])
        env.next_state_name = record["state"]
    else:
        env.next_state_name = start
    return True


def leave_flow(env: Any) -> None:
    """Note the output of a flow that has succeeded."""
    env.progress["output"] = env.states._states_data["input"]
    for name in ("state", "input", "variables", "children", "map_run"):
        env.progress.pop(name, None)


def child_of(record: dict[str, Any], place: int) -> dict[str, Any]:
    """Return the record of a flow within a state, by its place; a new one if need be."""
    found: dict[str, Any] = record.setdefault("children", {}).setdefault(str(place), {})
    return found


def resume(record: dict[str, Any]) -> dict[str, Any]:
    """Mark each flow that has begun a state to go on with that state; return the record."""
    if "state" in record:
        record["resumed"] = True
        for inner in record.get("children", {}).values():
            resume(inner)
    return record


@patch(f"{_ENVIRONMENT}.__init__", why=_WHY)
def make_environment(original: Any, env: Any, *args: Any, **given: Any) -> None:
    """Make the environment of an execution, or of a frame."""
    original(env, *args, **given)
    env.progress = {}


@patch(f"{_ENVIRONMENT}.as_inner_frame_of", why=_WHY)
def make_frame(original: Any, kind: Any, env: Any, *args: Any, **given: Any) -> Any:
    """Return a frame, which works on the same state as the environment around it."""
    frame = original(kind, env, *args, **given)
    frame.progress = env.progress
    return frame


@patch(
    "moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker"
    ".BranchWorker.__init__",
    why=_WHY,
)
def make_branch(
    original: Any, worker: Any, branch_worker_comm: Any, program: Any, env: Any
) -> None:
    """Make the worker of a branch, which has a record of its own."""
    place = vars(branch_worker_comm).setdefault("branches", 0)
    branch_worker_comm.branches = place + 1
    env.progress = child_of(env.progress, place)
    original(worker, branch_worker_comm, program, env)
