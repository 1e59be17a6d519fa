"""The commands of a runbook, run against an environment in the embedded AWS."""

from tests.support.environments.checkout import Ended
from tests.support.environments.environment import ACCOUNT, Environment
from tests.support.runbooks.commands import aws_call, commands

# Tasks that ask for the environment's name; somebody types it.
ASKING = ("destroy", "purge")


class Rehearsal:
    """Runs a runbook's commands in order; `codes` then says how its `inv` tasks ended."""

    def __init__(self, environment: Environment, **values: str) -> None:
        self.environment = environment
        self.values = {"env": "local", "account": ACCOUNT, "region": "us-east-1", **values}
        self.ended: list[tuple[str, Ended]] = []

    @property
    def codes(self) -> list[tuple[str, int]]:
        return [(task, ended.code) for task, ended in self.ended]

    def said(self, task: str) -> str:
        """Return what the last run of a task printed."""
        return [ended.out for name, ended in self.ended if name == task][-1]

    def run(self, runbook: str) -> "Rehearsal":
        for command in commands(runbook):
            if command.hcl:
                file = self.environment.variables
                file.write_text(f"{file.read_text()}\n{command.text}\n")
                continue
            words = command.words(self.values)
            if words[0] == "inv":
                self._inv(words[1:])
            else:
                call = aws_call(words)
                getattr(self.environment.client(call.service), call.operation)(**call.arguments)
        return self

    def _inv(self, words: list[str]) -> None:
        typed = self.values["env"] if words[0] in ASKING else ""
        ended = self.environment.inv(*words, typed=typed)
        assert "Traceback" not in ended.err, ended
        self.ended.append((words[0], ended))
