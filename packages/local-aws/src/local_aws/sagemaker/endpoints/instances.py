"""One instance of a variant: the serving program, watched, restarted, asked over loopback."""

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.container_processes import Container, LineSink

STOP_GRACE_SECONDS = 10.0
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A free port may be another's by the time that the program binds it.
PORT_ATTEMPTS = 3
# A running program is asked for `/ping` so often, and replaced when it failed so many in a row.
PING_SECONDS = 5.0
PING_TIMEOUT_SECONDS = 2.0
PING_FAILURES = 3
# A process that served this long starts again at the shortest wait.
STABLE_SECONDS = 60.0


HOST = "127.0.0.1"

INVOKE_SECONDS = 60.0


# 6 MB, and what AWS lets an answer's envelope add.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
MAX_ANSWER_BYTES = 6_291_556
_PIECE_BYTES = 262_144


class AnswerTooLarge(urllib3.exceptions.HTTPError):
    """A container's answer is larger than an endpoint's may be; it is not read to its end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the program answered to one invocation."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300


def post(
    pool: urllib3.HTTPConnectionPool,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Reply:
    """Return the answer to `POST /invocations`.

    Raises urllib3's HTTPError, ReadTimeoutError for one that is not whole after that time, and
    AnswerTooLarge.
    """
    deadline = time.monotonic() + seconds
    answer = pool.urlopen(
        "POST",
        "/invocations",
        body=body,
        headers=dict(headers),
        timeout=seconds,
        preload_content=False,
    )
    try:
        content = _read(answer, pool, deadline, max_bytes)
    except BaseException:
        # What is left of it must not be read as the next answer.
        answer.close()
        raise
    answer.release_conn()
    return Reply(answer.status, answer.headers, content)


def _read(
    answer: urllib3.BaseHTTPResponse,
    pool: urllib3.HTTPConnectionPool,
    deadline: float,
    max_bytes: int,
) -> bytes:
    content = bytearray()
    while piece := answer.read1(_PIECE_BYTES):
        content += piece
        if len(content) > max_bytes:
            raise AnswerTooLarge(
                f"The container's answer has more than the {max_bytes:,} bytes it may have."
            )
        left = deadline - time.monotonic()
        if left <= 0:
            raise urllib3.exceptions.ReadTimeoutError(pool, "/invocations", "Read timed out.")
        connection = getattr(answer, "connection", None)
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(left)
    return bytes(content)


def connections(port: int) -> urllib3.HTTPConnectionPool:
    """Return kept connections to the program; no retries, as a request may be half done."""
    return urllib3.HTTPConnectionPool(HOST, port, maxsize=32, block=False, retries=False)


def free_port() -> int:
    """Return a port that nobody has bound now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class VariantFailed(LocalAwsError):
    """A variant cannot be started; the message is the endpoint's FailureReason."""


class VariantUnavailable(LocalAwsError):
    """A variant's process is down and being started again."""


@dataclass(frozen=True, slots=True)
class ServeSpec:
    """A variant's program and everything that it is started with."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    startup_seconds: float = 60.0
    owner: str = ""
    ping_seconds: float = PING_SECONDS
    # Makes the folder anew where it is gone; raises LocalAwsError or OSError.
    prepare: Callable[[], None] = lambda: None


class Instance:
    """A serving program; `start` returns once it answers `/ping` with 200."""

    def __init__(self, spec: ServeSpec, children: Children, on_line: LineSink) -> None:
        self.spec = spec
        self._children, self._on_line = children, on_line
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._container: Container | None = None
        self._pool: urllib3.HTTPConnectionPool | None = None

    def start(self) -> None:
        """Start the program and wait for its `/ping`.

        Raises VariantFailed, with no process left, when there is none.
        """
        started = time.monotonic()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                container, pool = self._launch()
            except LocalAwsError as error:
                raise VariantFailed(str(error)) from error
            if self._await_ping(container, pool):
                break
            taken = not container.running and container.said("address already in use")
            container.stop(STOP_GRACE_SECONDS)
            if not taken or attempt == PORT_ATTEMPTS:
                raise VariantFailed(self._no_ping(container))
        self._pool = pool
        name = f"watch-{self.spec.name}"
        threading.Thread(
            target=self._watch, args=(container, started), name=name, daemon=True
        ).start()

    def invoke(
        self,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float = INVOKE_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """Return the program's answer to `POST /invocations`.

        Raises VariantUnavailable while the process is down, and urllib3's HTTPError when it
        breaks the connection or does not answer within the time.
        """
        pool = self._pool
        if pool is None:
            raise VariantUnavailable(f"The variant {self.spec.name} is not running.")
        try:
            try:
                return post(pool, body, headers, seconds, max_bytes)
            except urllib3.exceptions.ProtocolError:
                # A kept connection may have been closed while idle: once more, on a new one.
                if self._pool is not pool or not self._container or not self._container.running:
                    raise
                with contextlib.closing(connections(pool.port or 0)) as fresh:
                    return post(fresh, body, headers, seconds, max_bytes)
        except urllib3.exceptions.NewConnectionError as error:
            raise VariantUnavailable(f"The variant {self.spec.name} is not running.") from error

    def execution_parameters(self) -> dict[str, Any]:
        """Return what the program advises for batch transforms; empty where it says nothing.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
        """
        pool = self._pool
        if pool is None:
            return {}
        with contextlib.suppress(urllib3.exceptions.HTTPError, ValueError):
            answer = pool.request("GET", "/execution-parameters", timeout=2.0, retries=False)
            found = json.loads(answer.data) if answer.status == 200 else None
            return found if isinstance(found, dict) else {}
        return {}

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """End the program; requests that it still holds are lost."""
        self._stopping.set()
        with self._lock:
            container, pool, self._pool = self._container, self._pool, None
        if container is not None:
            container.stop(grace_seconds)
        if pool is not None:
            pool.close()

    def _launch(self) -> tuple[Container, urllib3.HTTPConnectionPool]:
        port = free_port()
        environment = {
            **self.spec.environment,
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}",
        }
        with self._lock:
            if self._stopping.is_set():
                raise VariantFailed(f"The variant {self.spec.name} was stopped while it started.")
            self._container = Container(
                self._children,
                self.spec.argv,
                folder=self.spec.folder,
                environment=environment,
                on_line=self._on_line,
                owner=self.spec.owner,
            )
            return self._container, connections(port)

    def _await_ping(self, container: Container, pool: urllib3.HTTPConnectionPool) -> bool:
        deadline = time.monotonic() + self.spec.startup_seconds
        while time.monotonic() < deadline and container.running and not self._stopping.is_set():
            if self._pings(pool):
                return True
            self._stopping.wait(0.02)
        return False

    def _no_ping(self, container: Container) -> str:
        message = container.last_line
        return (
            f"The primary container for production variant {self.spec.name} did not pass the "
            "ping health check. Please check CloudWatch logs for this endpoint."
            + (f" Its last line: {message}" if message else "")
        )[:1024]

    def _serve(self, container: Container) -> int:
        """Wait for the program's end, or end it once it does not answer `/ping` any more."""
        missed = 0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return container.wait(self.spec.ping_seconds)
            pool = self._pool
            if pool is None or self._pings(pool):
                missed = 0
                continue
            missed += 1
            if missed >= PING_FAILURES:
                self._on_line(
                    f"The serving program failed {missed} health checks in a row; it is replaced."
                )
                self._pool = None
                return container.stop(STOP_GRACE_SECONDS)

    def _pings(self, pool: urllib3.HTTPConnectionPool) -> bool:
        """Return whether the program answers `/ping` with 200; its body is not read."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            answer = pool.request(
                "GET",
                "/ping",
                timeout=PING_TIMEOUT_SECONDS,
                retries=False,
                preload_content=False,
            )
            # An empty body leaves the connection for the next request; no other one is read.
            if answer.headers.get("Content-Length") == "0":
                answer.read()
                answer.release_conn()
            else:
                answer.close()
            return answer.status == 200
        return False

    def _watch(self, container: Container, started: float) -> None:
        """Start the program again whenever it ends by itself, each time after a longer wait."""
        failures = 0
        while True:
            status = self._serve(container)
            self._pool = None
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > STABLE_SECONDS else failures
            launched, why = None, f"The serving program ended with status {status}"
            while launched is None:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                self._on_line(f"{why}; again in {wait} s.")
                if self._stopping.wait(wait):
                    return
                started = time.monotonic()
                try:
                    self.spec.prepare()
                    launched = self._launch()
                except (LocalAwsError, OSError) as error:  # of memory or a disk, it may pass
                    why = str(error).rstrip(".")
            container, pool = launched
            if self._await_ping(container, pool):
                self._pool = pool
            elif container.running:
                container.stop(STOP_GRACE_SECONDS)
