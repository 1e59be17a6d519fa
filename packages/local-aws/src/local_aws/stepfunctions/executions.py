"""One execution's life: how it starts, ends in time, is stopped, and how many are remembered."""

import datetime
import logging
import random
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.exceptions import InvalidArn, ValidationException
from moto.stepfunctions.parser.api import (
    ExecutionLimitExceeded,
    ExecutionStatus,
    HistoryEventType,
    InvalidExecutionInput,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.eval import program_state
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import Execution

from local_aws.core import request_chains
from local_aws.core.patching import add, patch, set_value
from local_aws.stepfunctions import status_events
from local_aws.stepfunctions.history import MAX_DATA_BYTES, has_too_much_data
from local_aws.stepfunctions.history import size_of as history_size
from local_aws.stepfunctions.interpreter import in_background
from local_aws.stepfunctions.json_data import MAX_STATE_BYTES, compact, strict_json
from local_aws.stepfunctions.progress import enter_flow, enter_state, leave_flow

# "Express Workflows have a maximum duration of five minutes"
# https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
EXPRESS_SECONDS = 300
# How many finished executions are remembered for each state machine, and for the children of each
# Map Run. AWS forgets them after 90 days.
MAX_EXECUTIONS = 2_000
MAX_EVENTS = 100_000
_READY_SECONDS = 10.0
_STARTING = threading.Lock()
_log = logging.getLogger(__name__)
_EXECUTION_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:(?:execution|express):.+:.+")
_BACKEND = "moto.stepfunctions.parser.backend"
_ENVIRONMENT = "moto.stepfunctions.parser.asl.eval.environment.Environment"
_PROGRAM = "moto.stepfunctions.parser.asl.component.program.program.Program"


@patch(
    "moto.stepfunctions.parser.models.StepFunctionsParserBackend.start_execution",
    why="names an execution None, knows neither alias nor Express, copies the whole state machine",
)
def start_execution(
    _: Any,
    backend: Any,
    state_machine_arn: str,
    name: str | None = None,
    execution_input: str | None = None,
    trace_header: str | None = None,
) -> Any:
    """Return an execution that has started; the same one for a name that runs with this input."""
    check_input(execution_input)
    if name:
        backend._validate_name(name)
    given = request_data(execution_input, trace_header)
    # Of two requests at once with one name, the second finds what the first has started.
    with _STARTING:
        base = backend.describe_state_machine(split(state_machine_arn)[0])
        if name and base.type != "EXPRESS":
            existing = base._handle_name_input_idempotency(name, execution_input)
            if existing is not None:
                return existing
        execution = _noted(backend, base, state_machine_arn, name or str(uuid.uuid4()), given)
    execution.exec_worker.start()
    return execution


def _noted(backend: Any, base: Any, arn: str, name: str, given: dict[str, Any]) -> Any:
    """Return a new execution that can be asked about, and is to be begun."""
    execution = new_execution(Execution, backend, arn, name, given)
    target = execution.state_machine.arn
    qualified = split(arn)[1]
    execution.version_arn = target if qualified else None
    execution.alias_arn = arn if qualified and target != arn else None
    execution.exec_worker = execution._get_start_execution_worker()
    execution.exec_status = ExecutionStatus.RUNNING
    if base.type != "EXPRESS":  # nothing can be asked about an Express execution later
        base.executions.append(execution)
        forget(base.executions)
    return execution


def new_execution(
    kind: Callable[..., Any], backend: Any, arn: str, name: str, given: dict[str, Any]
) -> Any:
    """Return an execution of moto's class `kind` that is not started.

    `arn` names a machine, a version or an alias; `given` is from `request_data`. Raises
    ExecutionLimitExceeded for one of a loop.
    """
    base_arn, qualified = split(arn)
    chain = _chain(base_arn)
    machine = backend.describe_state_machine(_version_of(backend, arn) if qualified else arn)
    prefix = f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}"
    express = machine.type == "EXPRESS"
    middle = f"{'express' if express else 'execution'}:{machine.name}:{name}"
    execution = kind(
        name=name,
        sm_type=machine.type,
        role_arn=machine.roleArn,
        exec_arn=f"{prefix}:{middle}:{uuid.uuid4()}" if express else f"{prefix}:{middle}",
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=_Snapshot(machine),
        start_date=datetime.datetime.now(datetime.UTC),
        cloud_watch_logging_session=None,
        activity_store={},
        **given,
    )
    execution.state_machine_arn = base_arn
    execution.chain = chain
    return execution


def _chain(state_machine_arn: str) -> str:
    try:
        return request_chains.started(request_chains.current(), state_machine_arn)
    except request_chains.LoopFound as error:
        sentence = (
            f"{state_machine_arn} starts itself again, directly or through other services, over "
            f"{request_chains.MAX_REPEATS} times and more than once a second: no further execution "
            "of this loop is started. End the loop, or have it wait."
        )
        _log.error("%s", sentence)
        raise ExecutionLimitExceeded(sentence) from error


def request_data(text: str | None, trace_header: str | None) -> dict[str, Any]:
    """Return a request's input and trace header as `new_execution` takes them."""
    return {"input_data": "{}" if text is None else text, "trace_header": trace_header}


class _Snapshot:
    """What an execution goes by, whatever becomes of its state machine while it runs."""

    def __init__(self, machine: Any) -> None:
        self.arn, self.name, self.definition = machine.arn, machine.name, machine.definition
        self.type = self.sm_type = machine.type
        self.roleArn, self.loggingConfiguration = machine.roleArn, machine.loggingConfiguration


def split(arn: str) -> tuple[str, bool]:
    """Return the state machine's own ARN, and whether `arn` names a version or an alias of it."""
    parts = arn.split(":")
    return ":".join(parts[:7]), len(parts) > 7


def _version_of(backend: Any, arn: str) -> str:
    """Return the version that an ARN stands for; an alias draws one by its weights."""
    if arn.rsplit(":", 1)[1].isnumeric():
        return arn
    routes = backend.describe_state_machine_alias(arn).routing_configuration
    weights = [route["weight"] for route in routes]
    drawn: str = random.choices(routes, weights)[0]["stateMachineVersionArn"]  # noqa: S311
    return drawn


def check_input(text: str | None) -> None:
    """Refuse an input of more than 262,144 bytes, and one that is not valid JSON."""
    if text is None:
        return
    if len(text.encode("utf-8", "surrogatepass")) > MAX_STATE_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_STATE_BYTES}"
        )
    try:
        strict_json(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error


def excess(sizes: list[int | None]) -> set[int]:
    """Return the positions to forget, of executions in the order of their starts.

    A size is that of a finished execution's history, None for one that runs: it stays. The oldest
    go first, until both limits hold.
    """
    finished = [(place, size) for place, size in enumerate(sizes) if size is not None]
    count, events = len(finished), sum(size for _, size in finished)
    gone: set[int] = set()
    for place, size in finished:
        if count <= MAX_EXECUTIONS and events <= MAX_EVENTS:
            break
        gone.add(place)
        count, events = count - 1, events - size
    return gone


def size_of(execution: Any) -> int | None:
    """Return the size of the history of moto's execution; None while it runs."""
    if execution.stop_date is None:
        return None
    # One of an earlier version has its number of events only.
    return int(getattr(execution, "history_size", getattr(execution, "event_count", 0)))


def forget(executions: list[Any], size: Callable[[Any], int | None] = size_of) -> None:
    """Take the finished executions that are too many out of the list, in place."""
    if len(executions) <= MAX_EXECUTIONS and len(executions) % 20:
        return  # the events are counted now and then only
    gone = excess([size(execution) for execution in executions])
    if gone:
        executions[:] = [kept for place, kept in enumerate(executions) if place not in gone]


@patch(f"{_PROGRAM}.eval", why="goes on with the task at hand when it is stopped or out of time")
def evaluate_program(_: Any, program: Any, env: Any) -> None:
    """Run a definition, or a flow within one, to its end."""
    if not enter_flow(env, program.start_at.start_at_name):
        return
    if env.is_frame():
        EvalComponent.eval(program, env)
        if isinstance(env._program_state, program_state.ProgramEnded):
            leave_flow(env)
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


def _run_states(program: Any, env: Any) -> None:
    try:
        while env.is_running():
            name = env.next_state_name
            enter_state(env, name)
            program._get_state(name).eval(env)
            env.stack.clear()
            env.heap.clear()
    except FailureEventException as error:
        env.set_error(error=error.get_execution_failed_event_details())
    except Exception as error:  # the interpreter's own fault is the execution's end as well
        cause = f"{type(error).__name__}({error})"
        env.set_error({"error": "States.Runtime", "cause": cause})


set_value(
    f"{_PROGRAM}._eval_body", _run_states, why="has no end where the interpreter itself fails"
)


def _limit(program: Any, env: Any) -> float | None:
    own = program.timeout_seconds.timeout_seconds if program.timeout_seconds else None
    if env.is_standard_workflow():
        return own
    return min(own or EXPRESS_SECONDS, EXPRESS_SECONDS)


def _fail_for_history(env: Any) -> None:
    cause = "The execution reached the maximum number of history events (25000)."
    if has_too_much_data(env.event_manager):
        cause = (
            f"The embedded AWS keeps at most {MAX_DATA_BYTES:,} bytes of an execution's inputs "
            "and outputs."
        )
    env.set_error({"error": "States.Runtime", "cause": cause})


def _finish(env: Any) -> None:
    """Write the last event, and take no more: a task may still be under way."""
    state = env.program_state()
    if isinstance(state, program_state.ProgramStopped):
        env.event_history_context.source_event_id = 0
    kind, details = _last_event(env, state)
    env.event_manager.close(
        context=env.event_history_context,
        event_type=HistoryEventType(kind),
        event_details={f"{kind[0].lower()}{kind[1:]}EventDetails": details},
    )


def _last_event(env: Any, state: Any) -> tuple[str, dict[str, Any]]:
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


add(f"{_ENVIRONMENT}.ended", why="does not say when an execution has come to its end")(None)


@patch(f"{_ENVIRONMENT}.set_error", why="takes the failure of what runs on for the outcome")
def set_error(original: Any, env: Any, error: Any) -> None:
    """Fail an execution that still runs."""
    if env.is_frame() or isinstance(env._program_state, program_state.ProgramRunning):
        original(env, error)
        if env.ended is not None:
            env.ended.set()


@patch(f"{_ENVIRONMENT}.set_stop", why="does not wake what waits for the execution's end")
def set_stop(original: Any, env: Any, *args: Any, **more: Any) -> None:
    """Abort an execution that still runs."""
    original(env, *args, **more)
    if env.ended is not None:
        env.ended.set()


_READY_WHY = "answers 500 for the Map Runs or history of an execution whose thread has not begun"


@patch(f"{_BACKEND}.execution_worker.ExecutionWorker.__init__", why=_READY_WHY)
def make_worker(original: Any, worker: Any, *args: Any, **given: Any) -> None:
    """Make a worker with its environment, so that it can be asked about at once."""
    original(worker, *args, **given)
    worker.env = worker._get_evaluation_environment()


@patch(f"{_BACKEND}.execution_worker.ExecutionWorker._get_evaluation_environment", why=_READY_WHY)
def evaluation_environment(original: Any, worker: Any) -> Any:
    """Return the one environment of a worker."""
    return original(worker) if worker.env is None else worker.env


@patch(
    f"{_BACKEND}.execution.BaseExecutionWorkerCommunication._reflect_execution_status",
    why="shows the new status before the output, so a reader may see SUCCEEDED without one",
)
def reflect_status(original: Any, communication: Any) -> None:
    """Set an execution's outcome, its status last, and publish it."""
    execution = communication.execution
    env = execution.exec_worker.env
    state = env.program_state()
    if isinstance(state, program_state.ProgramEnded):
        execution.output = env.states.get_input()
    elif isinstance(state, program_state.ProgramError):
        execution.error = (state.error or {}).get("error")
        execution.cause = (state.error or {}).get("cause")
    elif isinstance(state, program_state.ProgramStopped):
        execution.error, execution.cause = state.error, state.cause
    execution.event_count = len(env.event_manager._history_event_list)
    execution.history_size = history_size(env.event_manager)
    original(communication)
    status_events.ended(execution)


@patch(
    f"{_BACKEND}.execution_worker.ExecutionWorker._execution_logic",
    why="leaves an execution RUNNING when the interpreter breaks",
)
def execution_logic(original: Any, worker: Any) -> None:
    """Run an execution from its start to its end."""
    execution = worker._execution_communication.execution
    # The children of a Map Run belong to the chain of its execution, which their thread follows.
    with request_chains.following(getattr(execution, "chain", "") or request_chains.current()):
        status_events.started(execution)
        run_worker(execution, lambda: original(worker))


def run_worker(execution: Any, logic: Callable[[], None]) -> None:
    """Run an execution's logic; whatever it raises, the execution has ended afterwards."""
    try:
        logic()
    except Exception as error:  # whatever it is, the execution must not run for ever
        execution.error = "States.Runtime"
        execution.cause = f"{type(error).__name__}: {error}"
        execution.stop_date = datetime.datetime.now(datetime.UTC)
        execution.exec_status = ExecutionStatus.FAILED


@patch(
    f"{_BACKEND}.execution.Execution.stop",
    why="cannot stop an execution that has just been started, and has no stop date",
)
def stop(original: Any, execution: Any, stop_date: Any, error: Any, cause: Any) -> None:
    """Abort an execution, once it runs; nothing changes when it has ended."""
    pause = threading.Event()
    for _ in range(int(_READY_SECONDS / 0.01)):
        if execution.stop_date is not None or execution.exec_worker.env.is_running():
            break
        pause.wait(0.01)
    original(execution, stop_date, error, cause)
    execution.stop_date = execution.stop_date or stop_date


@patch(
    "moto.stepfunctions.models.StepFunctionBackend.describe_execution",
    why="looks through all executions for one of the last, which are asked about most",
)
def find_execution(original: Any, backend: Any, execution_arn: str) -> Any:
    """Return an execution by its ARN; raises InvalidArn where it is none."""
    if not _EXECUTION_ARN.match(execution_arn or ""):
        raise InvalidArn(f"Invalid Execution Arn: '{execution_arn}'")
    machine = _state_machine_name(execution_arn)
    for found in backend.state_machines:
        if found.name == machine:
            for execution in reversed(found.executions):
                if execution.execution_arn == execution_arn:
                    return execution
    return original(backend, execution_arn)


def _state_machine_name(execution_arn: str) -> str:
    parts = execution_arn.split(":")
    return parts[6] if len(parts) > 7 else ""


def output_text(execution: Any) -> str:
    """Return a finished execution's output as compact JSON."""
    return compact(execution.output)


@patch(
    f"{_BACKEND}.execution.Execution.get_start_execution_details",
    why="has a start time in the context object that is not JSON",
)
def start_execution_details(original: Any, execution: Any) -> Any:
    """Return what the context object has of an execution; its start time is a string."""
    details = original(execution)
    at = execution.start_date.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    details.start_time = at.replace("+00:00", "Z")
    return details
