"""How this checkout's tasks are called in the shell that runs one of them."""

import functools
import re
import shlex
import shutil
import sys
from pathlib import Path

# A task in a sentence, as `inv local.up` or `inv --list`; not the end of a path or a word.
_TASK = re.compile(r"(?<![\w./-])inv(?= (?:--)?[a-z])")


def program_name(program: str, search: str | None = None) -> str:
    """Return how `inv` is to be called: by the path of `program` where PATH finds no or another.

    `search` is a PATH; without it, this process's own. For another program it is `inv`.
    """
    running = Path(program).absolute()
    found = shutil.which("inv", path=search)
    if running.name != "inv" or (found and Path(found).resolve() == running.resolve()):
        return "inv"
    here = Path.cwd()
    return shlex.quote(str(running.relative_to(here) if running.is_relative_to(here) else running))


@functools.cache
def this_program() -> str:
    """Return how `inv` is to be called in the shell that started this process."""
    return program_name(sys.argv[0])


def pasteable(sentence: str, program: str | None = None) -> str:
    """Return a sentence whose tasks, like `inv apply`, can be pasted into the shell as they are.

    `program` is how `inv` is called; without it, as in the shell that started this process.
    """
    name = program or this_program()
    return _TASK.sub(lambda _: name, sentence)
