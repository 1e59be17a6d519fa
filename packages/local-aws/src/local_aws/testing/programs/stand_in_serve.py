"""A stand-in for a customer's serving program; the request's body says how it is to behave.

STATUS and SECONDS in its environment make each other answer a fault, or slow.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = Path(os.environ["SM_MODEL_DIR"])
STATUS = int(os.environ.get("STATUS", "200"))
SECONDS = float(os.environ.get("SECONDS", "0"))
ANSWER = (MODEL / "answer.txt").read_bytes() if (MODEL / "answer.txt").exists() else b"[0.9, 0.1]"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if (MODEL / "hang").exists():
            time.sleep(600)
        status = 500 if "NO_PING" in os.environ or (MODEL / "ill").exists() else 200
        self.answer(status, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            os._exit(3)
        if body.startswith(b"status "):
            self.answer(int(body.split()[1]), b"refused by the model")
        elif body.startswith(b"sleep "):
            time.sleep(float(body.split()[1]))
            self.answer(200, ANSWER)
        elif body.startswith(b"bytes "):
            self.answer(200, b"x" * int(body.split()[1]))
        elif body == b"endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65_536)
        elif body.startswith(b"drip "):
            self.drip(float(body.split()[1]))
        elif body == b"echo":
            self.answer(200, json.dumps(dict(self.headers)).encode())
        elif body == b"pid":
            self.answer(200, str(os.getpid()).encode())
        elif body == b"environment":
            self.answer(200, json.dumps(dict(os.environ)).encode())
        else:
            time.sleep(SECONDS)
            self.answer(STATUS, ANSWER)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if attributes := self.headers.get("X-Amzn-SageMaker-Custom-Attributes"):
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", attributes)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, seconds: float) -> None:
        """Send one byte at a time, each sooner than a read would time out."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while True:
            self.wfile.write(b"x")
            time.sleep(seconds)

    def log_message(self, format: str, *args: object) -> None:
        pass


if "PORT_TAKEN_ONCE" in os.environ and not (MODEL / "tried").exists():
    (MODEL / "tried").touch()
    print("OSError: [Errno 98] Address already in use", flush=True)
    sys.exit(1)
if "FAIL" in os.environ:
    print("RuntimeError: the weights cannot be read", flush=True)
    sys.exit(1)
print("listening", flush=True)
port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])


class Server(ThreadingHTTPServer):
    # As many connections may wait to be taken as a real server lets wait.
    request_queue_size = 1024


Server(("127.0.0.1", port), Handler).serve_forever()
