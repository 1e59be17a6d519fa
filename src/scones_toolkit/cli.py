"""How a task meets its user: errors become one sentence and exit code 1, never a trace."""

import functools
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from invoke.exceptions import Exit

from local_aws.errors import LocalAwsError
from scones_core.errors import DeployError, SconesError

P = ParamSpec("P")
R = TypeVar("R")


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its expected errors turned into invoke's Exit.

    Ctrl-C and SIGTERM leave through the same `finally` blocks and exit with 130.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            return function(*args, **kwargs)
        except (SconesError, LocalAwsError) as error:
            raise Exit(f"error: {error}", code=1) from None
        except (ClientError, BotoCoreError) as error:
            raise Exit(f"error: AWS refused or could not be reached: {error}", code=1) from None
        except KeyboardInterrupt:
            raise Exit("interrupted; everything that was started is stopped", code=130) from None

    return call


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def given(**values: Any) -> dict[str, Any]:
    """Return the flags that were given; invoke passes empty texts for the others."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def confirm(what: str, environment: str) -> None:
    """Ask for the environment's name; raises DeployError where another one is typed."""
    if not sys.stdin.isatty():
        raise DeployError(f"{what} Nobody is there to confirm that; give --yes.")
    typed = input(f"{what} Type its name to go on: ")
    if typed.strip() != environment:
        raise DeployError(f"{typed!r} is not {environment!r}; nothing was changed.")
