"""ResultPath: where the result of a state goes in its input.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultpath.html
"""

import copy
import json
import re
from typing import Any

from local_aws.core.patching import patch
from local_aws.stepfunctions.errors import failure_event

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


class ResultPathMismatch(Exception):
    """The input has no place for a result; the message is the cause."""


@patch(
    "moto.stepfunctions.parser.asl.component.common.path.result_path.ResultPath._eval_body",
    why="fails with an inner error, or invents list items, where the input has no such place",
)
def evaluate_result_path(_: Any, path: Any, env: Any) -> None:
    """Put the state's input with the result in it on the stack."""
    state_input = env.states.get_input()
    if path.result_path_src is None:
        env.stack.clear()
        env.stack.append(state_input)
        return
    result = copy.deepcopy(env.stack.pop())
    try:
        env.stack.append(placed(state_input, path.result_path_src, result))
    except ResultPathMismatch as error:
        raise failure_event(
            env, "States.ResultPathMatchFailure", str(error), "ExecutionFailed"
        ) from error


def placed(state_input: Any, path: str, result: Any) -> Any:
    """Return a copy of the input with the result at a reference path.

    Names that are absent are added. Raises ResultPathMismatch where a name leads into what is not
    an object, or an index into what is not a list, or past its end.
    """
    steps: list[str | int] = [
        int(index) if index else name or quoted or double
        for name, index, quoted, double in _STEP.findall(path.removeprefix("$"))
    ]
    if not steps:
        return result
    output = copy.deepcopy(state_input)
    inner = output
    for number, step in enumerate(steps):
        known = isinstance(inner, dict) if isinstance(step, str) else _has_item(inner, step)
        if not known:
            text = json.dumps(state_input, ensure_ascii=False)[:1000]
            raise ResultPathMismatch(f'Unable to apply step "{step}" to input {text}')
        if number == len(steps) - 1:
            inner[step] = result
        else:
            inner = inner.setdefault(step, {}) if isinstance(step, str) else inner[step]
    return output


def _has_item(value: Any, index: int) -> bool:
    return isinstance(value, list) and index < len(value)
