import contextlib
import io
import os
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from scones_toolkit.console import Console, RichOutput, TerraformLines, plural
from scones_toolkit.project import Project


def written(width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(RichConsole(file=out, width=width, highlight=False, soft_wrap=True)), out


def test_one_is_no_plural() -> None:
    assert [plural(n, "image") for n in (0, 1, 1200)] == ["0 images", "1 image", "1,200 images"]


def test_progress_in_a_log_is_a_line_now_and_then_and_one_at_the_end() -> None:
    console, out = written()
    with console.progress("uploading") as advance:
        for done in range(1, 101):
            advance(done, 100)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1  # a hundred steps within a short time print nothing
    assert re.fullmatch(r"  uploading 100/100  \d+\.\d s", lines[0])


def test_an_end_that_is_reported_twice_is_printed_once_and_later_messages_are_not_lost() -> None:
    console, out = written()
    with console.progress("training") as advance:
        for note in ("", "", "held-out fold 1/2"):
            advance(24, 24, note)
    assert [line.split("  ")[1:-1] for line in out.getvalue().splitlines()] == [
        ["training 24/24"],
        ["training 24/24", "held-out fold 1/2"],
    ]


def test_the_works_own_estimate_is_shown_where_it_gives_one() -> None:
    out = io.StringIO()
    console = Console(RichConsole(file=out, width=100, force_terminal=True))
    with console.progress("training") as advance:
        advance(12, 24, left=90.4)
    assert "90 s left" in out.getvalue()


def test_what_goes_on_after_the_last_piece_is_not_said_to_be_done() -> None:
    console, out = written()
    with console.progress("training") as advance:
        advance(24, 24, left=30)
        advance(24, 24)
    assert [line.split()[:2] for line in out.getvalue().splitlines()] == [["training", "24/24"]]
    assert "left" not in out.getvalue()


def paced(*points: tuple[float, int], total: int, terminal: bool = False) -> str:
    """Return what is shown when so many pieces are done at these seconds."""
    out, now = io.StringIO(), [0.0]
    rich = RichConsole(file=out, width=100, soft_wrap=True, force_terminal=terminal)
    with Console(rich, clock=lambda: now[0]).progress("uploading") as advance:
        for second, done in points:
            now[0] = second
            advance(done, total)
    return out.getvalue()


def test_a_terminal_shows_the_count_the_rate_and_the_time_left() -> None:
    shown = paced((0, 1), (3, 7), total=9, terminal=True)
    assert "7/9" in shown
    assert "2.0/s, 1 s left" in shown


def test_the_rate_is_that_of_the_last_seconds_and_not_of_a_slow_start() -> None:
    # A minute passes before the first piece; then ten pieces a second are done.
    points = ((second, 10 * (second - 59)) for second in range(60, 90))
    assert paced(*points, total=600).splitlines()[-1].endswith("260/600  10/s, 34 s left")


def test_what_was_there_before_is_no_part_of_the_rate() -> None:
    shown = paced((6, 1001), (12, 1004), total=1010)
    assert shown.splitlines()[-1].endswith("1004/1010  0.5/s, 12 s left")


def test_there_is_no_estimate_before_there_is_something_to_estimate_from() -> None:
    assert "left" not in paced((59, 1), (60, 2), total=700)


HOSTILE = (
    "photos[/2024] [bold red]accepted[/] :smile:\x1b]52;c;cm0gLXJm\x07 "
    "\u202e\u200f\u2028gnp.exe\r\ud800.png"
)


@pytest.mark.parametrize("terminal", [False, True])
def test_text_from_outside_is_shown_and_not_obeyed(terminal: bool) -> None:
    out = io.StringIO()
    rich = RichConsole(file=out, width=200, force_terminal=terminal, color_system=None)
    console = Console(rich)
    console.say(HOSTILE)
    console.warn(HOSTILE)
    console.table(HOSTILE, {HOSTILE: HOSTILE})
    console.grid(HOSTILE, (HOSTILE, "b"), [(HOSTILE, 1)])
    with console.progress(HOSTILE) as advance:
        advance(1, 1, HOSTILE)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())  # what Rich moves its cursor by
    assert shown.count("photos[/2024] [bold red]accepted[/] :smile:") >= 8
    assert not set(shown) & set("\x1b\x07\u202e\u200f\u2028\ud800")
    shown.encode()


def test_a_line_end_in_a_cell_does_not_begin_a_row_and_one_in_a_text_stays() -> None:
    console, out = written()
    console.grid("", ("key", "state"), [("a\nb", "failed")])
    console.say("one\n\ttwo")
    assert out.getvalue().splitlines() == ["key  state", "a\ufffdb  failed", "one", "        two"]


def test_a_log_holds_neither_colour_nor_markup() -> None:
    console, out = written()
    console.warn("[bold]loud[/bold]")
    console.table("Summary", {"accuracy": 0.95})
    assert out.getvalue() == "[bold]loud[/bold]\nSummary\n  accuracy  0.95\n"


def test_a_table_in_a_log_keeps_every_cell_whole() -> None:
    console, out = written(width=20)
    key = "dataset/0123456789ab/test/motorcycle/0123456789abcdef.png"
    console.grid("First", ("image", "decision"), [(key, "accepted"), ("b", "review")])
    assert out.getvalue().splitlines() == [
        "First",
        f"{'image'.ljust(len(key))}  decision",
        f"{key}  accepted",
        f"{'b'.ljust(len(key))}  review",
    ]


@pytest.mark.parametrize("columns", [20, 40, 44, 45, 200])
def test_a_terminal_of_any_width_shows_every_cell_whole(columns: int) -> None:
    out = io.StringIO()
    rich = RichConsole(
        file=out, width=columns, force_terminal=True, color_system=None, soft_wrap=True
    )
    Console(rich).grid("", ("release", "state"), [("20261130-094023-f061", "deployed, not chosen")])
    shown = out.getvalue()
    assert ("┃" in shown) == (columns >= 45)
    for whole in ("release", "state", "20261130-094023-f061", "deployed, not chosen"):
        assert whole in shown


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


def test_a_wait_for_the_lock_of_the_state_is_said(tmp_path: Path) -> None:
    quiet, out = lines(tmp_path, verbose=False)
    quiet("Acquiring state lock. This may take a few moments...")
    assert out.getvalue() == "  Waiting for the lock of the state, which another run may hold.\n"


def test_an_apply_is_shown_by_the_resources_that_are_done(tmp_path: Path) -> None:
    quiet, out = lines(tmp_path, verbose=False)
    with quiet.counting(2):
        for line in APPLY:
            quiet(line)
    assert out.getvalue().startswith("  resources 2/2  ")


class Heard(io.StringIO):
    """A log that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        done = super().write(text)
        self.written.set()
        return done


def test_long_work_in_a_log_is_named_once_and_short_work_not_at_all() -> None:
    out = Heard()
    console = Console(RichConsole(file=out, width=100, soft_wrap=True), patience=0.0)
    with console.working("planning"):
        assert out.written.wait(10)
    assert out.getvalue() == "  planning ...\n"
    console, short = written()
    with console.working("planning"):
        pass
    assert short.getvalue() == ""


def test_work_that_does_not_know_yet_how_far_it_is_is_named_in_a_log() -> None:
    out = Heard()
    console = Console(RichConsole(file=out, width=100, soft_wrap=True), patience=0.0)
    with console.progress("training") as advance:
        assert out.written.wait(10)
        advance(0, 24)
    assert out.getvalue() == "  training ...\n"


def test_work_that_said_how_far_it_is_is_not_named_afterwards() -> None:
    console, _ = written()
    console.patience = 600.0
    before = set(threading.enumerate())
    with console.progress("resources", rate=False) as advance:
        (waiting,) = set(threading.enumerate()) - before
        advance(3, 3)
        waiting.join(10)
        assert not waiting.is_alive()


def test_a_terminal_shows_what_is_being_done_and_for_how_long() -> None:
    out = io.StringIO()
    console = Console(RichConsole(file=out, width=100, force_terminal=True))
    with console.working("plan\x1b[2Jning"), console.progress("resources") as advance:
        advance(1, 2)
    shown = out.getvalue()
    assert re.search(r"plan\ufffd\[2Jning.*0:00:00", shown)
    assert "resources" in shown


def test_output_that_nobody_reads_is_an_error_that_the_task_can_end_by() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    # Closing writes what is left once more.
    closed = os.fdopen(os.dup(writing), "w", buffering=1)
    try:
        with pytest.raises(BrokenPipeError):
            Console(RichOutput(file=closed)).say("a line")
    finally:
        with contextlib.suppress(BrokenPipeError):
            closed.close()
        os.close(writing)


@pytest.mark.parametrize("stderr", [False, True])
def test_every_console_of_a_project_leaves_a_lost_reader_to_the_task(
    tmp_path: Path, stderr: bool
) -> None:
    project = Project(tmp_path, "local")
    console = (project.on_stderr() if stderr else project).console
    with pytest.raises(BrokenPipeError):
        console.rich.on_broken_pipe()
