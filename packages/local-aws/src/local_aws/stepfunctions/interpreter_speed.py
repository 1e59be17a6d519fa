"""The interpreter's copies and threads, made cheap: they are most of what a trivial task costs."""

import collections
import copy
import functools
import marshal
import sys
import types
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

from local_aws.core.patching import replace, wrap

_PLAIN = (dict, list, str, int, float, bool, type(None))
# Idle threads are used again; a new one is started while all are busy. The number only has to be
# larger than what ever waits at once.
_THREADS = ThreadPoolExecutor(10_000, thread_name_prefix="states")


def copied(value: Any, memo: Any = None) -> Any:
    """Return a deep copy; of JSON's values, which nearly all are, some ten times as fast."""
    if type(value) in _PLAIN:
        try:
            return marshal.loads(marshal.dumps(value))  # noqa: S302
        except ValueError:  # something else is inside
            pass
    return copy.deepcopy(value, memo)


def in_background(action: Callable[[], None]) -> Future[None]:
    """Run an action in a thread of its own, one that is idle if there is one."""
    return _THREADS.submit(action)


def install() -> None:
    """Mend the copies, and the threads that states and Maps start."""
    cheap = types.SimpleNamespace(copy=copy.copy, deepcopy=copied)
    fault = "copies JSON object by object"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser.") and getattr(module, "copy", None) is copy:
            replace(module, "copy", cheap, fault=fault)
    _read_paths_once()
    _use_threads_again()
    _take_no_timeout_for_none()
    _wait_for_tasks()


def _read_paths_once() -> None:
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.utils import json_path

    fault = "builds a parser for each path, each time that it is used"
    for module in (result_path, json_path):
        once = functools.lru_cache(maxsize=1024)(vars(module)["parse"])
        replace(module, "parse", once, fault=fault)


def _use_threads_again() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        inline_iteration_component as inline,
    )
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    fault = "starts a thread, and keeps it in a list for ever"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "TMP_THREADS"):
            replace(module, "TMP_THREADS", collections.deque(maxlen=0), fault=fault)

    @wrap(ExecutionWorker, "start", fault=fault)
    def start(_: Any, worker: Any) -> None:
        in_background(worker._execution_logic)

    @wrap(inline.InlineIterationComponent, "_launch_worker", fault=fault)
    def launch(_: Any, component: Any, env: Any, eval_input: Any, job_pool: Any) -> Any:
        worker = component._create_worker(env=env, eval_input=eval_input, job_pool=job_pool)
        in_background(worker.eval)
        return worker


def _take_no_timeout_for_none() -> None:
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState

    @wrap(ExecutionState, "from_state_props", fault="takes 60 s for no timeout with a heartbeat")
    def from_state_props(original: Any, state: Any, state_props: Any) -> None:
        original(state, state_props)
        if state.timeout.is_default_value():
            state.timeout = TimeoutSeconds(TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS, is_default=True)


def _wait_for_tasks() -> None:
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import (
        EvalTimeoutError,
        TimeoutSeconds,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState

    @wrap(ExecutionState, "_evaluate_with_timeout", fault="starts a thread for each try of a task")
    def evaluate(_: Any, state: Any, env: Any) -> None:
        state.timeout.eval(env)
        seconds = env.stack.pop()
        frame = env.open_frame()
        frame.states.reset(env.states.get_input())
        frame.stack = copied(env.stack)
        try:
            if seconds >= TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS:
                state._eval_execution(frame)
            else:
                task = in_background(lambda: state._eval_execution(frame))
                if not wait_for([task], seconds).done:
                    raise EvalTimeoutError
                task.result()
        finally:
            frame.set_ended()
            env.close_frame(frame)
        result = frame.stack.pop()
        env.stack.append(result)
        if not state._is_language_query_jsonpath():
            env.states.set_result(result)
        _pass_on(state, env)


def _pass_on(state: Any, env: Any) -> None:
    # Variables are assigned from the result as the task gave it.
    # https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    if state.assign_decl:
        state.assign_decl.eval(env=env)
    if state.result_selector:
        state.result_selector.eval(env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(env.stack.pop())
