"""HTTP to a serving program on this machine, over connections that are kept."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import urllib3

HOST = "127.0.0.1"
INVOKE_SECONDS = 60.0


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
    pool: urllib3.HTTPConnectionPool, body: bytes, headers: Mapping[str, str], seconds: float
) -> Reply:
    """Return the answer to `POST /invocations`; raises urllib3's HTTPError."""
    answer = pool.urlopen("POST", "/invocations", body=body, headers=dict(headers), timeout=seconds)
    return Reply(answer.status, answer.headers, answer.data)


def connections(port: int) -> urllib3.HTTPConnectionPool:
    """Return kept connections to the program; no retries, as a request may be half done."""
    return urllib3.HTTPConnectionPool(HOST, port, maxsize=32, block=False, retries=False)


def free_port() -> int:
    """Return a port that nobody has bound now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
