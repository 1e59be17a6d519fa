"""The command `local-aws`: start, stop and inspect an embedded AWS from a terminal."""

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from local_aws.control import ImageCommands, LocalAws
from local_aws.errors import LocalAwsError

HOME_VARIABLE = "LOCAL_AWS_HOME"
DEFAULT_HOME = ".local-aws"
DEFAULT_PORT = 5055


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status, 1 after an error's one sentence."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except LocalAwsError as error:
        print(plain(str(error)), file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local-aws", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        about = (run.__doc__ or "").partition("\n")[0]
        made = commands.add_parser(name, help=about, description=about)
        made.add_argument(
            "--home",
            type=Path,
            default=Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME),
            help=f"the folder of the server (default: ${HOME_VARIABLE}, else {DEFAULT_HOME})",
        )
        made.set_defaults(run=run)
        return made

    start_command = command("start", start)
    start_command.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0: a free port (default: %(default)s)"
    )
    start_command.add_argument(
        "--images", type=Path, help="JSON file: programs by image name, see the README"
    )
    start_command.add_argument("--forget", action="store_true", help="neither load nor save state")
    command("stop", stop)
    command("status", status)
    reset_command = command("reset", reset)
    reset_command.add_argument("--yes", action="store_true", help="remove without asking")
    logs_command = command("logs", logs)
    logs_command.add_argument("group", nargs="?", default="", help="a log group's name")
    command("access", access)
    command("patches", list_patches)
    return parser


def start(arguments: argparse.Namespace) -> None:
    """Start the server, and print the variables that point AWS clients at it."""
    if LocalAws.is_running(arguments.home.resolve()):
        aws = LocalAws.attach(arguments.home)
        print(f"# It is already running at {aws.endpoint_url}.")
    else:
        images = read_images(arguments.images) if arguments.images else {}
        keep = not arguments.forget
        aws = LocalAws.start(arguments.home, arguments.port, images, keep=keep)
        print(f"# The embedded AWS runs at {aws.endpoint_url}; log: {aws.home / 'server.log'}")
    for name, value in aws.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    _print_problems(aws)


def read_images(path: Path) -> dict[str, ImageCommands]:
    """Return the image map of a JSON file; raises LocalAwsError where it is none."""
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        images = {}
        for glob, commands in found.items():
            environment = commands.pop("environment", {})
            programs = {name: tuple(map(str, argv)) for name, argv in commands.items()}
            images[glob] = ImageCommands(**programs, environment=environment)
        return images
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise LocalAwsError(
            f"{path} is not an image map ({error}); write "
            '{"name-*": {"train": ["python", "train.py"], "serve": ["python", "serve.py"]}}.'
        ) from error


def stop(arguments: argparse.Namespace) -> None:
    """Stop the server with everything that it started; what is deployed is kept."""
    LocalAws.attach(arguments.home).stop()
    print("The embedded AWS is stopped.")


def status(arguments: argparse.Namespace) -> None:
    """Print the address, the running processes, and problems."""
    aws = LocalAws.attach(arguments.home)
    print(f"The embedded AWS runs at {aws.endpoint_url} (process {aws.record.pid}).")
    rows = [
        (process["owner"], str(process["pid"]), f"{process['memory_mb'] or '?'} MB")
        for process in aws.processes()
    ]
    _print_table(rows)
    _print_problems(aws)


def reset(arguments: argparse.Namespace) -> None:
    """Stop a running server, and remove everything that is deployed."""
    home = arguments.home.resolve()
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise LocalAwsError("Not a terminal: pass --yes to confirm.")
        if input(f"Remove everything that is deployed in {home}? [y/N] ").lower() != "y":
            raise LocalAwsError("Nothing was removed.")
    if LocalAws.is_running(home):
        LocalAws.attach(home).stop()
    LocalAws.reset(home)
    print(f"Nothing is deployed in {home} any more.")


def logs(arguments: argparse.Namespace) -> None:
    """Print the server's log, or the events of a log group."""
    if not arguments.group:
        log = arguments.home / "server.log"
        if not log.is_file():
            raise LocalAwsError(f"There is no {log}; start the server first.")
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                print(plain(line.rstrip("\n")))
        return
    aws = LocalAws.attach(arguments.home)
    for event in aws.log_events(arguments.group):
        print(plain(event))


def access(arguments: argparse.Namespace) -> None:
    """Print which actions each statement of the roles' policies allowed since the start."""
    _print_table(
        [
            (
                str(use["role"]).rpartition("/")[2],
                str(use["sid"]),
                " ".join(use["used"]) or "-",
                f"unused: {' '.join(use['unused']) or '-'}",
            )
            for use in LocalAws.attach(arguments.home).access()
        ]
    )


def list_patches(arguments: argparse.Namespace) -> None:
    """Print the patches of moto: the symbol, moto's version, and the fault."""
    if LocalAws.is_running(arguments.home.resolve()):
        found = LocalAws.attach(arguments.home).patches()
    else:
        with (
            tempfile.TemporaryDirectory() as home,
            LocalAws.start(Path(home), 0, {}, keep=False) as aws,
        ):
            found = aws.patches()
    for patch in found:
        print(f"{patch['symbol']}  (moto {patch['moto_version']})")
        print(f"    {patch['why']}{'; ' + patch['upstream'] if patch['upstream'] else ''}")


def plain(text: str) -> str:
    """Return text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def _print_problems(aws: LocalAws) -> None:
    for problem in aws.problems():
        print(plain(problem), file=sys.stderr)


def _print_table(rows: Iterable[Sequence[Any]]) -> None:
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


if __name__ == "__main__":
    sys.exit(main())
