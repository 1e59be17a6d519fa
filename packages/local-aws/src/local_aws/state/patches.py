"""When something has changed: the hooks into moto, and the answer that waits for its save."""

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from local_aws.core.admin_api import PREFIX
from local_aws.core.context import Context
from local_aws.core.patching import patch
from local_aws.core.refusals import refuse, signed_service
from local_aws.core.services import service_of
from local_aws.core.stores import STORES, changed, durable_transition, on_restored
from local_aws.state.executions import CAUSE, INTERRUPTED, end_interrupted
from local_aws.state.saver import NotSaved, Saver

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_WHY = "keeps everything in memory only"
# Actions that change nothing.
_READS = (
    *("Get", "List", "Describe", "Head", "BatchGet", "Search", "Lookup", "Query", "Scan"),
    *("Validate", "Simulate", "Test", "Filter", "Encrypt", "Decrypt", "Generate", "Verify"),
)
# Actions after which the log itself, which is else saved now and then, is what somebody relies on.
_LOGS = ("CreateLogStream", "DeleteLogStream")
# Reads that may show an end. The most frequent one says itself whether it does.
_SHOW_END = ("Describe", "List", "GetExecutionHistory")
_DESCRIBE = "DescribeExecution"
# Actions that run something; what they leave behind is saved soon, and nobody waits for it.
_RUNS = ("Invoke", "PutLogEvents", "PutMetricData", "AssumeRole", "StartSyncExecution")
_current = threading.local()


def install(context: Context) -> None:
    """Have executions that were interrupted end, and those that run end with the server."""
    on_restored(_end_interrupted_executions)
    # Registered last, so that it is done first: what fails as the others stop is no failure.
    context.on_shutdown(_stop_executions)


def is_change(method: str, action: str) -> bool:
    """Return whether a request of that HTTP method and AWS action is to be saved at once."""
    if action:
        return not action.startswith((*_READS, *_RUNS))
    return method not in ("GET", "HEAD", "OPTIONS")


def commit_changes(application: Wsgi, saver: Saver) -> Wsgi:
    """Return the application; a change is saved before it is acknowledged.

    While saving fails, changes are refused with 503, and so is an answer that shows the end of
    something which is not saved.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return application(environ, start_response)
        method = environ["REQUEST_METHOD"]
        _current.action, _current.service, _current.refusal = "", "s3", saver.failure
        if saver.failure and _is_s3(environ) and is_change(method, ""):
            return _unavailable(environ, start_response, saver.failure)
        head: list[Any] = []
        body = application(environ, lambda *given: head.extend(given))
        shows, action = STORES.take_wait(), _current.action
        try:
            if is_change(method, action):
                saver.commit(_current.service, whole=action in _LOGS)
            elif shows or (action.startswith(_SHOW_END) and action != _DESCRIBE):
                saver.settle()
        except NotSaved as error:
            return _unavailable(environ, start_response, str(error))
        start_response(*head)
        return body

    return answer


def _is_s3(environ: dict[str, Any]) -> bool:
    """Return whether a request is S3's, whose actions are known by their methods alone."""
    return signed_service(environ) in ("", "s3") and "HTTP_X_AMZ_TARGET" not in environ


def _unavailable(
    environ: dict[str, Any], start_response: Callable[..., Any], why: str
) -> Iterable[bytes]:
    code = "SlowDown" if _is_s3(environ) else "ServiceUnavailable"
    return refuse(environ, start_response, code, why, HTTPStatus.SERVICE_UNAVAILABLE)


def note_action(original: Any, response: Any) -> Any:
    """Remember the action; refuse a change that could not be saved."""
    _current.action = action = str(response._get_action() or "")
    _current.service = service_of(type(response).__module__)
    refusal = getattr(_current, "refusal", "")
    if not refusal or not is_change(response.method, action):
        return original(response)
    kind = type("NotSaved", (ServiceException,), {"__module__": __name__})
    _, headers, body = response.serialized(ActionResult(kind("ServiceUnavailable", refusal)))
    return 503, {**headers, "status": "503"}, body


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
