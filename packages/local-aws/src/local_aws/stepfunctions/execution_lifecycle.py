"""How an execution comes to its end: by itself, by its timeout, stopped, or with a full history."""

import threading
from typing import Any

from local_aws.core.patching import implement, replace, wrap
from local_aws.stepfunctions.interpreter_speed import in_background

# "Express Workflows have a maximum duration of five minutes"
# https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
EXPRESS_SECONDS = 300


def install() -> None:
    """Mend the evaluation of a whole definition."""
    _evaluate()
    _end_once()


def _evaluate() -> None:
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
    from moto.stepfunctions.parser.asl.component.program.program import Program

    fault = "goes on until the task at hand is through, when it is stopped or out of time"

    @wrap(Program, "eval", fault=fault)
    def evaluate(_: Any, program: Any, env: Any) -> None:
        env.next_state_name = program.start_at.start_at_name
        if env.is_frame():
            EvalComponent.eval(program, env)
            return
        ended = threading.Event()
        env.ended = ended

        def run() -> None:
            try:
                EvalComponent.eval(program, env)
            finally:
                ended.set()

        env.event_manager.when_full = lambda: _fail_for_history(env)
        in_background(run)
        if not ended.wait(_limit(program, env)) and env.is_running():
            env.set_timed_out()
        _finish(env)

    replace(Program, "_eval_body", _run_states, fault=fault)


def _run_states(program: Any, env: Any) -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEventException,
    )

    try:
        while env.is_running():
            program._get_state(env.next_state_name).eval(env)
            env.stack.clear()
            env.heap.clear()
    except FailureEventException as error:
        env.set_error(error=error.get_execution_failed_event_details())
    except Exception as error:  # the interpreter's own fault is the execution's end as well
        cause = f"{type(error).__name__}({error})"
        env.set_error({"error": "States.Runtime", "cause": cause})


def _limit(program: Any, env: Any) -> float | None:
    own = program.timeout_seconds.timeout_seconds if program.timeout_seconds else None
    if env.is_standard_workflow():
        return own
    return min(own or EXPRESS_SECONDS, EXPRESS_SECONDS)


def _fail_for_history(env: Any) -> None:
    cause = "The execution reached the maximum number of history events (25000)."
    env.set_error({"error": "States.Runtime", "cause": cause})


def _finish(env: Any) -> None:
    """Write the last event, and take no more: a task may still be under way."""
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped

    state = env.program_state()
    if isinstance(state, ProgramStopped):
        env.event_history_context.source_event_id = 0
    kind, details = _last_event(env, state)
    env.event_manager.close(
        context=env.event_history_context,
        event_type=HistoryEventType(kind),
        event_details={f"{kind[0].lower()}{kind[1:]}EventDetails": details},
    )


def _last_event(env: Any, state: Any) -> tuple[str, dict[str, Any]]:
    from moto.stepfunctions.parser.asl.eval import program_state
    from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

    if isinstance(state, program_state.ProgramError):
        error = state.error or {}
        return "ExecutionFailed", {k: error[k] for k in ("error", "cause") if k in error}
    if isinstance(state, program_state.ProgramStopped):
        given = {"error": state.error, "cause": state.cause}
        return "ExecutionAborted", {k: v for k, v in given.items() if v is not None}
    if isinstance(state, program_state.ProgramTimedOut):
        return "ExecutionTimedOut", {}
    output = to_json_str(env.states.get_input(), separators=(",", ":"))
    return "ExecutionSucceeded", {"output": output, "outputDetails": {"truncated": False}}


def _end_once() -> None:
    from moto.stepfunctions.parser.asl.eval.environment import Environment
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramRunning

    implement(Environment, "ended", fault="does not say when an execution has come to its end")(
        None
    )

    @wrap(Environment, "set_error", fault="takes the failure of what runs on for the outcome")
    def set_error(original: Any, env: Any, error: Any) -> None:
        if env.is_frame() or isinstance(env._program_state, ProgramRunning):
            original(env, error)
            if env.ended is not None:
                env.ended.set()

    @wrap(Environment, "set_stop", fault="does not wake what waits for the execution's end")
    def set_stop(original: Any, env: Any, *args: Any, **more: Any) -> None:
        original(env, *args, **more)
        if env.ended is not None:
            env.ended.set()
