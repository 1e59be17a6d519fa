"""The providers that a root module needs: as its lock file selects, or as it declares them."""

import re
from dataclasses import dataclass
from pathlib import Path

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
