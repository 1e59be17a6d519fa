"""Providers that stay up between Terraform's commands, in the provider's own debug mode.

Terraform starts a provider for each command, after it has hashed the executable of several hundred
megabytes, and the AWS provider then composes its schema anew. A provider that is kept does both
once; Terraform is told its address by TF_REATTACH_PROVIDERS
(https://developer.hashicorp.com/terraform/plugin/debugging).

Terraform does not check such a provider against the lock file, so this is for the embedded AWS and
for tests under mocks. In an account each command starts and checks its own.
"""

import re
import subprocess
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

from scones_deploy.terraform.providers import Provider, needed_providers, os_arch

VARIABLE = "TF_REATTACH_PROVIDERS"
# What speaks with a provider. An init installs one, and the others read no schema.
COMMANDS = frozenset({"apply", "destroy", "plan", "show", "test", "validate"})
ADDRESS = re.compile(rf"{VARIABLE}='(\{{.*\}})'")
# The shell outlives neither its provider nor whoever holds the other end of its stdin, also where
# that is killed. What it starts in the background reads nothing.
WATCHED = '"$0" -debug & exec >&-; read -r _; kill $!; wait'
START_SECONDS = 30
# Each command configures the provider anew, and it takes certificates only once in its life. What
# it speaks with here has none.
LEFT_OUT = "AWS_CA_BUNDLE"


class KeptProviders:
    """The providers that a few commands share; they end with this object, or with Python."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[tuple[Path, Provider], str | None] = {}

    def environ(
        self, command: str, root: Path, data_dir: Path, environ: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the variable that has a command use a kept provider, or nothing.

        The provider of `root`, as an init installed it in `data_dir`, is started with `environ`
        where it is not up yet. Nothing is returned for commands that need none, where a module
        needs several or one that is not installed, where somebody debugs (TF_LOG, or a provider
        of their own), and where it cannot be started: Terraform then starts its own.
        """
        if command not in COMMANDS or environ.get("TF_LOG") or VARIABLE in environ:
            return {}
        needed = needed_providers(root)
        if len(needed) != 1:
            return {}
        key = root, needed[0]
        with self._lock:
            if key not in self._started:
                program = _installed(needed[0], data_dir)
                if program is None:
                    return {}
                self._started[key] = self._start(program, root, environ)
            address = self._started[key]
        return {VARIABLE: address} if address else {}

    def _start(self, program: Path, root: Path, environ: Mapping[str, str]) -> str | None:
        """Start a provider; return where it listens, or None where it does not say so."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, str(program)],
            # It reads files by paths that are relative to the module.
            cwd=root,
            env={name: value for name, value in environ.items() if name != LEFT_OUT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            # An interrupt is Terraform's affair: it needs its provider to stop in good order.
            start_new_session=True,
        )
        weakref.finalize(self, _stop, process)
        late = threading.Timer(START_SECONDS, _close_stdin, [process])
        late.start()
        try:
            found = (ADDRESS.search(line) for line in process.stdout or ())
            return next((match[1] for match in found if match), None)
        finally:
            late.cancel()


def _close_stdin(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.close()


def _stop(process: subprocess.Popen[str]) -> None:
    _close_stdin(process)
    if process.stdout:
        process.stdout.close()
    process.wait()


def _installed(provider: Provider, data_dir: Path) -> Path | None:
    folder = data_dir / "providers" / provider.source / provider.version / os_arch()
    return next(iter(sorted(folder.glob("terraform-provider-*"))), None)
