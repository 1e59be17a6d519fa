"""The embedded AWS's process: `python -m local_aws.server.main --home DIR --port N`."""

import argparse
import contextlib
import dataclasses
import datetime
import faulthandler
import gc
import importlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from local_aws.client_environment import client_environment
from local_aws.core.admin_api import HEALTH_PATH, PATCHES_PATH, STATUS_PATH, Wsgi, route
from local_aws.core.context import HOST, Context
from local_aws.core.patching import apply_patches, patches, require_moto
from local_aws.core.stores import STORES
from local_aws.errors import LocalAwsError
from local_aws.server.environment import leave_environment
from local_aws.server.instance_lock import (
    ServerRecord,
    code_digest,
    locked,
    record_path,
    write_record,
)
from local_aws.state.saver import Saver
from local_aws.state.state_folder import STATE_FOLDER, Snapshots

FOLDER_SECONDS = 1.0
"""How often it is looked whether the folder is still there."""

# In order: a later module may rely on an earlier one's patches.
MODULES = (
    "local_aws.server.routing",
    "local_aws.iam.patches",
    "local_aws.budgets.patches",
    "local_aws.s3.patches",
    "local_aws.dynamodb.patches",
    "local_aws.ecr.patches",
    "local_aws.lambda_.patches",
    "local_aws.stepfunctions.patches",
    "local_aws.sagemaker.patches",
    "local_aws.server.background_work",
    "local_aws.server.process_usage",
    "local_aws.dashboard.page",
    "local_aws.state.patches",
    "local_aws.server.action_layers",
)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit status, 1 after an error's one sentence."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.server.main", description=__doc__)
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
    received: list[int] = []

    def end(number: int, _: Any) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
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
            if received:
                print(f"The embedded AWS ends by {signal.Signals(received[0]).name}.", flush=True)
            _remove_record(home)
            context.shutdown()


def _remove_record(home: Path) -> None:
    """Remove `server.json`; where the disk takes no change any more, the rest still ends in order.

    A record whose server does not run is passed over.
    """
    try:
        record_path(home).unlink(missing_ok=True)
    except OSError as error:
        print(f"{record_path(home)} stays: {error.strerror}.", file=sys.stderr)


def _bind(port: int) -> socket.socket:
    """Return a bound socket that does not listen yet, so that a taken port is reported at once."""
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
    os.environ.update(client_environment(context.endpoint_url, context.region))
    os.environ.update(MOTO_PORT=str(port), MOTO_ACCOUNT_ID=context.account_id)


def install(context: Context) -> None:
    """Patch moto with every module's `install(context)`; raises LocalAwsError if one cannot."""
    require_moto()
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["iam"]["load_aws_managed_policies"] = True
    gc.disable()
    try:
        for name in MODULES:
            module = importlib.import_module(name)
            apply_patches()
            module.install(context)
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

    from local_aws.server.http_server import WebServer
    from local_aws.server.middleware import layers, stack
    from local_aws.server.wsgi_services import service_application

    create: Any = service_application  # moto's own is a Flask application
    dispatcher: Wsgi = DomainDispatcherApplication(create)
    route("GET", STATUS_PATH)(lambda _: {"problems": saver.problems() if saver else []})
    server = WebServer(listener, stack(dispatcher, layers(context, saver)))
    server.start()
    port = listener.getsockname()[1]
    if saver is not None:
        saver.start()
    if restored:
        STORES.restored()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = ServerRecord(os.getpid(), port, context.endpoint_url, now, code_digest())
    write_record(context.home, record)
    if _is_deleted_before(stop, context.home) and saver is not None:
        saver.abandon()
    server.stop()


def _is_deleted_before(stop: threading.Event, home: Path) -> bool:
    """Wait for the order to stop, or for the folder to be deleted; return whether that came first.

    Nobody could find a server without its folder to stop it.
    """
    while not stop.wait(FOLDER_SECONDS):
        try:
            is_there = record_path(home).exists()
        except OSError:  # it cannot be read just now
            continue
        if not is_there:
            print(f"{home} was deleted, so the embedded AWS ends.", file=sys.stderr)
            return True
    return False


@route("GET", HEALTH_PATH)
def read_health(query: dict[str, Any]) -> str:
    """Return "ok": the server answers once everything is installed."""
    del query
    return "ok"


@route("GET", PATCHES_PATH)
def read_patches(query: dict[str, Any]) -> list[dict[str, str]]:
    """Return the patches of moto: objects with `symbol`, `why`, `upstream` and `moto_version`."""
    del query
    return [dataclasses.asdict(patch) for patch in patches()]


if __name__ == "__main__":
    # A crash of the interpreter itself would leave no word in the log.
    faulthandler.enable()
    leave_environment()
    status = main()
    sys.stderr.flush()
    # By now nothing is left to do or to keep. The threads of executions and requests would
    # otherwise hold up the interpreter's end for seconds.
    os._exit(status)
