"""Context: the folder, address and processes of one embedded AWS. Nothing here imports moto."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.core.admin_api import Wsgi
from local_aws.core.child_processes import Children

HOST = "127.0.0.1"
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"


def _not_installed(_: Any) -> Any:
    raise AssertionError("Lambda is installed before what invokes it")


@dataclass(slots=True)
class Context:
    """One embedded AWS: its folder, its address, and the processes that it started.

    `home` exists and is the server's alone (it holds the lock on it). `endpoint_url` is the
    address that children call back to. `python` is the interpreter for children.
    """

    home: Path
    endpoint_url: str
    account_id: str = ACCOUNT_ID
    region: str = REGION
    python: str = sys.executable
    children: Children = field(default_factory=Children)
    # What a module answers before moto is asked; the last added is asked first.
    fronts: list[Callable[[Wsgi], Wsgi]] = field(default_factory=list)
    # Lambda's Invoke for callers in this process (`functions.invoking`), once it is installed.
    invoke: Callable[[Any], Any] = field(default=_not_installed)
    _shutdown: list[Callable[[], None]] = field(default_factory=list)

    @property
    def images_path(self) -> Path:
        """Return where the image map (`images.json`) lies."""
        return self.home / "images.json"

    def folder(self, *parts: str) -> Path:
        """Return a folder below `home`, made if need be; raises OSError where `home` is gone."""
        path = self.home
        # `home` itself is not made again: the server is about to end when a user deletes it.
        for name in Path(*parts).parts:
            path /= name
            path.mkdir(exist_ok=True)
        return path

    def on_shutdown(self, action: Callable[[], None]) -> None:
        """Have `action` called once when the server stops; the last registered is first."""
        self._shutdown.append(action)

    def shutdown(self) -> None:
        """Call the registered actions, each whatever the others do, then end all children."""
        errors: list[Exception] = []
        while self._shutdown:
            try:
                self._shutdown.pop()()
            except Exception as error:  # one module's fault must not leave another's processes
                errors.append(error)
        self.children.stop_all()
        if errors:
            raise ExceptionGroup("The embedded AWS did not stop cleanly", errors)
