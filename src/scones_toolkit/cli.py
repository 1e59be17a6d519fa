"""Command line: flags from a function's types, errors as one sentence, questions."""

import errno
import functools
import inspect
import io
import os
import signal
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType, NoneType, TracebackType, UnionType
from typing import Annotated, Any, Literal, NoReturn, ParamSpec, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.tasks import Task

from local_aws.errors import LocalAwsError
from scones_core.errors import DeployError, SconesError, SettingsError
from scones_core.uris import is_on_this_host
from scones_toolkit.console import sentence
from scones_toolkit.project import Environment, Project

# What a host says of a file that is the user's to settle, and what settles it.
ELSEWHERE = (
    "Make it writable, or name other folders with SCONES_PROJECT_BUILD_DIR, "
    "SCONES_PROJECT_LOCAL_DIR and SCONES_PROJECT_CACHE_DIR."
)
NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
SIGN_IN = (
    "name a profile in AWS_PROFILE, or sign in again with `aws sso login`. An environment in the "
    "embedded AWS needs: eval $(inv local.env)"
)
SHORTER = "Give a shorter name: this host takes 255 bytes of one in a path."
MORE_ROOM = "Free some space; what is in build and .cache can be made again."
# Where release files are, which no setting moves.
IN_CHECKOUT = "/terraform/environments/"
HOST_FAULTS = {
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.EROFS: ELSEWHERE,
    errno.ENAMETOOLONG: SHORTER,
    errno.ENOSPC: MORE_ROOM,
    errno.EDQUOT: MORE_ROOM,
}

P = ParamSpec("P")
R = TypeVar("R")

# Flags that several tasks have.
Backend = Annotated[
    Literal["sagemaker", "local"],
    "sagemaker, or local: the same program on this host, without AWS",
]
Source = Annotated[
    str | None,
    "auto, cifar100, synthetic, or a path: CIFAR archive, image folder, MNIST; "
    "default: [dataset] source",
]
Classes = Annotated[str | None, "class names, comma separated, in the model's order; or all"]
ImageSide = Annotated[int | None, "width and height in pixels; default: the source's"]
ImageMode = Annotated[Literal["rgb", "grey"] | None, "rgb, or grey for one channel"]
Epochs = Annotated[int | None, "passes over the training images; default: the recipe's"]
AllowDestroy = Annotated[
    bool,
    "accept that an endpoint, state machine, bucket, key, image repository or model registry is "
    "destroyed",
]
Yes = Annotated[bool, "do not ask for confirmation"]
Summary = Annotated[Path | None, "also write the result to this file, as Markdown"]
ReleaseId = Annotated[str | None, "its id; default: the active one"]
# How a shell reports a program that was ended as nobody read its output.
READER_GONE = 141
# What a parameter of type Project adds to the command line.
ENV = inspect.Parameter(
    "env",
    inspect.Parameter.KEYWORD_ONLY,
    default="local",
    annotation=Annotated[Environment, "environment"],
)
VERBOSE = inspect.Parameter(
    "verbose",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, "print all of Terraform's output"],
)


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """Marks a flag that takes the place of a positional parameter, which is "" then."""

    parameter: str


@dataclass(frozen=True, slots=True)
class GoesWith:
    """Marks a flag that is used only where another one has one of these values.

    Without values: where the other one is given. Given without it, the flag would be ignored, and
    the task does not run.
    """

    parameter: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class NotWith:
    """Marks a flag that another one makes useless: the task does not run with both."""

    parameter: str


def task(
    example: str, *, name: str | None = None, local: bool = False, terraform: bool = False
) -> Callable[[Callable[..., object]], "TypedTask"]:
    """Return a decorator that makes an invoke task of a typed function.

    Each parameter is a flag of its type: `str`, `int`, `float`, `bool`, `Path`, `Literal` (the
    choices), `tuple[str, ...]` (may be repeated), or one of these and None. `Annotated[type,
    "help"]` adds its help; one without a default is positional. A first parameter of type Project
    gets the project of the folder that `tasks_of` names, in the environment of the flag `--env`;
    `local` fixes that to `local`. `terraform` adds `--verbose`. `example` ends the help.
    """

    def decorate(function: Callable[..., object]) -> TypedTask:
        made = TypedTask(function, name=name, local=local, terraform=terraform)
        made.__doc__ = f"{inspect.getdoc(function)}\n\nExample: {example}"
        return made

    return decorate


class TypedTask(Task[Callable[..., None]]):
    """An invoke task whose arguments follow from its function's annotations."""

    def __init__(
        self, function: Callable[..., object], *, name: str | None, local: bool, terraform: bool
    ) -> None:
        hints = typing.get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())
        self.root = Path.cwd()
        self.takes_project = bool(own) and hints[own[0].name] is Project
        own = own[1:] if self.takes_project else own
        flags = [ENV] if self.takes_project and not local else []
        flags += [VERBOSE] if terraform else []
        self.parameters = [p.replace(annotation=hints[p.name]) for p in own] + flags
        self.function = function
        positional = [p.name for p in own if p.default is inspect.Parameter.empty]
        super().__init__(self._body(), name=name, positional=positional)

    def _body(self) -> Callable[..., None]:
        @functools.wraps(self.function)
        def body(_context: object, **values: Any) -> None:
            handle_errors(self._run)(values)

        del body.__wrapped__
        return body

    def _run(self, values: dict[str, Any]) -> None:
        environment, verbose = values.pop("env", "local"), values.pop("verbose", False)
        values = {
            p.name: _converted(p, values[p.name]) for p in self.parameters if p.name in values
        }
        self._require_used(values)
        if self.takes_project:
            project = Project.open(self.root, environment, verbose=verbose)
            _warn_of_loopback(project)
            self.function(project, **values)
        else:
            self.function(**values)

    def _require_used(self, values: dict[str, Any]) -> None:
        """Raise SettingsError for a flag that is given, and that the others leave without use."""
        default = {parameter.name: parameter.default for parameter in self.parameters}
        for parameter in self.parameters:
            if values.get(parameter.name, parameter.default) == parameter.default:
                continue
            for mark in getattr(parameter.annotation, "__metadata__", ()):
                flag = _flag(parameter.name)
                if isinstance(mark, NotWith):
                    if values[mark.parameter] != default[mark.parameter]:
                        other = _flag(mark.parameter)
                        raise SettingsError(f"{flag} has no use with {other}: leave one out.")
                elif isinstance(mark, GoesWith):
                    other, value = _flag(mark.parameter), values[mark.parameter]
                    used = value in mark.values if mark.values else value != default[mark.parameter]
                    if not used:
                        wanted = f" {' or '.join(map(str, mark.values))}" if mark.values else ""
                        raise SettingsError(f"{flag} goes with {other}{wanted}; leave it out.")

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the flags of the function's parameters."""
        del ignore_unknown_help
        # -h asks every task for its help, so no parameter may have it as its short flag.
        taken = {"h", *(parameter.name for parameter in self.parameters)}
        found: list[TypedArgument] = []
        for parameter in self.parameters:
            options = self.arg_opts(parameter.name, "", taken)
            argument = TypedArgument(parameter, options)
            taken.update(argument.names)
            found.append(argument)
        by_name = {argument.name: argument for argument in found}
        for parameter, argument in zip(self.parameters, found, strict=True):
            for mark in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(mark, InsteadOf):
                    argument.replaced = by_name[mark.parameter]
        return list[Argument](found)


def _flag(parameter: str) -> str:
    return f"--{parameter.strip('_').replace('_', '-')}"


def tasks_of(root: Path, *modules: ModuleType) -> list[TypedTask]:
    """Return the tasks that the modules define, in their order, for the project in `root`."""
    sys.excepthook = _end_quietly
    found = [made for one in modules for made in vars(one).values() if isinstance(made, TypedTask)]
    for made in found:
        made.root = root
    return found


class TypedArgument(Argument):
    """A flag of one parameter: its type, its choices, and its help with the default."""

    def __init__(self, parameter: inspect.Parameter, options: dict[str, Any]) -> None:
        base, self.choices, text = _described(parameter.annotation)
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        # Invoke shows no value in the help of a flag that may be repeated, nor for a float.
        text = f"STRING, may be repeated: {text}" if base is tuple else text
        text = f"NUMBER, {text}" if base is float else text
        kinds = {int: int, float: float, bool: bool, tuple: list}
        options |= {"kind": kinds.get(base, str), "default": default}
        super().__init__(**options, help="; ".join(_help(text, self.choices, default)))
        # What need not be given where this flag is.
        self.replaced: TypedArgument | None = None

    def __repr__(self) -> str:
        """Return the flag as it is typed: Invoke's messages show this."""
        return f"--{self.names[0]}"

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Set the value from the command line; raises ParseError for one of another type."""
        if cast and self.choices and value not in self.choices:
            raise ParseError(f"--{self.names[0]} is {_list(self.choices)}, not {value!r}.")
        try:
            super().set_value(value, cast)
        except ValueError:
            kind = "a number" if self.kind is float else "an integer"
            raise ParseError(f"--{self.names[0]} is {kind}, not {value!r}.") from None
        # One that was given stays: the task refuses both, and drops neither unseen.
        if self.replaced is not None and self.replaced.raw_value is None:
            self.replaced.set_value("")


def _described(annotation: Any) -> tuple[Any, tuple[str, ...], str]:
    """Return the plain type of an annotation, its choices and its help."""
    text = ""
    if typing.get_origin(annotation) is Annotated:
        annotation, text = typing.get_args(annotation)[:2]
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not NoneType)
    if typing.get_origin(annotation) is Literal:
        return str, typing.get_args(annotation), text
    return typing.get_origin(annotation) or annotation, (), text


def _help(text: str, choices: tuple[str, ...], default: object) -> Iterator[str]:
    if text:
        yield text
    if choices and text.partition(",")[0] not in choices:
        yield _list(choices)
    if default not in (None, "", False, ()):
        yield f"default: {default}"


def _list(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _converted(parameter: inspect.Parameter, value: Any) -> Any:
    base = _described(parameter.annotation)[0]
    if base is tuple:
        return tuple(value)
    return Path(value).expanduser() if base is Path and value is not None else value


def handle_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its expected errors turned into invoke's Exit.

    So are a folder that cannot be written and a full disk, which are the host's to settle.
    Ctrl-C and SIGTERM leave through the same `finally` blocks and exit with 130, as does an
    output that nobody reads any more, with 141.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signal.signal(signal.SIGTERM, _interrupt)
        _print_any_text()
        try:
            return function(*args, **kwargs)
        except (SconesError, LocalAwsError) as error:
            raise Exit(sentence(f"error: {error}"), code=1) from None
        except NO_CREDENTIALS as error:
            text = f"error: AWS credentials are missing or incomplete ({error}): {SIGN_IN}"
            raise Exit(sentence(text), code=1) from None
        except (ClientError, BotoCoreError) as error:
            text = f"error: AWS refused or could not be reached: {error}"
            raise Exit(sentence(text), code=1) from None
        except BrokenPipeError:
            _stop_writing()
            raise Exit(code=READER_GONE) from None
        except OSError as error:
            if error.errno not in HOST_FAULTS:
                raise
            raise Exit(sentence(f"error: {_host_fault(error)}"), code=1) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", code=130) from None

    return call


def _print_any_text() -> None:
    """Have stdout take every text: a locale without UTF-8 lacks bars and a person's umlauts."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _host_fault(error: OSError) -> str:
    # Of a write to an open file, the host does not say which.
    where = f"{error.filename} cannot be used" if error.filename else "A file cannot be written"
    advice = HOST_FAULTS[error.errno or 0]
    if advice is ELSEWHERE and IN_CHECKOUT in str(error.filename):
        advice = "Make it writable: an environment's releases are a part of the checkout."
    return f"{where}: {error.strerror}. {advice}"


def _stop_writing() -> None:
    """Let go of what is still to be written: whoever read it, like `head`, has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_quietly(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """End as `handle_errors` does where Invoke itself, at its help, finds no reader."""
    if isinstance(error, BrokenPipeError):
        _stop_writing()
        raise SystemExit(READER_GONE)
    sys.__excepthook__(kind, error, trace)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _warn_of_loopback(project: Project) -> None:
    """Say on stderr where an account's environment would go to a server of this host."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    if project.environment != "local" and is_on_this_host(url):
        project.on_stderr().console.warn(
            f"AWS_ENDPOINT_URL is {url}: {project.environment} is this host's embedded AWS, "
            "not an AWS account."
        )


def confirm(consequence: str, environment: str) -> None:
    """Ask for the environment's name; raises DeployError where another one is typed."""
    if not sys.stdin.isatty():
        raise DeployError(f"{consequence} Not a terminal: pass --yes to confirm.")
    typed = input(f"{consequence} Type its name to go on: ")
    if typed.strip() != environment:
        raise DeployError(f"{typed!r} is not {environment!r}; nothing was changed.")
