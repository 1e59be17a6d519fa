import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from invoke import Collection
from invoke.program import Program

from scones_toolkit.cli import InsteadOf, task
from scones_toolkit.usage import UsageProgram, explain_usage_errors


@task("inv train --epochs 3")
def train(*, epochs: int = 1, image_side: int | None = None, dry: bool = False) -> None: ...


@task("inv predict x.png")
def predict(
    picture: Annotated[str, "a file"],
    *,
    page: Annotated[bool, "a page", InsteadOf("picture")] = False,
) -> None:
    SEEN.append((picture, page))


@task("inv local.up")
def up() -> None: ...


ROOT = Path(__file__).parents[3]
SEEN: list[tuple[str, bool]] = []


def program() -> Program:
    tasks = Collection(train, predict)
    tasks.add_collection(Collection("local", up))
    return UsageProgram(namespace=tasks)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("trian", "there is no task trian; did you mean train? All tasks: inv --list"),
        ("--help trian", "there is no task trian; did you mean train? All tasks: inv --list"),
        ("zzz", "there is no task zzz. All tasks: inv --list"),
        ("up", "there is no task up; did you mean local.up? All tasks: inv --list"),
        ("local", "local is a group of tasks: inv --list local"),
        ("--list locl", "no group of tasks is called locl, only local. All tasks: inv --list"),
        (
            "train --epoch 3",
            "inv train has no flag --epoch; did you mean --epochs? All its flags: inv train --help",
        ),
        (
            "train --image_side 3",
            "inv train has no flag --image_side; did you mean --image-side? All its flags: "
            "inv train --help",
        ),
        ("train --zzz", "inv train has no flag --zzz. All its flags: inv train --help"),
        ("train --epochs", "--epochs of inv train needs a value. More: inv train --help"),
        ("train --epochs three", "--epochs is an integer, not 'three'."),
        (
            "train predcit",
            "inv train takes no argument predcit, and no task is called so; did you mean predict? "
            "More: inv train --help",
        ),
        ("--epochs 3 train", "--epochs comes after its task, as in inv train --epochs."),
        ("--zzz", "--zzz is no flag of inv. All tasks: inv --list"),
        ("predict", "inv predict needs PICTURE (a file), or --page. More: inv predict --help"),
        (
            "predict --page x.png",
            "--page of inv predict takes the place of x.png: leave one out. More: "
            "inv predict --help",
        ),
    ],
)
def test_a_mistyped_line_is_one_sentence_with_what_was_meant(
    line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program().run(["inv", *line.split()])
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {sentence}")
    assert shown.err.count("\n") == 1 and not shown.out


def test_what_is_typed_is_shown_without_its_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        program().run(["inv", "tr\x1b[31main"])
    assert "\x1b" not in capsys.readouterr().err


def test_a_running_program_of_invoke_reports_a_mistyped_line_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = Program(namespace=Collection(train))
    explain_usage_errors(plain)
    with pytest.raises(SystemExit) as ended:
        plain.run(["inv", "trian"])
    assert ended.value.code == 2
    assert "did you mean train?" in capsys.readouterr().err


def test_a_positional_argument_beside_the_flag_in_its_place_reaches_the_task() -> None:
    SEEN.clear()
    program().run(["inv", "predict", "x.png", "--page"], exit=False)
    assert SEEN == [("x.png", True)]


@pytest.mark.parametrize("line", ["plan", "", "--list", "plan --env dev"])
def test_outside_of_a_checkout_the_way_to_one_is_said(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        UsageProgram().run(["inv", *line.split()])
    assert ended.value.code == 2
    assert f"error: {tmp_path} is not in a checkout of the project" in capsys.readouterr().err


def test_an_incomplete_environment_is_said_in_a_sentence() -> None:
    program = "import sys; sys.modules['local_aws'] = None; import tasks"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: local_aws")
    assert "make setup" in done.stderr and "Traceback" not in done.stderr
