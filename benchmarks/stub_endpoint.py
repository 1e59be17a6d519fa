"""A serving program that answers at once, as its request and a file of faults say.

The last byte of an image decides: of 16, twelve are a bicycle or a motorcycle with .95, four are
below any threshold. The file that FAULTS names may hold `{"status": 500, "share": 0.1}` or
`{"seconds": 30, "share": 0.01}`; it is read again when it changes.
"""

import json
import os
import random
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FAULTS = Path(os.environ.get("FAULTS", "/nonexistent"))
_read: dict[str, Any] = {"at": 0.0, "faults": {}}


def answer_of(body: bytes) -> list[float]:
    """Return the probabilities of an image's classes, by its last byte."""
    number = body[-1] % 16 if body else 0
    confidence = 0.55 if number >= 12 else 0.95
    return [confidence, 1 - confidence] if number % 2 else [1 - confidence, confidence]


def faults() -> dict[str, Any]:
    """Return the faults that are asked for now."""
    try:
        changed = FAULTS.stat().st_mtime
        if changed != _read["at"]:
            _read.update(at=changed, faults=json.loads(FAULTS.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    found: dict[str, Any] = _read["faults"]
    return found if random.random() < found.get("share", 0) else {}


class Handler(BaseHTTPRequestHandler):
    """Answers pings and invocations."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a ping."""
        self._answer(200, b"")

    def do_POST(self) -> None:
        """Answer an invocation."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = faults()
        time.sleep(found.get("seconds", 0))
        if "status" in found:
            self._answer(found["status"], b"This fault was asked for.")
        else:
            self._answer(200, json.dumps(answer_of(body)).encode())

    def _answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
        self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """Lets as many connections wait as a real server does."""

    request_queue_size = 1024
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
