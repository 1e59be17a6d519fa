"""One environment of a root module: its files, and the fingerprint of all a plan is made from."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from scones_core.errors import TerraformError
from scones_core.files import sha256_of

# Root modules of their own and tests, which no environment's plan reads.
BOOTSTRAP = "bootstrap"
APART = frozenset({BOOTSTRAP, "tests", "examples"})
# What Terraform writes, and what only people and checks read. Everything else may be read by a
# plan: *.tf, *.tf.json, *.tfvars, *.auto.tfvars.json, overrides, and whatever file() names.
LOCK = ".terraform.lock.hcl"
UNREAD = (".md", ".tftest.hcl", ".tftest.json", ".tfstate", ".tfstate.backup", ".tflint.hcl")
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def environments(root: Path) -> list[str]:
    """Return the names of the environments that a root module has, sorted."""
    return sorted(file.parent.name for file in root.glob("environments/*/env.tfvars"))


@dataclass(frozen=True, slots=True)
class EnvironmentFolder:
    """`environments/<name>/` in `root`, and the folder of the Lambda bundles it deploys."""

    root: Path
    name: str
    bundles: Path

    @classmethod
    def find(cls, root: Path, name: str, bundles: Path) -> "EnvironmentFolder":
        """Return the folder of an environment; raises TerraformError where it has none."""
        found = cls(root, name, bundles)
        if not NAME.fullmatch(name) or not (found.path / "env.tfvars").is_file():
            known = environments(root)
            raise TerraformError(
                f"There is no environment {name!r} in {root / 'environments'}; "
                f"the environments are {', '.join(known) or 'none'}."
            )
        return found

    @property
    def path(self) -> Path:
        """The environment's own folder."""
        return self.root / "environments" / self.name

    def backend(self) -> Path:
        """Return the settings of its state; raises TerraformError where there are none."""
        settings = self.path / "backend.hcl"
        if not settings.is_file():
            raise TerraformError(
                f"{settings} is missing; write the bucket, key and region of the state there."
            )
        return settings

    def variable_files(self) -> list[Path]:
        """Return the variable files in the order in which Terraform reads them."""
        release = self.path / "release.tfvars.json"
        return [self.path / "env.tfvars", *([release] if release.is_file() else [])]

    def lambda_dir(self) -> str:
        """Return the folder of the bundles as seen from the root module.

        Terraform keeps each zip's path in its state, so it may not say where the checkout is.
        """
        return os.path.relpath(self.bundles, self.root)

    def inputs(self) -> list[Path]:
        """Return every file that a plan may be made from: configuration, variables, bundles."""
        configuration = [path for path in self.root.rglob("*") if self._is_read(path)]
        bundles = [self.bundles / "manifest.json", *self.bundles.glob("*.zip")]
        return sorted({*configuration, *(path for path in bundles if path.is_file())})

    def _is_read(self, path: Path) -> bool:
        parts = path.relative_to(self.root).parts
        if parts[0] == "environments" and parts[1:2] != (self.name,):
            return False
        hidden = any(part.startswith(".") for part in parts) and path.name != LOCK
        apart = parts[0] in APART or hidden or path.is_relative_to(self.bundles)
        return not apart and path.is_file() and not path.name.endswith(UNREAD)

    def fingerprint(self) -> str:
        """Return a SHA-256 over the names and contents of the inputs, wherever they lie."""
        lines = []
        for file in self.inputs():
            inside = file.is_relative_to(self.root)
            name = file.relative_to(self.root).as_posix() if inside else file.name
            lines.append(f"{sha256_of(file)} {name}\n")
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
