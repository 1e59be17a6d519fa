"""Faults that a test has a service answer with: throttling, unavailability, a slow answer.

    POST /_local_aws/faults {"service": "dynamodb", "operation": "PutItem", "times": 3,
                             "code": "ProvisionedThroughputExceededException"}

A fault meets the requests of a service, by the name that they are signed for, that name the
operation in their `X-Amz-Target`, or whose path is as `path` says (`/endpoints/*/invocations`).
It answers in place of the service, so nothing is changed; after `times` requests it is over.
"""

import fnmatch
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local_aws.core.admin_api import PREFIX, Wsgi, route
from local_aws.core.refusals import refuse, signed_service
from local_aws.errors import LocalAwsError

FAULTS_PATH = f"{PREFIX}faults"
MAX_DELAY_SECONDS = 120.0
_KINDS: dict[str, type | tuple[type, ...]] = {
    "service": str,
    "operation": str,
    "path": str,
    "code": str,
    "message": str,
    "status": int,
    "times": int,
    "share": (int, float),
    "delay_seconds": (int, float),
    "seed": int,
}


@dataclass(slots=True)
class Fault:
    """One fault: which requests it meets, how many more, and what it answers.

    Of the requests that it is about it meets a `share`, drawn from `seed`. Without a `code` it
    only delays them. `met` counts them.
    """

    service: str
    operation: str = ""
    path: str = ""
    code: str = ""
    message: str = "This fault was asked for."
    status: int = 400
    times: int = 1
    share: float = 1.0
    delay_seconds: float = 0.0
    seed: int = 0
    met: int = 0
    draw: random.Random = field(default_factory=random.Random)

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Fault":
        """Return the fault of a request; raises LocalAwsError for what it cannot be."""
        for name, value in given.items():
            kind = _KINDS.get(name)
            if kind is None or not isinstance(value, kind) or isinstance(value, bool):
                raise LocalAwsError(f"A fault takes {', '.join(_KINDS)}; not {name}={value!r}.")
        made = cls(**{"service": "", **given})
        if not made.service or not (made.operation or made.path):
            raise LocalAwsError("A fault needs a service, and an operation or a path.")
        if not made.code and not made.delay_seconds:
            raise LocalAwsError("A fault needs a code, or delay_seconds.")
        if not (400 <= made.status <= 599 and made.times > 0 and 0 < made.share <= 1):
            raise LocalAwsError("A fault has a status of 400 to 599, times > 0, 0 < share <= 1.")
        if not 0 <= made.delay_seconds <= MAX_DELAY_SECONDS:
            raise LocalAwsError(f"A fault delays by 0 to {MAX_DELAY_SECONDS:.0f} seconds.")
        made.draw.seed(made.seed)
        return made

    def meets(self, environ: dict[str, Any]) -> bool:
        """Return whether a request is one that the fault is about, and was drawn; count it."""
        if signed_service(environ) != self.service or self.times < 1:
            return False
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if self.operation and target != self.operation:
            return False
        if self.path and not fnmatch.fnmatchcase(environ.get("PATH_INFO", ""), self.path):
            return False
        if self.draw.random() >= self.share:
            return False
        self.times, self.met = self.times - 1, self.met + 1
        return True


_faults: list[Fault] = []
_lock = threading.Lock()


def answer_faults(application: Wsgi) -> Wsgi:
    """Return the application; the requests that a fault meets get its answer."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = _meeting(environ) if _faults else None
        if found is None:
            return application(environ, start_response)
        time.sleep(found.delay_seconds)
        if not found.code:
            return application(environ, start_response)
        status = HTTPStatus(found.status)
        return refuse(environ, start_response, found.code, found.message, status)

    return answer


def _meeting(environ: dict[str, Any]) -> Fault | None:
    with _lock:
        return next((fault for fault in _faults if fault.meets(environ)), None)


@route("GET", FAULTS_PATH)
def read_faults(query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was asked for, with how many requests each met and how many it will."""
    del query
    with _lock:
        return [_described(fault) for fault in _faults]


@route("POST", FAULTS_PATH)
def add_fault(body: dict[str, Any]) -> dict[str, Any]:
    """Add a fault, which a later one of the same requests does not replace."""
    fault = Fault.of(body)
    with _lock:
        _faults.append(fault)
    return _described(fault)


@route("DELETE", FAULTS_PATH)
def remove_faults(query: dict[str, Any]) -> list[dict[str, Any]]:
    """Remove all faults; return them."""
    del query
    with _lock:
        removed = [_described(fault) for fault in _faults]
        _faults.clear()
    return removed


def _described(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in (*_KINDS, "met")}
