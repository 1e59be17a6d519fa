"""The dependencies of the Lambda functions: wheels of a hashed lock, unpacked for their runtime.

pip does all of it: it selects wheels by tag, checks each hash, and refuses source packages.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

from scones_core.errors import BuildError

RUNTIME_PYTHON = "3.12"
# pip takes each platform literally. Amazon Linux 2023, under the runtime since Python 3.12,
# has glibc 2.34, so wheels for both of these run there.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
PIP_OPTIONS = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-compile",
    *(f"--platform={platform}" for platform in PLATFORMS),
    "--implementation=cp",
    f"--python-version={RUNTIME_PYTHON}",
)
# Scripts carry the builder's interpreter path, and RECORD their hashes; the others tell how
# and from where pip installed. METADATA stays: importlib.metadata.version() reads it.
PRUNED_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def dependency_tree(lock: Path, cache: Path) -> Path:
    """Return a folder that holds the unpacked and pruned wheels of a lock.

    It is made once for each content of the lock; later calls need neither pip nor a network.
    Raises BuildError where the lock is missing, or pip finds no wheel with a locked hash.
    """
    tree = cache / "lambda" / _key(lock)
    if tree.is_dir():
        return tree
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".tree-") as folder:
        fresh = Path(folder) / "tree"
        fresh.mkdir()
        _install(lock, fresh)
        _require_complete(lock, fresh)
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


def _key(lock: Path) -> str:
    return hashlib.sha256("\n".join(PIP_OPTIONS).encode() + b"\0" + _read(lock)).hexdigest()[:16]


def _install(lock: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", *PIP_OPTIONS]
    command += ["--target", str(target), "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise BuildError(
            f"The wheels of {lock.name} cannot be installed for Python {RUNTIME_PYTHON} on "
            f"Linux: {' '.join(words) or done.stderr.strip() or 'pip gave no reason'}"
        )


def _require_complete(lock: Path, tree: Path) -> None:
    """Refuse a tree that lacks a locked package.

    pip judges environment markers by the Python it runs on, not by the one it installs for:
    without this check a marker would make the bundle depend on the builder.
    """
    missing = set(locked(lock)) - set(map(_pin, distributions(path=[str(tree)])))
    if missing:
        raise BuildError(
            f"{lock.name} lists {min(missing)}, but pip left it out on this Python; "
            f"lock for Python {RUNTIME_PYTHON} on Linux, without environment markers."
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
