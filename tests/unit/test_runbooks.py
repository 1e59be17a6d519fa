"""Each command of a runbook exists, with the flags and parameters that it is given."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from invoke import Collection
from invoke.parser import Parser

from tests.support.runbooks.commands import Command, aws_call, commands

ROOT = Path(__file__).parents[2]
VALUES = {
    "env": "dev",
    "account": "123456789012",
    "day": "2026-11-28",
    "region": "us-east-1",
    "release": "r1",
    "key": "k",
    "marker": "v",
    "state-bucket": "b",
}
COMMANDS = [command for command in commands() if not command.hcl]


def parser() -> Parser:
    spec = importlib.util.spec_from_file_location("tasks_of_the_project", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tasks = Collection.from_module(module)
    return Parser(contexts=tasks.to_contexts())


@pytest.fixture(scope="module")
def tasks() -> Parser:
    return parser()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.runbook}: {c.text[:60]}")
def test_a_runbooks_command_exists(command: Command, tasks: Parser) -> None:
    words = command.words(VALUES)
    assert not [word for word in words if "<" in word], "a placeholder that nobody fills in"
    assert words[0] in ("inv", "aws")
    if words[0] == "inv":
        tasks.parse_argv(words[1:])
    else:
        aws_call(words)


def test_a_wrong_command_is_found(tasks: Parser) -> None:
    with pytest.raises(Exception, match="No idea what"):
        tasks.parse_argv(["plann"])
    with pytest.raises(Exception, match="No idea what"):
        tasks.parse_argv(["plan", "--environment", "dev"])
    for wrong in (
        "aws kms rotate-key --key-id k",
        "aws kms describe-key --key k",
        "aws kms describe-key",
    ):
        with pytest.raises(ValueError, match="kms"):
            aws_call(wrong.split())


def test_there_is_a_runbook_for_each_trouble() -> None:
    assert {command.runbook for command in COMMANDS} == {
        "capture-stopped",
        "drift",
        "failed-rollout",
        "key-rotation",
        "lost-state",
        "tear-down",
        "throttled-workflow",
    }


def documented() -> list[str]:
    """Return every `inv` command of README and CONTRIBUTING, in code blocks and inline."""
    found = []
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for code in re.findall(r"`([^`\n]+)`", text) + text.splitlines():
            command = code.strip().removeprefix("eval $(").removesuffix(")")
            if re.match(r"inv (?!--|<)", command):
                found.append(command.replace(" …", ""))
    return sorted(set(found))


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_exists(command: str, tasks: Parser) -> None:
    words = shlex.split(re.sub(r"<env>", "dev", command).replace("<", "").replace(">", ""))
    # A task is named without what it requires.
    required = {"approve": ["1"], "rollback": ["r1"], "predict": ["1.png"]}.get(words[1], [])
    tasks.parse_argv(words[1:] + (required if len(words) == 2 else []))


def test_the_documentation_names_tasks() -> None:
    assert {"inv etl", "inv plan", "inv local.env"} <= set(documented())
