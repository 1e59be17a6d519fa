"""Print the entries of a hashed requirements lock that a list of packages names.

    python select_requirements.py packages.txt toolkit.lock > image.lock

Ends with 1 and one sentence for a package that the lock does not hold.
"""

import re
import sys
from pathlib import Path

_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def normalised(name: str) -> str:
    """Return a package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(lock: str) -> list[tuple[str, str]]:
    """Return (package, text) of each entry: its line and its indented hashes."""
    starts = [match.start() for match in _ENTRY.finditer(lock)]
    texts = [lock[a:b] for a, b in zip(starts, [*starts[1:], len(lock)], strict=True)]
    return [(normalised(text.partition("==")[0]), text) for text in texts]


def select(wanted: set[str], lock: str) -> str:
    """Return the lock of the wanted packages alone; raises KeyError for one it lacks."""
    found = [(name, text) for name, text in entries(lock) if name in wanted]
    missing = wanted - {name for name, _ in found}
    if missing:
        raise KeyError(min(missing))
    return "".join(text for _, text in found)


def main(arguments: list[str]) -> int:
    """Print the selection; return the exit code."""
    packages, lock = (Path(argument).read_text(encoding="utf-8") for argument in arguments)
    try:
        sys.stdout.write(select({normalised(name) for name in packages.split()}, lock))
    except KeyError as error:
        sys.stderr.write(f"The lock holds no {error.args[0]}; add it to its .in file.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
