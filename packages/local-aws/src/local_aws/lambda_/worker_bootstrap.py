"""The program of a Lambda worker: it sees the function, the Lambda runtime and nothing else.

It is run as `python -I -S worker_bootstrap.py <task> <runtime> <handler> [--pure]
[--layers=<folder>]`, so neither the project nor its environment is importable from a function.
awslambdaric has its Runtime API client as a C++ extension, with wheels for Linux alone and one
for each Python.
Where it does not load, or with `--pure`, the client below, which asks the same four things over
`http.client`, takes its place.
"""

import http.client
import os
import sys
import types

_PATH = "/2018-06-01/runtime/invocation"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"


class PureRuntimeClient:
    """What awslambdaric calls on the module `runtime_client`, over one kept connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def initialize_client(self, user_agent: str) -> None:
        """Keep nothing: the listener does not ask who its client is."""

    def next(self) -> tuple[bytes, dict[str, str | int]]:
        """Return the next event's bytes and headers; blocks until there is one."""
        status, body, headers = self._ask("GET", f"{_PATH}/next", None, {})
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"Failed to get next: {status}")
        deadline = int(headers[_DEADLINE])  # the one header that awslambdaric takes as a number
        return body, {**headers, _DEADLINE: deadline}

    def post_invocation_result(
        self, invoke_id: str, content: bytes, content_type: str, *_: object
    ) -> None:
        """Send what the handler returned."""
        self._ask("POST", f"{_PATH}/{invoke_id}/response", content, {"Content-Type": content_type})

    def post_error(self, invoke_id: str, content: str, xray_fault: str, *_: object) -> None:
        """Send what the handler raised."""
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Function-XRay-Error-Cause": xray_fault,
        }
        self._ask("POST", f"{_PATH}/{invoke_id}/error", content.encode(), headers)

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())


def use_pure_client(address: str) -> None:
    """Put the pure client where awslambdaric imports its own."""
    client = PureRuntimeClient(address)
    module = types.ModuleType("runtime_client")
    for name in ("initialize_client", "next", "post_invocation_result", "post_error"):
        setattr(module, name, getattr(client, name))
    sys.modules["runtime_client"] = module


def layer_paths(folder: str) -> list[str]:
    """Return where Python looks in `/opt`, which `folder` stands for."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [f"{folder}/python/lib/{version}/site-packages", f"{folder}/python"]


def main(task: str, runtime: str, handler: str, *flags: str) -> None:
    """Serve invocations of `handler` until the Runtime API goes away."""
    extra = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    layers = [flag.removeprefix("--layers=") for flag in flags if flag.startswith("--layers=")]
    opt = [part for folder in layers for part in layer_paths(folder)]
    sys.path[:] = [task, *opt, *extra, *sys.path, runtime]
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    try:
        if "--pure" in flags:
            raise ImportError
        __import__("runtime_client")
    except ImportError:
        use_pure_client(address)
    from awslambdaric.__main__ import main as serve

    serve([sys.argv[0], handler])


if __name__ == "__main__":
    main(*sys.argv[1:])
