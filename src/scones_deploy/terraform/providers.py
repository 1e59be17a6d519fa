"""The providers of a root module, and where Terraform gets them: the registry, else a mirror."""

import itertools
import json
import os
import platform
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scones_core.errors import TerraformError
from scones_core.files import write_if_changed

REGISTRY = "registry.terraform.io"
LOCKED = re.compile(
    r'^provider "(?P<source>[^"\s]+)" \{.*?^\s*version\s*=\s*"(?P<version>[^"]+)"',
    re.MULTILINE | re.DOTALL,
)
DECLARATIONS = re.compile(r"\brequired_providers\s*\{(?:[^{}]|\{[^{}]*\})*\}")
SOURCE = re.compile(r'\bsource\s*=\s*"([^"/\s]+/[^"/\s]+)"')


@dataclass(frozen=True, slots=True)
class Provider:
    """A full source address, like `registry.terraform.io/hashicorp/aws`, and a version.

    The version is empty where no lock file selects one; Terraform then takes what satisfies
    the module's constraint.
    """

    source: str
    version: str = ""

    @property
    def name(self) -> str:
        """The last part of the source: `aws`."""
        return self.source.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


def needed_providers(root: Path) -> tuple[Provider, ...]:
    """Return the providers of a root module; those built into Terraform are not among them.

    Terraform writes the lock file itself, one `provider` block each with a literal version
    (https://developer.hashicorp.com/terraform/language/files/dependency-lock). Without it the
    module's own `required_providers` say the sources.
    """
    lock = root / ".terraform.lock.hcl"
    if lock.is_file():
        found = LOCKED.finditer(lock.read_text(encoding="utf-8"))
        return tuple(Provider(m["source"], m["version"]) for m in found)
    texts = (file.read_text(encoding="utf-8") for file in sorted(root.glob("*.tf")))
    blocks = (block for text in texts for block in DECLARATIONS.findall(text))
    sources = {source for block in blocks for source in SOURCE.findall(block)}
    return tuple(Provider(f"{REGISTRY}/{source}") for source in sorted(sources))


VARIABLE = "SCONES_TERRAFORM_MIRROR"
PREFIXES = ("/opt", "/usr/local", "/usr/share", "/usr/lib", "/srv", "/var/lib")
MAX_DEPTH = 3
MAX_FOLDERS = 5000
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def os_arch() -> str:
    """Return this host's platform as Terraform names it, like `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ARCHITECTURES.get(machine, machine)}"


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


CONFIG = "TF_CLI_CONFIG_FILE"
DISCOVERY = f"https://{REGISTRY}/.well-known/terraform.json"
PROBE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ProviderSource:
    """The environment that Terraform gets, and a sentence about its providers; may be empty."""

    environ: Mapping[str, str]
    notice: str = ""


def registry_reachable() -> bool:
    """Say whether the public registry answers its discovery document within three seconds."""
    try:
        with urllib.request.urlopen(DISCOVERY, timeout=PROBE_SECONDS) as answer:
            return "providers.v1" in json.loads(answer.read(65536))
    except (urllib.error.URLError, OSError, ValueError, TypeError):
        return False


def provider_source(
    root: Path,
    build_dir: Path,
    environ: Mapping[str, str],
    *,
    reachable: Callable[[], bool] = registry_reachable,
    prefixes: Sequence[Path] | None = None,
) -> ProviderSource:
    """Return the environment in which `terraform init` finds the providers of a root module.

    Nothing is changed where the user's own CLI configuration says where to look, or where the
    registry can be reached. Terraform asks for the versions there are even where the locked one
    is installed, so this holds for every init. A
    TF_CLI_CONFIG_FILE that does not exist is not passed on. A folder that
    SCONES_TERRAFORM_MIRROR names comes before the registry; `prefixes`, by default the usual
    places for software and the home folder, are searched where there is no registry. A CLI
    configuration for the mirror is written below `build_dir`, only for Terraform.
    Raises TerraformError where there is neither registry nor mirror, or a mirror that was named
    lacks a provider.
    """
    plain = usable_environ(environ)
    needed = list(needed_providers(root))
    if not needed or _is_configured(plain):
        return ProviderSource(plain)
    named = named_mirrors(plain)
    mirror = _first(named, needed)
    if named and mirror is None:
        raise TerraformError(_named_advice(named, needed))
    if mirror is None and reachable():
        return ProviderSource(plain)
    places = _home_and(PREFIXES, plain) if prefixes is None else prefixes
    mirror = mirror or _first(_unnamed(root, plain, places), needed)
    if mirror is None:
        raise TerraformError(_advice(needed))
    return _use(mirror, needed, build_dir, plain)


def usable_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without a TF_CLI_CONFIG_FILE that does not exist."""
    configured = environ.get(CONFIG)
    kept = configured is None or Path(configured).is_file()
    return {key: value for key, value in environ.items() if kept or key != CONFIG}


def _is_configured(environ: Mapping[str, str]) -> bool:
    """Say whether the user chose the providers' source, by variable or in the home folder."""
    if CONFIG in environ:
        return True
    home = Path(environ.get("HOME") or Path.home()) / ".terraformrc"
    try:
        return re.search(r"^\s*provider_installation\b", home.read_text(), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _home_and(prefixes: Sequence[str], environ: Mapping[str, str]) -> list[Path]:
    return [*map(Path, prefixes), Path(environ.get("HOME") or Path.home())]


def _unnamed(root: Path, environ: Mapping[str, str], prefixes: Sequence[Path]) -> Iterator[Path]:
    yield from implied_mirrors(root, environ)
    yield from searched_mirrors(REGISTRY, prefixes)


def _first(mirrors: Iterator[Path] | list[Path], needed: list[Provider]) -> Path | None:
    target = os_arch()
    return next((m for m in mirrors if all(holds(m, p, target) for p in needed)), None)


def _use(
    mirror: Path, needed: list[Provider], build_dir: Path, environ: Mapping[str, str]
) -> ProviderSource:
    config = build_dir.absolute() / "mirror.tfrc"
    sources = json.dumps([provider.source for provider in needed])
    # JSON's string escapes are HCL's; only its template marks need one more.
    path = json.dumps(os.fspath(mirror.absolute())).replace("${", "$${").replace("%{", "%%{")
    text = (
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path    = {path}\n    include = {sources}\n  }}\n"
        f"  direct {{\n    exclude = {sources}\n  }}\n}}\n"
    )
    write_if_changed(config, text.encode())
    names = ", ".join(map(str, needed))
    return ProviderSource(
        {**environ, CONFIG: os.fspath(config)},
        f"Terraform takes its providers ({names}) from the mirror at {mirror}.",
    )


def _named_advice(named: list[Path], needed: list[Provider]) -> str:
    return (
        f"{VARIABLE} names {', '.join(map(str, named))}, which lacks {_sources(needed)} for "
        f"{os_arch()}: fill that mirror with `terraform providers mirror <folder>`, or unset it."
    )


def _advice(needed: list[Provider]) -> str:
    return (
        f"Terraform needs {_sources(needed)} for {os_arch()}, {REGISTRY} cannot be reached, and "
        "no mirror on this host has it. Connect to the network; or run `terraform providers "
        f"mirror <folder>` on a host with one, and name the copied folder in {VARIABLE}."
    )


def _sources(needed: list[Provider]) -> str:
    return ", ".join(f"{provider.source} {provider.version}".strip() for provider in needed)
