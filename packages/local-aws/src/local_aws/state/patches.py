"""When something has changed: the hooks into moto."""

import datetime
from collections.abc import Iterator
from typing import Any

from local_aws.core.context import Context
from local_aws.core.patching import patch
from local_aws.core.stores import changed, durable_transition, on_restored
from local_aws.state.executions import CAUSE, INTERRUPTED, end_interrupted

_WHY = "keeps everything in memory only"


def install(context: Context) -> None:
    """Have executions that were interrupted end, and those that run end with the server."""
    on_restored(_end_interrupted_executions)
    # Registered last, so that it is done first: what fails as the others stop is no failure.
    context.on_shutdown(_stop_executions)


def _then_changed(original: Any, *args: Any, **more: Any) -> Any:
    answer = original(*args, **more)
    changed()
    return answer


for _target in (
    "moto.cloudwatch.models.CloudWatchBackend.put_metric_data",
    "moto.logs.models.LogsBackend.put_log_events",
    "moto.s3.models.S3Backend.put_object",
):
    patch(_target, why=_WHY)(_then_changed)


@patch(
    "moto.stepfunctions.parser.backend.execution.BaseExecutionWorkerCommunication.terminated",
    why=_WHY,
)
def terminated(original: Any, communication: Any) -> None:
    """Have the execution's end saved before an answer shows it."""
    with durable_transition():
        original(communication)


def _running() -> Iterator[Any]:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    backends: list[Any] = [b for _, _, b in stepfunctions_parser_backends.iter_backends()]
    for backend in backends:
        for machine in list(backend.state_machines):
            for execution in list(machine.executions):
                if execution.stop_date is None:
                    yield from _children(execution)
                    yield execution


def _children(execution: Any) -> Iterator[Any]:
    """Yield the child executions of an execution's Map Runs that run."""
    env = execution.exec_worker.env if execution.exec_worker else None
    for record in env.map_run_record_pool_manager.get_all() if env is not None else ():
        children = list(getattr(record, "executions", {}).values())
        yield from (child for child in children if child.stop_date is None)


def _end_interrupted_executions() -> None:
    for execution in _running():
        end_interrupted(execution, CAUSE)


def _stop_executions() -> None:
    now = datetime.datetime.now(datetime.UTC)
    for execution in _running():
        env = execution.exec_worker.env if execution.exec_worker else None
        if env is not None:
            env.set_stop(stop_date=now, cause=CAUSE, error=INTERRUPTED)
