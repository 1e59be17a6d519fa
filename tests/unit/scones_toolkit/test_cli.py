import errno
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal, get_args

import pytest
from botocore.exceptions import (
    BotoCoreError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
)
from invoke import Collection, Context
from invoke.exceptions import Exit, ParseError
from invoke.parser import Parser

from scones_core.errors import DatasetError
from scones_deploy.terraform.plan import PROTECTED
from scones_toolkit import cli
from scones_toolkit.cli import (
    AllowDestroy,
    GoesWith,
    InsteadOf,
    NotWith,
    handle_errors,
    task,
    tasks_of,
)
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from tests.support.environments.checkout import ROOT


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DatasetError("no such archive"), 1, "error: no such archive"),
        (EndpointConnectionError(endpoint_url="http://x"), 1, "could not be reached"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_expected_error_is_a_sentence_and_an_exit_code(
    error: BaseException, code: int, message: str
) -> None:
    @handle_errors
    def task() -> None:
        raise error

    with pytest.raises(Exit, match=message) as caught:
        task()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "build/a"),
            "error: build/a cannot be used: Read-only file system. Make it writable, or name other "
            "folders with SCONES_PROJECT_BUILD_DIR",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "a cannot be used: Permission"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "aaa"),
            "aaa cannot be used: File name too long. Give a shorter name",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "error: A file cannot be written: No space left on device. Free some space",
        ),
        (
            OSError(errno.EROFS, "Read-only", "/c/terraform/environments/dev/release.tfvars.json"),
            "release.tfvars.json cannot be used: Read-only. Make it writable: an environment's",
        ),
    ],
)
def test_a_fault_of_the_host_is_a_sentence_with_what_settles_it(
    error: OSError, message: str
) -> None:
    @handle_errors
    def task() -> None:
        raise error

    with pytest.raises(Exit, match=re.escape(message)) as caught:
        task()
    assert caught.value.code == 1


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        ProfileNotFound(profile="work"),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        SSOTokenLoadError(error_msg="expired"),
    ],
)
def test_credentials_that_are_missing_are_said_with_the_ways_to_some(error: BotoCoreError) -> None:
    @handle_errors
    def task() -> None:
        raise error

    with pytest.raises(Exit, match=r"credentials are missing .*AWS_PROFILE.*inv local\.env"):
        task()


def test_another_fault_with_a_file_keeps_its_stack_trace() -> None:
    @handle_errors
    def task() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(OSError, match="Bad file"):
        task()


def test_a_bug_keeps_its_stack_trace() -> None:
    @handle_errors
    def task() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        task()


def test_termination_runs_the_clean_up_and_exits_like_an_interrupt() -> None:
    cleaned = []

    @handle_errors
    def task() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(Exit):
            task()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert cleaned == [True]


@task("inv count 3 --how quickly", name="count")
def example(
    number: Annotated[int, "how many"],
    *,
    how: Literal["slowly", "quickly"] = "slowly",
    image: Annotated[tuple[str, ...], "its location"] = (),
    seed: int | None = None,
    where: Path | None = None,
    loud: bool = False,
) -> None:
    """Count.

    Aloud, or not.
    """
    GOT.append((number, how, image, seed, where, loud))


GOT: list[tuple[object, ...]] = []


@pytest.fixture
def counting() -> Parser:
    GOT.clear()
    return Parser(contexts=Collection(example).to_contexts())


def run(parser: Parser, *message: str) -> object:
    (context,) = parser.parse_argv(list(message))
    example(Context(), **{arg.name: arg.value for arg in context.args.values()})
    return GOT.pop()


def test_a_tasks_flags_are_its_parameters_by_their_types(counting: Parser) -> None:
    assert run(counting, "count", "3") == (3, "slowly", (), None, None, False)
    given = ("--how", "quickly", "--image", "a", "--image", "b", "--seed", "0", "--where", "x")
    expected = (3, "quickly", ("a", "b"), 0, Path("x"), True)
    assert run(counting, "count", "3", *given, "--loud") == expected


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (["count", "three"], "--number is an integer, not 'three'"),
        (["count", "3", "--seed", "1.5"], "--seed is an integer, not '1.5'"),
        (["count", "3", "--how", "fast"], "--how is slowly or quickly, not 'fast'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(
    counting: Parser, message: list[str], sentence: str
) -> None:
    with pytest.raises(ParseError, match=re.escape(sentence)):
        counting.parse_argv(message)


def test_the_help_has_defaults_choices_and_the_example(counting: Parser) -> None:
    (context,) = counting.parse_argv(["count", "3"])
    shown = dict(context.help_tuples())
    assert shown["-o STRING, --how=STRING"] == "slowly or quickly; default: slowly"
    assert shown["-n INT, --number=INT"] == "how many"
    assert shown["-i, --image"] == "STRING, may be repeated: its location"
    assert example.__doc__ is not None and example.__doc__.endswith(
        "Example: inv count 3 --how quickly"
    )


def test_the_letter_that_asks_for_help_is_no_tasks_flag() -> None:
    @task("inv haul --heavy")
    def haul(*, heavy: Annotated[bool, "much"] = False) -> None:
        raise Exit(str(heavy))

    (context,) = Collection(haul).to_contexts()
    assert "-h" not in context.flags
    assert context.flags["-e"].name == "heavy"


def test_a_flag_without_its_value_is_named_as_it_was_typed() -> None:
    @task("inv add --image-side 32")
    def add(*, image_side: Annotated[int | None, "pixels"] = None) -> None: ...

    parser = Parser(contexts=Collection(add).to_contexts())
    with pytest.raises(ParseError, match="Flag --image-side needed value"):
        parser.parse_argv(["add", "--image-side"])


def test_a_flag_may_take_the_place_of_a_positional_argument() -> None:
    seen = []

    @task("inv show x")
    def show(
        what: Annotated[str, "a name"],
        *,
        everything: Annotated[bool, "all of them", InsteadOf("what")] = False,
    ) -> None:
        seen.append((what, everything))

    parser = Parser(contexts=Collection(show).to_contexts())
    for arguments in (["show", "x"], ["show", "--everything"], ["show", "x", "--everything"]):
        (context,) = parser.parse_argv(arguments)
        show(Context(), **{arg.name: arg.value for arg in context.args.values()})
    assert seen == [("x", False), ("", True), ("x", True)]
    for wrong, message in ((["show"], "'what'"), (["show", "--everything", "x"], "No idea")):
        with pytest.raises(ParseError, match=message):
            parser.parse_argv(wrong)


@task("inv fit")
def fit(
    *,
    where: Annotated[Literal["here", "there"], "a place"] = "here",
    spot: Annotated[bool, "cheap", GoesWith("where", ("there", "elsewhere"))] = False,
    sample: Annotated[int | None, "how many"] = None,
    seed: Annotated[int, "draws", GoesWith("sample")] = 0,
    from_: Annotated[str | None, "since", NotWith("sample")] = None,
) -> None:
    raise Exit(f"{where} {spot} {sample} {seed} {from_}", code=7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "here False None 0 None"),
        (["--where", "there", "--spot"], "there True None 0 None"),
        (["--sample", "3", "--seed", "2"], "here False 3 2 None"),
        (["--from", "x"], "here False None 0 x"),
        (["--spot"], "error: --spot goes with --where there or elsewhere; leave it out."),
        (["--seed", "2"], "error: --seed goes with --sample; leave it out."),
        (
            ["--sample", "3", "--from", "x"],
            "error: --from has no use with --sample: leave one out.",
        ),
    ],
)
def test_a_flag_that_the_others_leave_without_use_is_refused(
    given: list[str], message: str
) -> None:
    (context,) = Parser(contexts=Collection(fit).to_contexts()).parse_argv(["fit", *given])
    with pytest.raises(Exit) as caught:
        fit(Context(), **{arg.name: arg.value for arg in context.args.values()})
    assert caught.value.message == message


def test_a_project_is_opened_in_the_folder_and_environment_that_are_named(tmp_path: Path) -> None:
    opened = []

    @task("inv look --env dev")
    def look(project: Project) -> None:
        opened.append((project.root, project.environment))

    module = ModuleType("commands")
    module.look = look  # type: ignore[attr-defined]
    for made in tasks_of(tmp_path, module):
        made(Context(), env="dev")
    assert opened == [(tmp_path, "dev")]


def test_a_reader_that_has_seen_enough_gets_no_stack_trace() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-u", "-m", "invoke", "--list"],
            cwd=ROOT,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_task_whose_reader_is_gone_ends_as_one_that_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = []
    monkeypatch.setattr(cli, "_stop_writing", lambda: let_go.append(True))

    @handle_errors
    def write() -> None:
        raise BrokenPipeError

    with pytest.raises(Exit) as caught:
        write()
    assert caught.value.code == 141
    assert not caught.value.message
    assert let_go


def test_a_locale_without_a_character_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))

    @handle_errors
    def show() -> None:
        Console().say("Fahrräder \u2588\u2588 98\u202f%")
        Console().raw("Rad \u2192")
        sys.stdout.flush()

    show()
    assert written.getvalue().decode("latin-1") == "Fahrräder ?? 98?%\nRad ?\n"


def test_ctrl_c_while_the_tasks_are_loaded_ends_as_it_does_in_a_task(tmp_path: Path) -> None:
    package = tmp_path / "scones_toolkit"
    package.mkdir()
    (package / "__init__.py").write_text("raise KeyboardInterrupt")
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_the_flag_that_accepts_losses_names_all_that_is_protected() -> None:
    words = {
        "aws_ecr_repository": "image repository",
        "aws_kms_key": "key",
        "aws_s3_bucket": "bucket",
        "aws_sagemaker_endpoint": "endpoint",
        "aws_sagemaker_model_package_group": "model registry",
        "aws_sfn_state_machine": "state machine",
    }
    (help_text,) = get_args(AllowDestroy)[1:]
    assert [kind for kind in PROTECTED if words[kind] not in help_text] == []
