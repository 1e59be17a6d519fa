"""The interpreter's error names and limits, as the States Language has them."""

import copy
import json
import sys
from typing import Any

from local_aws.core.patching import replace, wrap
from local_aws.stepfunctions.failures import error_name as name_of_error
from local_aws.stepfunctions.failures import failure_event

MAX_STATE_BYTES = 262_144
# "States.ALL ... can't catch the States.DataLimitExceeded terminal error or Runtime error types"
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_TERMINAL_ERRORS = ("States.DataLimitExceeded", "States.Runtime")


def install() -> None:
    """Mend the error names and limits."""
    _keep_reserved_error_names()
    _match_error_names()
    _name_missed_heartbeats()
    _choose()
    _limit_by_bytes()
    _quieten()


def within_quota(value: Any) -> bool:
    """Return whether a state's data is at most 262,144 bytes of compact UTF-8 JSON."""
    if not isinstance(value, str):
        value = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return len(value.encode("utf-8", "surrogatepass")) <= MAX_STATE_BYTES


def _keep_reserved_error_names() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        iteration_worker,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl

    def named(error_name: str | None) -> Any:
        return name_of_error(error_name)

    fault = "hides a States.* error of a Map item or branch behind one about its name"
    replace(iteration_worker, "CustomErrorName", named, fault=fault)
    replace(branches_decl, "CustomErrorName", named, fault=fault)


def _match_error_names() -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
        ErrorEqualsDecl,
    )

    fault = "has States.ALL match the terminal errors, and States.TaskFailed no reserved one"

    @wrap(ErrorEqualsDecl, "_eval_body", fault=fault)
    def evaluate(_: Any, declaration: Any, env: Any) -> None:
        error = getattr(env.stack.pop(), "error_name", None)
        named = {name.error_name for name in declaration.error_names}
        env.stack.append(matches_error(named, error))


def matches_error(named: set[str], error: str | None) -> bool:
    """Return whether an `ErrorEquals` list has an error's name, or one that stands for it."""
    if error in named:
        return True
    if "States.ALL" in named:
        return error not in _TERMINAL_ERRORS
    if error == "States.HeartbeatTimeout":
        return "States.Timeout" in named
    return "States.TaskFailed" in named and error not in (*_TERMINAL_ERRORS, "States.Timeout")


def _name_missed_heartbeats() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
    from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError

    @wrap(StateTask, "_from_error", fault="names a missed heartbeat States.Timeout")
    def from_error(original: Any, task: Any, env: Any, ex: Exception) -> Any:
        event = original(task, env=env, ex=ex)
        if isinstance(ex, HeartbeatTimeoutError):
            event.error_name = name_of_error("States.HeartbeatTimeout")
            event.event_details["taskTimedOutEventDetails"]["error"] = "States.HeartbeatTimeout"
        return event


def _choose() -> None:
    from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice

    @wrap(StateChoice, "_eval_state", fault="names a Choice without a match States.Runtime")
    def evaluate(_: Any, state: Any, env: Any) -> None:
        for rule in state.choices_decl.rules:
            rule.eval(env)
            if env.stack.pop() is True:
                env.stack.append(_Ruled(rule.next_stmt.name))
                return
        if state.default_state is None:
            cause = f"No rule of the Choice state {state.name} matched, and it has no Default."
            raise failure_event(env, "States.NoChoiceMatched", cause, "ExecutionFailed")
        env.stack.append(state.default_state.state_name)

    fault = "takes a rule that leads to the Default for none"

    @wrap(StateChoice, "_eval_state_output", fault=fault)
    def put_out(original: Any, state: Any, env: Any) -> None:
        if isinstance(env.stack[-1], _Ruled):
            env.stack[-1] = str(env.stack[-1])
            state = copy.copy(state)
            state.default_state = None  # the rule has assigned and put out what it has
        original(state, env)


class _Ruled(str):
    """The name of a state that a rule leads to, and not the Default."""

    __slots__ = ()


def _limit_by_bytes() -> None:
    fault = "counts the blanks of its own formatting, and refuses the limit itself"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "is_within_size_quota"):
            replace(module, "is_within_size_quota", within_quota, fault=fault)


def _quieten() -> None:
    """Drop the interpreter's log: a failed task is an outcome, and the history has it."""
    import logging

    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
