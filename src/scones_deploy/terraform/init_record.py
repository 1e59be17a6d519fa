"""Whether the last `terraform init` still holds: a record of what it was made from.

An init hashes the AWS provider, of several hundred megabytes, and asks a registry or a mirror; it
has nothing to do where neither the modules, the providers nor the backend changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from scones_core.files import write_json
from scones_deploy.terraform.environment_folder import APART, LOCK
from scones_deploy.terraform.providers import CONFIG, needed_providers, os_arch

RECORD = "init.json"
CACHE = "TF_PLUGIN_CACHE_DIR"


def is_initialised(
    root: Path, data_dir: Path, backend_config: Sequence[str], environ: Mapping[str, str]
) -> bool:
    """Return whether what an init of the same configuration installed is still there."""
    try:
        record = json.loads((data_dir / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    target = os_arch()
    installed = (
        (data_dir / "providers" / provider.source / provider.version / target).is_dir()
        for provider in needed_providers(root)
    )
    return (
        record == _record(root, backend_config, environ)
        and (data_dir / "terraform.tfstate").is_file()
        and all(installed)
    )


def write_init_record(
    root: Path, data_dir: Path, backend_config: Sequence[str], environ: Mapping[str, str]
) -> None:
    """Note what an init that has just succeeded was made from, in Terraform's working data."""
    write_json(data_dir / RECORD, _record(root, backend_config, environ))


def forget_init(data_dir: Path) -> None:
    """Have the next init run, whatever is there."""
    (data_dir / RECORD).unlink(missing_ok=True)


def _record(
    root: Path, backend_config: Sequence[str], environ: Mapping[str, str]
) -> dict[str, object]:
    configuration = sorted(
        path
        for pattern in ("*.tf", "*.tf.json", LOCK)
        for path in root.rglob(pattern)
        if path.relative_to(root).parts[0] not in APART
    )
    digest = hashlib.sha256()
    for path in (*configuration, *map(Path, backend_config)):
        if path.is_file():  # else a setting, like `bucket=...`
            digest.update(f"{path} {len(content := path.read_bytes())}\n".encode())
            digest.update(content)
    return {
        "configuration_sha256": digest.hexdigest(),
        "backend_config": list(backend_config),
        "environment": {name: environ.get(name, "") for name in (CONFIG, CACHE)},
    }
