"""A change is saved before it is acknowledged."""

import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from local_aws.core.admin_api import PREFIX
from local_aws.core.open_services import service_of
from local_aws.core.refusals import refuse, refuse_action, signed_service
from local_aws.core.stores import STORES
from local_aws.state.saver import NotSaved, Saver

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
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


def hold_acknowledgements(application: Wsgi, saver: Saver) -> Wsgi:
    """Return the application; an answer that says that work is accepted waits until it is saved.

    It is 503 where that fails: the work is begun, and is not there after a restart.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        head: list[Any] = []
        body = application(environ, lambda *given: head.extend(given))
        if STORES.take_wait():
            try:
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
    return refuse_action(response, "ServiceUnavailable", refusal, HTTPStatus.SERVICE_UNAVAILABLE)
