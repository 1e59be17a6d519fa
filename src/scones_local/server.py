"""The embedded AWS's process: `python -m scones_local.server --home DIR --port N`."""

import argparse
import contextlib
import dataclasses
import datetime
import gc
import importlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from scones_core.errors import LocalAwsError
from scones_local.admin import PREFIX, ROUTES, Wsgi, route, with_routes
from scones_local.context import Context
from scones_local.environment import client_environment
from scones_local.lifetime import ServerRecord, locked, record_path, write_record
from scones_local.page.guarding import guarded
from scones_local.page.mends import with_page
from scones_local.persistence.mends import committing
from scones_local.persistence.saver import Saver
from scones_local.persistence.snapshots import STATE_FOLDER, Snapshots
from scones_local.registry import mends, require_moto
from scones_local.stores import STORES

HOST = "127.0.0.1"
HEALTH_PATH = f"{PREFIX}health"
MENDS_PATH = f"{PREFIX}mends"
# In order: a later module may rely on an earlier one's mends.
MODULES = (
    "scones_local.dispatch",
    "scones_local.iam.mends",
    "scones_local.gaps.mends",
    "scones_local.functions.mends",
    "scones_local.states.mends",
    "scones_local.sagemaker.mends",
    "scones_local.events.mends",
    "scones_local.processes",
    "scones_local.page.mends",
    "scones_local.persistence.mends",
)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit status, 1 after an error's one sentence."""
    parser = argparse.ArgumentParser(prog="python -m scones_local.server", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder that it works in")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--forget", action="store_true", help="neither load nor save any state")
    arguments = parser.parse_args(argv)
    try:
        with locked(arguments.home.resolve()):
            _run(arguments.home.resolve(), arguments.port, keep=not arguments.forget)
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(home: Path, port: int, *, keep: bool) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.closing(_bind(port)) as listener:
        port = listener.getsockname()[1]
        context = Context(home=home, endpoint_url=f"http://{HOST}:{port}")
        _prepare_environment(context, port)
        saver = Saver(Snapshots(home / STATE_FOLDER)) if keep else None
        if saver is not None:
            # Registered first, so that it is done last: what the others end is saved as ended.
            context.on_shutdown(saver.close)
        try:
            install(context)
            loaded = saver is not None and saver.load()
            _serve(context, listener, stop, saver, restored=loaded)
        finally:
            record_path(home).unlink(missing_ok=True)
            context.shutdown()


def _bind(port: int) -> socket.socket:
    """Return a bound socket that does not listen yet, so that a taken port is told at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise LocalAwsError(
            f"The embedded AWS cannot take port {port} of {HOST} ({error}); "
            "stop what uses it, or give another port."
        ) from error
    return listener


def _prepare_environment(context: Context, port: int) -> None:
    """Set what moto reads when it is imported, and keep its clients on this server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        os.environ.pop(name, None)
    os.environ.update(client_environment(context.endpoint_url, context.region))
    os.environ.update(MOTO_PORT=str(port), MOTO_ACCOUNT_ID=context.account_id)


def install(context: Context) -> None:
    """Mend moto with every module's `install(context)`; raises LocalAwsError if one cannot."""
    require_moto()
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["iam"]["load_aws_managed_policies"] = True
    gc.disable()
    try:
        for name in MODULES:
            importlib.import_module(name).install(context)
    finally:
        # What is made here stays for good, so no collection ever need look at it.
        gc.freeze()
        gc.enable()


def _serve(
    context: Context,
    listener: socket.socket,
    stop: threading.Event,
    saver: Saver | None,
    *,
    restored: bool,
) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    from scones_local.services import service_application
    from scones_local.web import WebServer

    create: Any = service_application  # moto's own is a Flask application
    application: Wsgi = DomainDispatcherApplication(create)
    if saver is not None:
        application = committing(application, saver)
    for front in context.fronts:
        application = front(application)
    application = guarded(with_page(with_routes(application, ROUTES)))
    server = WebServer(listener, application)
    server.start()
    port = listener.getsockname()[1]
    if saver is not None:
        saver.start()
    if restored:
        STORES.restored()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_record(context.home, ServerRecord(os.getpid(), port, context.endpoint_url, now))
    stop.wait()
    server.stop()


@route("GET", HEALTH_PATH)
def read_health(query: dict[str, Any]) -> str:
    """Return "ok": the server answers once everything is installed."""
    del query
    return "ok"


@route("GET", MENDS_PATH)
def read_mends(query: dict[str, Any]) -> list[dict[str, str]]:
    """Return what was mended in moto: objects with `symbol`, `fault` and `moto_version`."""
    del query
    return [dataclasses.asdict(mend) for mend in mends()]


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # By now nothing is left to do or to keep. The threads of executions and requests would
    # otherwise hold up the interpreter's end for seconds.
    os._exit(status)
