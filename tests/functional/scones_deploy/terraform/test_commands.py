from pathlib import Path

import pytest

from scones_deploy.terraform.binary import TerraformBinary
from scones_deploy.terraform.commands import TerraformCommands

# The S3 backend's words where the lock was given back before it looked whose it is.
FREED = "Error: Error acquiring the state lock: PreconditionFailed, NoSuchKey"


def test_a_lock_that_goes_while_terraform_looks_at_it_is_taken_by_another_try(
    tmp_path: Path,
) -> None:
    program = tmp_path / "terraform"
    program.write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/tried ] && echo planned && exit 0\n"
        f"touch {tmp_path}/tried\necho '{FREED}' >&2\nexit 1\n"
    )
    program.chmod(0o700)
    commands = TerraformCommands(
        tmp_path,
        "dev",
        tmp_path / "data",
        TerraformBinary(program, "1.11.4", embedded=False),
        environ={},
        output=lambda _line: None,
        color=False,
        build_dir=tmp_path,
        providers=pytest.fail,
    )
    assert commands.stream("plan").stdout == "planned\n"
