"""The interpreter's error names and limits, as the States Language has them."""

import json
import sys
from typing import Any

from scones_local.registry import replace, wrap

MAX_STATE_BYTES = 262_144
# "States.ALL ... can't catch the States.DataLimitExceeded terminal error or Runtime error types"
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_TERMINAL_ERRORS = ("States.DataLimitExceeded", "States.Runtime")


def install() -> None:
    """Mend the error names and limits."""
    _keep_reserved_error_names()
    _let_terminal_errors_through()
    _limit_by_bytes()
    _quieten()


def within_quota(value: Any) -> bool:
    """Return whether a state's data is at most 262,144 bytes of compact UTF-8 JSON."""
    if not isinstance(value, str):
        value = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return len(value.encode("utf-8", "surrogatepass")) <= MAX_STATE_BYTES


def _keep_reserved_error_names() -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
        CustomErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
        StatesErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
        StatesErrorNameType,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        iteration_worker,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl

    reserved = {kind.to_name(): kind for kind in StatesErrorNameType}

    def error_name_of(error_name: str | None) -> Any:
        if error_name in reserved:
            return StatesErrorName(reserved[error_name])
        return CustomErrorName(error_name)

    fault = "hides a States.* error of a Map item or branch behind one about its name"
    replace(iteration_worker, "CustomErrorName", error_name_of, fault=fault)
    replace(branches_decl, "CustomErrorName", error_name_of, fault=fault)


def _let_terminal_errors_through() -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
        ErrorEqualsDecl,
    )

    @wrap(ErrorEqualsDecl, "_eval_body", fault="has States.ALL match the terminal errors too")
    def evaluate(original: Any, declaration: Any, env: Any) -> None:
        error = env.stack[-1]
        named = {name.error_name for name in declaration.error_names}
        if getattr(error, "error_name", None) in _TERMINAL_ERRORS and "States.ALL" in named:
            env.stack.pop()
            env.stack.append(False)
            return
        original(declaration, env)


def _limit_by_bytes() -> None:
    fault = "counts the blanks of its own formatting, and refuses the limit itself"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "is_within_size_quota"):
            replace(module, "is_within_size_quota", within_quota, fault=fault)


def _quieten() -> None:
    """Drop the interpreter's log: a failed task is an outcome, and the history has it."""
    import logging

    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
