"""How moto's interpreter runs states: cheap copies, reused threads, an inline Map's workers.

Copies and new threads are most of what a trivial task costs.
"""

import collections
import contextvars
import copy
import functools
import marshal
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

# Importing the backend loads every module of the interpreter, which `modules_with` goes through.
from moto.stepfunctions.parser import models as _models  # noqa: F401
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import (
    EvalTimeoutError,
    TimeoutSeconds,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackConsumerLeft

from local_aws.core.patching import patch, set_value
from local_aws.stepfunctions.progress import child_of, restart_state

MAX_INLINE_CONCURRENCY = 40
_PLAIN = (dict, list, str, int, float, bool, type(None))
# Idle threads are used again; a new one is started while all are busy. The number only has to be
# larger than what ever waits at once.
_THREADS = ThreadPoolExecutor(10_000, thread_name_prefix="states")
_COMPONENT = "moto.stepfunctions.parser.asl.component"
_EXECUTION_STATE = f"{_COMPONENT}.state.exec.execute_state.ExecutionState"
_ITERATION = f"{_COMPONENT}.state.exec.state_map.iteration"


def copied(value: Any, memo: Any = None) -> Any:
    """Return a deep copy; of JSON's values, which nearly all are, some ten times as fast."""
    if type(value) in _PLAIN:
        try:
            return marshal.loads(marshal.dumps(value))  # noqa: S302
        except ValueError:  # something else is inside
            pass
    return copy.deepcopy(value, memo)


def in_background(action: Callable[[], None]) -> Future[None]:
    """Run an action in a thread of its own, one that is idle if there is one.

    It follows from what this thread does.
    """
    return _THREADS.submit(contextvars.copy_context().run, action)


def modules_with(name: str, value: Any = None) -> Iterator[str]:
    """Yield the dotted name of `name` in each module of the interpreter that has it.

    With a `value`, only where the name stands for that very object.
    """
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith("moto.stepfunctions.") or not hasattr(module, name):
            continue
        if value is None or getattr(module, name) is value:
            yield f"{module_name}.{name}"


def worker_count(max_concurrency: int, items: int) -> int:
    """Return how many items run at once; `max_concurrency` 0 means as many as there may be."""
    return min(max_concurrency or MAX_INLINE_CONCURRENCY, MAX_INLINE_CONCURRENCY, items)


_cheap = types.SimpleNamespace(copy=copy.copy, deepcopy=copied)
for _symbol in modules_with("copy", copy):
    set_value(_symbol, _cheap, why="copies JSON object by object")
set_value(
    f"{result_path.__name__}.parse",
    functools.lru_cache(maxsize=1024)(vars(result_path)["parse"]),
    why="builds a parser for each path, each time that it is used",
)
_THREADS_WHY = "starts a thread, and keeps it in a list for ever"
for _symbol in modules_with("TMP_THREADS"):
    set_value(_symbol, collections.deque(maxlen=0), why=_THREADS_WHY)


@patch("moto.stepfunctions.parser.backend.execution_worker.ExecutionWorker.start", why=_THREADS_WHY)
def start(_: Any, worker: Any) -> None:
    """Run an execution in a thread that may be an idle one."""
    in_background(worker._execution_logic)


@patch(
    f"{_ITERATION}.inline_iteration_component.InlineIterationComponent._launch_worker",
    why=_THREADS_WHY,
)
def launch_worker(_: Any, component: Any, env: Any, eval_input: Any, job_pool: Any) -> Any:
    """Return a worker of an inline Map that runs in a thread that may be an idle one."""
    worker = component._create_worker(env=env, eval_input=eval_input, job_pool=job_pool)
    in_background(worker.eval)
    return worker


@patch(f"{_EXECUTION_STATE}.from_state_props", why="takes 60 s for no timeout with a heartbeat")
def from_state_props(original: Any, state: Any, state_props: Any) -> None:
    """Set up a state that may run; without a timeout it has none."""
    original(state, state_props)
    if state.timeout.is_default_value():
        state.timeout = TimeoutSeconds(TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS, is_default=True)


@patch(f"{_EXECUTION_STATE}._evaluate_with_timeout", why="starts a thread for each try of a task")
def evaluate_with_timeout(_: Any, state: Any, env: Any) -> None:
    """Run one try of a state; raises EvalTimeoutError when it takes too long."""
    state.timeout.eval(env)
    seconds = env.stack.pop()
    context = env.states.context_object.context_object_data
    if context["State"]["RetryCount"]:
        restart_state(env)
    if context.get("Task") and context["State"]["RetryCount"]:
        # A further try of a task that waits for a token has a token of its own.
        env.callback_pool_manager.add(env.states.context_object.update_task_token())
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
        if context.get("Task"):
            env.callback_pool_manager.get(context["Task"]["Token"]).report(CallbackConsumerLeft())
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


@patch(
    f"{_ITERATION}.inline_iteration_component.InlineIterationComponent._eval_body",
    why="starts a thread for each item, or for each of MaxConcurrency without items",
)
def evaluate_inline_map(original: Any, component: Any, env: Any) -> None:
    """Run an inline Map with at most 40 workers, and no more than it has items."""
    given = env.stack[-1]
    given.max_concurrency = worker_count(given.max_concurrency, len(given.input_items))
    original(component, env)


@patch(
    f"{_ITERATION}.iteration_worker.IterationWorker._eval_pool",
    why="recurses once an item, so that a worker with some hundred items overflows",
)
def evaluate_pool(_: Any, worker: Any, job: Any, worker_frame: Any) -> None:
    """Run items of an inline Map one after another, until none is left."""
    # A frame is closed before its job: the Map goes on when the last job is closed, and must find
    # the environment up to date then.
    while job is not None:
        frame = worker_frame.open_inner_frame()
        frame.progress = child_of(worker_frame.progress, job.job_index)
        if "output" in frame.progress:  # it has succeeded before a redrive
            job.job_output = copied(frame.progress["output"])
        else:
            worker._eval_job(env=frame, job=job)
        worker_frame.close_frame(frame)
        ended = isinstance(job.job_output, Exception) or worker.stopped()
        following = None if ended else worker._job_pool.next_job()
        if following is None:
            if not ended:
                last = frame.event_history_context.last_published_event_id
                worker_frame.event_history_context.source_event_id = last
            worker._env.close_frame(worker_frame)
        worker._job_pool.close_job(job)
        job = following
        if job is None:
            return
    worker._env.close_frame(worker_frame)
