"""How the tasks are called in the shell that runs one of them."""

import io
from pathlib import Path

import pytest
from invoke.exceptions import Exit
from rich.console import Console as RichConsole

from scones_core.errors import DeployError
from scones_toolkit.cli import handle_errors
from scones_toolkit.console import Console
from scones_toolkit.shell_command import pasteable, program_name


def test_a_program_that_the_path_does_not_find_is_named_by_its_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("checkout/.venv/bin", "elsewhere"):
        program = tmp_path / folder / "inv"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o700)
    monkeypatch.chdir(tmp_path / "checkout")
    bin_folder = tmp_path / "checkout" / ".venv" / "bin"
    assert program_name(".venv/bin/inv", str(bin_folder)) == "inv"
    assert program_name(".venv/bin/inv", str(tmp_path / "elsewhere")) == ".venv/bin/inv"
    assert program_name(".venv/bin/inv", "") == ".venv/bin/inv"
    outside = str(tmp_path / "elsewhere" / "inv")
    assert program_name(outside, "") == outside
    assert program_name("/usr/bin/pytest", "") == "inv"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Nothing is deployed: inv apply", "Nothing is deployed: .venv/bin/inv apply"),
        (
            "run `inv release`, then `inv plan`",
            "run `.venv/bin/inv release`, then `.venv/bin/inv plan`",
        ),
        ("eval $(inv local.env)", "eval $(.venv/bin/inv local.env)"),
        ("All tasks: inv --list", "All tasks: .venv/bin/inv --list"),
        (".venv/bin/inv plan, bin-inv plan", ".venv/bin/inv plan, bin-inv plan"),
        ("s3://data/inv apply.png", "s3://data/inv apply.png"),
        ("inv, the program", "inv, the program"),
    ],
)
def test_the_tasks_of_a_sentence_can_be_pasted_into_the_shell(sentence: str, shown: str) -> None:
    assert pasteable(sentence, ".venv/bin/inv") == shown


def test_what_a_task_prints_and_the_error_that_ends_it_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scones_toolkit.shell_command.this_program", lambda: ".venv/bin/inv")
    out = io.StringIO()
    Console(RichConsole(file=out, width=100)).say("Next: inv plan")
    assert out.getvalue() == "Next: .venv/bin/inv plan\n"

    @handle_errors
    def task() -> None:
        raise DeployError("Nothing is deployed: inv apply")

    with pytest.raises(Exit, match=r"deployed: \.venv/bin/inv apply"):
        task()
