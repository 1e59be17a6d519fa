"""Folders on this machine that hold Terraform providers in one of the two mirror layouts."""

import itertools
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scones_deploy.providers import Provider

VARIABLE = "SCONES_TERRAFORM_MIRROR"
PREFIXES = ("/opt", "/usr/local", "/usr/share", "/usr/lib", "/srv", "/var/lib")
MAX_DEPTH = 3
MAX_FOLDERS = 5000
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def os_arch() -> str:
    """Return this machine's platform as Terraform names it, like `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{MACHINES.get(machine, machine)}"


def named_mirrors(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders that SCONES_TERRAFORM_MIRROR names, separated as in PATH."""
    return [Path(part) for part in environ.get(VARIABLE, "").split(os.pathsep) if part]


def implied_mirrors(
    root: Path, environ: Mapping[str, str], system: str = sys.platform
) -> list[Path]:
    """Return the folders that Terraform itself looks into, by operating system.

    The list is that of
    https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
    """
    home = Path(environ.get("HOME") or Path.home())
    folders = [root / "terraform.d/plugins"]
    if system == "win32":
        data = Path(environ.get("APPDATA", home))
        return [*folders, data / "terraform.d/plugins", data / "HashiCorp/Terraform/plugins"]
    folders.append(home / ".terraform.d/plugins")
    if system == "darwin":
        support = Path("Library/Application Support/io.terraform/plugins")
        return [*folders, home / support, "/" / support]
    data_home = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    data_dirs = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    return [*folders, *(d / "terraform/plugins" for d in (data_home, *map(Path, data_dirs)))]


def searched_mirrors(host: str, prefixes: Sequence[Path]) -> Iterator[Path]:
    """Yield each folder that has a folder named like the registry's host, below the prefixes.

    At most three levels down and a few thousand folders a prefix; links are not followed.
    """
    for prefix in prefixes:
        for folder, below, _ in itertools.islice(os.walk(prefix), MAX_FOLDERS):
            if host in below:
                yield Path(folder)
            deep = len(Path(folder).relative_to(prefix).parts) >= MAX_DEPTH
            below[:] = [] if deep else sorted(below)


def holds(mirror: Path, provider: Provider, target: str) -> bool:
    """Say whether a folder has a provider for a platform, in its version or, if it has none, any.

    Unpacked: `<host>/<namespace>/<type>/<version>/<os_arch>/`; packed:
    `<host>/<namespace>/<type>/terraform-provider-<type>_<version>_<os_arch>.zip`.
    """
    folder, version = mirror / provider.source, provider.version or "*"
    program = f"terraform-provider-{provider.name}"
    try:
        return any(folder.glob(f"{program}_{version}_{target}.zip")) or any(
            folder.glob(f"{version}/{target}/{program}*")
        )
    except OSError:
        return False
