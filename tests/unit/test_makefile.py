import os
import subprocess

import pytest

from tests.support.environments.checkout import ROOT


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments, "help"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "given",
    [
        "SOURCE=a b.tar.gz",
        "KEEP=1",
        "PYTHON=python3.12",
        "PIP_FIND_LINKS=/w",
        "SCONES_LOCAL_PORT=0",
    ],
)
def test_make_takes_the_variables_that_it_or_a_program_reads(given: str) -> None:
    done = make(given)
    assert done.returncode == 0
    assert "demo" in done.stdout


def test_a_misspelt_variable_is_refused_by_its_name() -> None:
    done = make("SORCE=archive.tar.gz")
    assert done.returncode != 0
    assert "make knows SOURCE, KEEP and PYTHON, not SORCE" in done.stderr
