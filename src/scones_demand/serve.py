"""The demand serving container's program: `python -m scones_demand.serve`.

GET /ping answers 200. POST /invocations takes a CSV file of hours, with a header, and answers the
forecast of each: `text/csv` (`datetime,count,low,high`), or Parquet where `Accept` asks for
`application/vnd.apache.parquet`. Errors are JSON, `{"error": "<one sentence>"}`: 400 for hours that
cannot be used, 411 and 413 for a body without a length or with too many bytes, 415 for another
content type. A batch transform sends a file whole: hours before others are part of their features.
"""

import io
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from scones_core.container_folders import Container
from scones_core.errors import SconesError
from scones_demand.forecast_files import to_csv, to_parquet
from scones_demand.hours import parse_hours
from scones_demand.model import DemandModel

# The largest payload of a batch transform, MaxPayloadInMB.
MAX_BODY_BYTES = 100 * 1024 * 1024
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
BODY_SECONDS = 60.0


class Handler(BaseHTTPRequestHandler):
    """Answers requests with the server's model."""

    protocol_version = "HTTP/1.1"
    timeout = BODY_SECONDS
    server: "DemandServer"

    def do_GET(self) -> None:
        """Say that the model is loaded."""
        if self.path == "/ping":
            self._answer(200, "application/json", b'{"status": "healthy"}')
        else:
            self._refuse(404, "There are /ping and /invocations.")

    def do_POST(self) -> None:
        """Answer the forecast of the hours in the body."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/invocations":
            self._refuse(404, "There are /ping and /invocations.")
        elif not (length.isascii() and length.isdecimal()):
            self._refuse(411, "The request needs a Content-Length.")
        elif len(length) > 12 or int(length) > MAX_BODY_BYTES:
            self._refuse(413, f"The body is longer than {MAX_BODY_BYTES} bytes.")
        elif (self.headers.get("Content-Type") or CSV).partition(";")[0].strip() != CSV:
            self._refuse(415, f"The content type is {CSV}.")
        else:
            self._forecast(self.rfile.read(int(length)))

    def _forecast(self, body: bytes) -> None:
        try:
            text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline="")
            hours = parse_hours(text, "The request", known=False)
            self.server.model.require_new(hours)
            found = self.server.model.forecast(hours)
        except UnicodeDecodeError:
            self._refuse(400, "The request is not UTF-8 text.", read=True)
        except SconesError as error:
            self._refuse(400, str(error), read=True)
        else:
            if self.headers.get("Accept", "").partition(";")[0].strip() == PARQUET:
                self._answer(200, PARQUET, to_parquet(hours, found))
            else:
                self._answer(200, CSV, to_csv(hours, found).encode())

    def _refuse(self, status: int, sentence: str, *, read: bool = False) -> None:
        # The rest of a request that was not read would be taken for the next one.
        self.close_connection = self.close_connection or not (read or self.command == "GET")
        self._answer(status, "application/json", json.dumps({"error": sentence}).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: each request would be a line of the job's log."""


class DemandServer(ThreadingHTTPServer):
    """An HTTP server with its model; a request is answered on a thread of its own."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], model: DemandModel) -> None:
        self.model = model
        super().__init__(address, Handler)


def main() -> int:
    """Serve the model folder that the environment names until it is stopped; return 0 or 1."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    host = os.environ.get("SCONES_BIND_HOST") or "0.0.0.0"  # noqa: S104 (the container's contract)
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    try:
        model = DemandModel.read(Container.of(os.environ).model_dir)
        server = DemandServer((host, int(port)), model)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, OverflowError, ValueError) as error:
        sys.stderr.write(
            f"Port {port[:20]} of {host} cannot be listened on ({error}); set "
            "SAGEMAKER_BIND_TO_PORT.\n"
        )
        return 1
    with server:
        server.serve_forever()
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
