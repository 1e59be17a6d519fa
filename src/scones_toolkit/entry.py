"""The program `inv`. It imports nothing at the top: Ctrl-C while the rest loads is no fault."""

import sys


def main() -> None:
    """Run `inv`; ends with exit code 130 and one word where it is interrupted as it loads."""
    try:
        from scones_toolkit.usage import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run()
