"""Sentences for a mistyped command line: the nearest task or flag, and where all are listed."""

import ast
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from invoke.exceptions import Exit, ParseError
from invoke.main import program
from invoke.parser.context import ParserContext
from invoke.program import Program

from scones_toolkit.console import sentence

# How a shell's own commands report a command line that they cannot read.
USAGE_ERROR = 2
# Invoke gives what it could not read only as a part of its sentences.
_UNKNOWN = re.compile(r"No idea what (?P<token>.+) is!")
_NO_VALUE = re.compile(r"Flag (?P<flag>\S+) needed value and was not given one!")
_ALL_TASKS = "All tasks: inv --list"


class UsageProgram(Program):
    """Invoke's program, with a sentence of ours and exit code 2 where it cannot read a line."""

    def load_collection(self) -> None:
        """Load the tasks' file of this folder or one above; raises Exit where there is none."""
        try:
            super().load_collection()
        except Exit:
            raise _usage_exit(
                f"{Path.cwd()} is not in a checkout of the project, as neither it nor a folder "
                "above has a tasks.py; change to the checkout first."
            ) from None

    def parse_tasks(self) -> None:
        """Read the tasks and their flags; raises Exit where the line is mistyped."""
        with self._explained():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Print a help or a list that was asked for; raises Exit, also where it has no such."""
        name = self.args.list.value
        if isinstance(name, str) and name not in self.collection.collections:
            groups = ", ".join(sorted(self.collection.collections))
            raise _usage_exit(f"no group of tasks is called {name}, only {groups}. {_ALL_TASKS}")
        with self._explained():
            super().parse_cleanup()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            raise _usage_exit(explain(error, self.parser.contexts)) from None


def explain_usage_errors(running: Program) -> None:
    """Have a program of Invoke that is running report a mistyped line as UsageProgram does.

    `inv` is Invoke's own command; this module is first loaded when it reads the tasks' file.
    """
    running.__class__ = UsageProgram


def main() -> None:
    """Run `inv`: Invoke's own, with the sentences of this module also outside of a checkout."""
    explain_usage_errors(program)
    program.run()


def _usage_exit(what: str) -> Exit:
    return Exit(sentence(f"error: {what}"), code=USAGE_ERROR)


def explain(error: ParseError, tasks: Mapping[str, ParserContext]) -> str:
    """Return what is wrong with a command line, and what was probably meant.

    `tasks` are all tasks by name, with their flags.
    """
    text, context = str(error), error.context
    task = context if context is not None and context.name else None
    if unknown := _UNKNOWN.fullmatch(text):
        token = _unquoted(unknown["token"])
        if task is None:
            return _not_a_task(token, tasks)
        return _not_a_flag(token, task) if token.startswith("-") else _too_much(token, task, tasks)
    if task is None:
        return text
    help_text = f"inv {task.name} --help"
    if task.missing_positional_args:
        needed = {str(arg.name): arg.help for arg in task.missing_positional_args}
        named = " and ".join(f"{name.upper()} ({meaning})" for name, meaning in needed.items())
        instead = "".join(f", or {flag}" for flag in _replacing(task, set(needed)))
        return f"inv {task.name} needs {named}{instead}. More: {help_text}"
    if no_value := _NO_VALUE.fullmatch(text):
        return f"{no_value['flag']} of inv {task.name} needs a value. More: {help_text}"
    return f"{text} More: {help_text}"


def _not_a_task(token: str, tasks: Mapping[str, ParserContext]) -> str:
    if token.startswith("-"):
        having = sorted(name for name, task in tasks.items() if token in task.flags)
        if having:
            name = "plan" if "plan" in having else having[0]
            return f"{token} comes after its task, as in inv {name} {token}. {_ALL_TASKS}"
        return f"{token} is no flag of inv. {_ALL_TASKS}"
    if any(name.startswith(f"{token}.") for name in tasks):
        return f"{token} is a group of tasks: inv --list {token}"
    # A task of a group may be asked for without the group's name.
    by_word = {word: name for name in tasks for word in (name.rpartition(".")[2], name)}
    meant = _nearest(token, by_word)
    return f"there is no task {token}{_suggestion(by_word[word] for word in meant)} {_ALL_TASKS}"


def _not_a_flag(token: str, task: ParserContext) -> str:
    flags = [flag for flag in (*task.flags, *task.inverse_flags) if flag.startswith("--")]
    meant = _suggestion(_nearest(token, flags))
    return f"inv {task.name} has no flag {token}{meant} All its flags: inv {task.name} --help"


def _too_much(token: str, task: ParserContext, tasks: Mapping[str, ParserContext]) -> str:
    more = f"More: inv {task.name} --help"
    for flag in _replacing(task, {str(arg.name) for arg in task.positional_args}):
        if task.flags[flag].got_value:
            return f"{flag} of inv {task.name} takes the place of {token}: leave one out. {more}"
    meant = _suggestion(_nearest(token, tasks))
    return f"inv {task.name} takes no argument {token}, and no task is called so{meant} {more}"


def _replacing(task: ParserContext, names: set[str]) -> list[str]:
    """Return the flags that take the place of one of these arguments."""
    found = {flag: getattr(arg, "replaced", None) for flag, arg in task.flags.items()}
    return [
        flag
        for flag, arg in found.items()
        if flag.startswith("--") and arg is not None and arg.name in names
    ]


def _nearest(token: str, names: Iterable[str]) -> list[str]:
    # Two letters of six may differ; a guess that is farther off would mislead.
    return difflib.get_close_matches(token.replace("_", "-"), list(names), n=2, cutoff=0.65)


def _suggestion(meant: Iterable[str]) -> str:
    names = list(dict.fromkeys(meant))
    return f"; did you mean {' or '.join(names)}?" if names else "."


def _unquoted(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text
