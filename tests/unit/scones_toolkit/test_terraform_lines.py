import io
from pathlib import Path

from rich.console import Console as RichConsole

from scones_toolkit.console import Console, TerraformLines

APPLY = [
    "aws_s3_bucket.a: Creating...",
    "aws_s3_bucket.a: Creation complete after 1s [id=a]",
    "aws_s3_bucket.b: Modifications complete after 0s [id=b]",
]


def lines(tmp_path: Path, *, verbose: bool) -> tuple[TerraformLines, io.StringIO]:
    out = io.StringIO()
    console = Console(RichConsole(file=out, soft_wrap=True, highlight=False))
    return TerraformLines(console, tmp_path / "env" / "terraform.log", verbose=verbose), out


def test_every_line_is_kept_whether_shown_or_not(tmp_path: Path) -> None:
    quiet, out = lines(tmp_path, verbose=False)
    for line in APPLY:
        quiet(line)
    assert quiet.log.read_text().splitlines() == APPLY
    assert out.getvalue() == ""


def test_a_reviewer_sees_each_line(tmp_path: Path) -> None:
    verbose, out = lines(tmp_path, verbose=True)
    with verbose.counting(2):
        for line in APPLY:
            verbose(line)
    assert [line.strip() for line in out.getvalue().splitlines()] == APPLY


def test_an_apply_is_shown_by_the_resources_that_are_done(tmp_path: Path) -> None:
    quiet, out = lines(tmp_path, verbose=False)
    with quiet.counting(2):
        for line in APPLY:
            quiet(line)
    assert out.getvalue().startswith("  resources 2/2  ")
