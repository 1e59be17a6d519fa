"""The embedded AWS as its user holds it: start it, ask where it is, stop it."""

import contextlib
import datetime
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local_aws.client_environment import ADMINISTRATOR_KEY, client_environment
from local_aws.core.admin_api import (
    ACCESS_PATH,
    CLOCK_PATH,
    HEALTH_PATH,
    PATCHES_PATH,
    PROCESSES_PATH,
    STATUS_PATH,
)
from local_aws.core.context import HOST, REGION
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.image_programs import ImageCommands, write_images
from local_aws.server.environment import server_environment
from local_aws.server.instance_lock import (
    ServerRecord,
    code_digest,
    is_locked,
    locked,
    prepare_home,
    read_record,
)
from local_aws.state.state_folder import STATE_FOLDER, Snapshots

__all__ = ["ImageCommands", "LocalAws"]

START_SECONDS = 60.0
# A start reads and verifies all that is saved; a busy laptop does so at this rate.
_LOADED_BYTES_A_SECOND = 10_000_000
STOP_SECONDS = 20.0


class LocalAws:
    """A running embedded AWS. As a context manager it is stopped at the end."""

    def __init__(
        self,
        home: Path,
        record: ServerRecord,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.home = home
        self.record = record
        self._process = process

    @classmethod
    def start(
        cls, home: Path, port: int, images: Mapping[str, ImageCommands], *, keep: bool = True
    ) -> Self:
        """Return a new server on this folder, once it answers; port 0 takes a free one.

        With `keep` it begins with what the last one had, and saves what it has; without, a
        server that nobody goes back to spares itself both.
        Its output goes to `<home>/server.log`, that of the one before is kept in
        `server.previous.log`. Raises LocalAwsError with the server's own
        sentence when it ends early, as with a taken port or a folder in use.
        """
        home = home.resolve()
        prepare_home(home)
        log = home / "server.log"
        if not is_locked(home):  # or they are those of the server that runs
            write_images(home / "images.json", images)
            _keep_last_words(log)
        with log.open("ab") as output:
            process = subprocess.Popen(
                _command(home, port, keep=keep),
                env=server_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            return cls(home, _await_ready(home, process, log), process)
        except BaseException:
            process.kill()
            process.wait()
            raise

    @classmethod
    def attach(cls, home: Path) -> Self:
        """Return the server that runs on this folder; raises LocalAwsError when none does."""
        home = home.resolve()
        record = read_record(home) if is_locked(home) else None
        if record is None or not _healthy(record.port):
            raise LocalAwsError(f"No embedded AWS runs on {home}; start one first.")
        return cls(home, record)

    @staticmethod
    def is_running(home: Path) -> bool:
        """Return whether a server holds this folder, though it may not answer yet or any more."""
        return is_locked(home)

    @staticmethod
    def has_state(home: Path) -> bool:
        """Return whether a server on this folder would start with what an earlier one had."""
        return Snapshots(home / STATE_FOLDER).exist()

    @staticmethod
    def reset(home: Path) -> None:
        """Remove what servers on this folder have kept; raises LocalAwsError while one runs.

        The log of the last one stays.
        """
        if not home.is_dir():
            return
        with locked(home):
            Snapshots(home / STATE_FOLDER).clear()
            for name in ("lambda", "training", "processing", "transform", "endpoints"):
                shutil.rmtree(home / name, ignore_errors=True)

    def ask(self, path: str) -> Any:
        """Return the JSON that one of the server's own paths answers to GET.

        Raises LocalAwsError with its sentence where it refuses, or when it does not answer.
        """
        connection = http.client.HTTPConnection(HOST, self.record.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LocalAwsError(f"{self.endpoint_url}{path} gave no answer: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise LocalAwsError(str(content.get("message", answer.status)))
        return content

    def now(self) -> datetime.datetime:
        """Return the time of the server's clock, in UTC: it is ahead of the host's once driven."""
        return datetime.datetime.fromisoformat(self.ask(CLOCK_PATH)["now"])

    def processes(self) -> list[dict[str, Any]]:
        """Return the server's child processes: `owner`, `pid`, `memory_mb`, `uptime_seconds`."""
        found: list[dict[str, Any]] = self.ask(PROCESSES_PATH)
        return found

    def access(self) -> list[dict[str, Any]]:
        """Return each statement of the policies of roles that acted, with the actions it allowed.

        Objects with `role`, `sid`, `used` and `unused`.
        """
        found: list[dict[str, Any]] = self.ask(ACCESS_PATH)
        return found

    def patches(self) -> list[dict[str, str]]:
        """Return the patches of moto: `symbol`, `why`, `upstream` and `moto_version` of each."""
        found: list[dict[str, str]] = self.ask(PATCHES_PATH)
        return found

    def log_events(self, group: str) -> list[str]:
        """Return the messages of a log group, the oldest first.

        Raises LocalAwsError, with the names that there are, for a group that is not there.
        """
        import boto3  # so that starting and stopping does not wait for it

        client: Any = boto3.client(
            "logs",
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ADMINISTRATOR_KEY,
            aws_secret_access_key="test",  # noqa: S106 - the embedded AWS checks none
        )
        try:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for page in pages for event in page["events"]]
        except client.exceptions.ResourceNotFoundException as error:
            groups = client.get_paginator("describe_log_groups").paginate()
            names = [found["logGroupName"] for page in groups for found in page["logGroups"]]
            listed = ", ".join(names) or "none yet"
            raise LocalAwsError(f"There is no log group {group}; there are: {listed}.") from error

    def problems(self) -> list[str]:
        """Return a sentence for each thing that the server cannot save, or could not load."""
        found: list[str] = self.ask(STATUS_PATH)["problems"]
        return found

    def runs_other_code(self) -> bool:
        """Return whether the server was started from other code than that of this process."""
        return self.record.code != code_digest()

    @property
    def endpoint_url(self) -> str:
        """Return the address of every service, `http://127.0.0.1:<port>`."""
        return self.record.endpoint_url

    def environment(self) -> dict[str, str]:
        """Return the variables that point an AWS client at this server."""
        return client_environment(self.endpoint_url)

    def stop(self) -> None:
        """Stop the server and everything that it started; a stopped one is left in peace.

        One that does not stop in time is killed, and its reaper ends what it had started.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            with contextlib.suppress(ProcessLookupError):
                if self._alive():
                    os.kill(self.record.pid, number)
            while self._alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            if not self._alive():
                return
        raise LocalAwsError(f"The embedded AWS (process {self.record.pid}) cannot be killed.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        # The lock, not the process id: an id may be another program's by now.
        record = read_record(self.home)
        return is_locked(self.home) and (record is None or record == self.record)


def _keep_last_words(log: Path) -> None:
    """Begin an empty log; what the last server wrote says why it ended."""
    if log.exists() and log.stat().st_size:
        log.replace(log.with_name("server.previous.log"))
    log.write_bytes(b"")


def _command(home: Path, port: int, *, keep: bool) -> list[str]:
    program = [sys.executable, "-m", "local_aws.server.main", f"--home={home}", f"--port={port}"]
    return program if keep else [*program, "--forget"]


def _await_ready(home: Path, process: subprocess.Popen[bytes], log: Path) -> ServerRecord:
    seconds = START_SECONDS + Snapshots(home / STATE_FOLDER).size / _LOADED_BYTES_A_SECOND
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log_lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LocalAwsError(
                log_lines[-1] if log_lines else "The embedded AWS ended without a word."
            )
        record = read_record(home)
        if record is not None and record.pid == process.pid and _healthy(record.port):
            return record
        time.sleep(0.02)
    raise LocalAwsError(f"The embedded AWS was not ready in {seconds:.0f} s; see {log}.")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", HEALTH_PATH)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
