"""When something has changed: the hooks into moto, and the answer that waits for its save."""

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local_aws.core.context import Context
from local_aws.core.patching import wrap
from local_aws.server.admin_api import PREFIX
from local_aws.state import s3_shards, saved_executions
from local_aws.state.restored_executions import CAUSE, INTERRUPTED, end_interrupted
from local_aws.state.saver import Saver
from local_aws.state.stores import STORES, changed, on_restored, outcome

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_FAULT = "keeps everything in memory only"
# Actions that change nothing.
_READS = (
    *("Get", "List", "Describe", "Head", "BatchGet", "Search", "Lookup", "Query", "Scan"),
    *("Validate", "Simulate", "Test", "Filter", "Encrypt", "Decrypt", "Generate", "Verify"),
)
# Actions after which the log itself, which is else saved now and then, is what somebody relies on.
_LOGS = ("CreateLogStream", "DeleteLogStream")
# Reads that may tell of an end. The most frequent one says itself whether it does.
_TELLING = ("Describe", "List", "GetExecutionHistory")
_TELLS_ITSELF = "DescribeExecution"
# Actions that run something; what they leave behind is saved soon, and nobody waits for it.
_RUNS = ("Invoke", "PutLogEvents", "PutMetricData", "AssumeRole", "StartSyncExecution")
_current = threading.local()


def install(context: Context) -> None:
    """Have changes told, whether a request makes them or something that runs."""
    _remember_action()
    _tell_changes()
    s3_shards.install()
    saved_executions.install()
    on_restored(_end_interrupted_executions)
    # Registered last, so that it is done first: what fails as the others stop is no failure.
    context.on_shutdown(_stop_executions)


def is_change(method: str, action: str) -> bool:
    """Return whether a request of that HTTP method and AWS action is to be saved at once."""
    if action:
        return not action.startswith((*_READS, *_RUNS))
    return method not in ("GET", "HEAD", "OPTIONS")


def committing(application: Wsgi, saver: Saver) -> Wsgi:
    """Return the application; a change is saved before it is acknowledged."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        _current.action = ""
        body = application(environ, start_response)
        own = environ.get("PATH_INFO", "").startswith(PREFIX)
        shows, action = STORES.take_shown(), _current.action
        if not own and is_change(environ["REQUEST_METHOD"], action):
            saver.commit(whole=action in _LOGS)
        elif shows or (action.startswith(_TELLING) and action != _TELLS_ITSELF):
            saver.settle()
        return body

    return answer


def _remember_action() -> None:
    from moto.core.responses import BaseResponse

    @wrap(BaseResponse, "call_action", fault=_FAULT)
    def call_action(original: Any, response: Any) -> Any:
        _current.action = str(response._get_action() or "")
        return original(response)


def _tell_changes() -> None:
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.logs.models import LogsBackend
    from moto.s3.models import S3Backend
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    for owner, name in (
        (CloudWatchBackend, "put_metric_data"),
        (LogsBackend, "put_log_events"),
        (S3Backend, "put_object"),
    ):

        @wrap(owner, name, fault=_FAULT)
        def tell(original: Any, *args: Any, **more: Any) -> Any:
            answer = original(*args, **more)
            changed()
            return answer

    @wrap(BaseExecutionWorkerCommunication, "terminated", fault=_FAULT)
    def tell_end(original: Any, communication: Any) -> None:
        with outcome():
            original(communication)


def _running() -> Iterator[Any]:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    backends: list[Any] = [b for _, _, b in stepfunctions_parser_backends.iter_backends()]
    for backend in backends:
        for machine in list(backend.state_machines):
            yield from (e for e in list(machine.executions) if e.stop_date is None)


def _end_interrupted_executions() -> None:
    for execution in _running():
        end_interrupted(execution, CAUSE)


def _stop_executions() -> None:
    now = datetime.datetime.now(datetime.UTC)
    for execution in _running():
        env = execution.exec_worker.env if execution.exec_worker else None
        if env is not None:
            env.set_stop(stop_date=now, cause=CAUSE, error=INTERRUPTED)
