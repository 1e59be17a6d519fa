"""The dependencies of the Lambda functions: wheels of a hashed lock, unpacked for their runtime.

pip does all of it: it selects wheels by tag, checks each hash, and refuses source packages.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from scones_core.errors import BuildError

# Where Terraform says what the functions run on, below a project.
TARGET_FILE = Path("terraform/modules/functions/runtime.json")
# pip takes each platform literally. Amazon Linux 2023, under the runtimes since Python 3.12,
# has glibc 2.34, so wheels for both of these run there.
PLATFORMS = ("manylinux2014", "manylinux_2_28")
WHEEL_ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
RUNTIME = re.compile(r"python(3\.\d+)")
# Scripts carry the builder's interpreter path, and RECORD their hashes; the others say how
# and from where pip installed. METADATA stays: importlib.metadata.version() reads it.
PRUNED_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@dataclass(frozen=True, slots=True)
class Target:
    """The Python (`3.12`) and the processor (`aarch64`, as wheels name it) of the functions."""

    python: str
    architecture: str

    @classmethod
    def read(cls, path: Path) -> "Target":
        """Return what Terraform deploys to; raises BuildError, naming the file, for another form.

        The file has `runtime`, like `python3.12`, and `architecture`, as Lambda names them.
        """
        try:
            body = json.loads(path.read_bytes())
            found = RUNTIME.fullmatch(body["runtime"])
            if found is None:
                raise ValueError(f"{body['runtime']!r} is not a Python runtime")
            return cls(found[1], WHEEL_ARCHITECTURES[body["architecture"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildError(
                f"{path} does not say what the functions run on ({error!r}); restore it."
            ) from error

    def pip_options(self) -> tuple[str, ...]:
        """Return the options with which pip installs for it, whatever Python pip runs on."""
        return (
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--no-compile",
            *(f"--platform={platform}_{self.architecture}" for platform in PLATFORMS),
            "--implementation=cp",
            f"--python-version={self.python}",
        )


def dependency_tree(lock: Path, cache: Path, target: Target) -> Path:
    """Return a folder that holds the unpacked and pruned wheels of a lock, for a target.

    It is made once for each content of the lock; later calls need neither pip nor a network.
    Raises BuildError where the lock is missing, or pip finds no wheel with a locked hash.
    """
    tree = cache / "lambda" / _key(lock, target)
    if tree.is_dir():
        return tree
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".tree-") as folder:
        fresh = Path(folder) / "tree"
        fresh.mkdir()
        _install(lock, fresh, target)
        _require_complete(lock, fresh, target)
        _prune(fresh)
        _move(fresh, tree)
    return tree


def locked(lock: Path) -> list[str]:
    """Return the `name==version` of every requirement in a lock, names normalised, sorted."""
    pattern = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)
    found = pattern.findall(_read(lock).decode())
    return sorted(f"{_normal(name)}=={version}" for name, version in found)


def _read(lock: Path) -> bytes:
    try:
        return lock.read_bytes()
    except OSError as error:
        raise BuildError(
            f"The lock {lock} cannot be read ({error.strerror}); restore it from the repository."
        ) from error


def _key(lock: Path, target: Target) -> str:
    return hashlib.sha256(
        "\n".join(target.pip_options()).encode() + b"\0" + _read(lock)
    ).hexdigest()[:16]


def _install(lock: Path, tree: Path, target: Target) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", *target.pip_options()]
    command += ["--target", str(tree), "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pip_errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = " ".join(pip_errors) or done.stderr.strip() or "pip gave no reason"
        raise BuildError(
            f"The wheels of {lock.name} cannot be installed for Python {target.python} on Linux, "
            f"{target.architecture}: {reason}"
        )


def _require_complete(lock: Path, tree: Path, target: Target) -> None:
    """Refuse a tree that lacks a locked package.

    pip judges environment markers by the Python it runs on, not by the one it installs for:
    without this check a marker would make the bundle depend on the builder.
    """
    missing = set(locked(lock)) - set(map(_pin, distributions(path=[str(tree)])))
    if missing:
        raise BuildError(
            f"{lock.name} lists {min(missing)}, but pip left it out on this Python; "
            f"lock for Python {target.python} on Linux, without environment markers."
        )


def _pin(distribution: Distribution) -> str:
    return f"{_normal(distribution.metadata['Name'])}=={distribution.version}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _prune(tree: Path) -> None:
    for path in sorted(tree.rglob("*"), reverse=True):
        top = path.parent == tree
        if path.is_dir() and (path.name == "__pycache__" or (top and path.name == "bin")):
            shutil.rmtree(path)
        elif path.parent.name.endswith(".dist-info") and path.name in PRUNED_FILES:
            path.unlink()


def _move(fresh: Path, tree: Path) -> None:
    try:
        fresh.rename(tree)
    except OSError:
        # Another build of the same lock was quicker; its tree has the same content.
        if not tree.is_dir():
            raise
