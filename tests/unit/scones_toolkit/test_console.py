import io
import re

from rich.console import Console as RichConsole

from scones_toolkit.console import Console


def written(width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(RichConsole(file=out, width=width, highlight=False, soft_wrap=True)), out


def test_progress_in_a_log_is_a_line_now_and_then_and_one_at_the_end() -> None:
    console, out = written()
    with console.progress("uploading") as advance:
        for done in range(1, 101):
            advance(done, 100)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1  # a hundred steps within a moment are no news
    assert re.fullmatch(r"  uploading 100/100  \d+\.\d s", lines[0])


def test_an_end_that_is_told_twice_is_printed_once_and_news_after_it_are_not_lost() -> None:
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


def test_a_terminal_shows_the_count_the_rate_and_the_time_left() -> None:
    out = io.StringIO()
    console = Console(RichConsole(file=out, width=100, force_terminal=True))
    with console.progress("uploading") as advance:
        advance(7, 9)
    assert "7/9" in out.getvalue()
    assert re.search(r"\d/s, \d+ s left", out.getvalue())


def test_what_was_there_before_is_no_part_of_the_pace() -> None:
    out, seconds = io.StringIO(), iter(range(100))
    rich = RichConsole(file=out, width=100, highlight=False, soft_wrap=True)
    with Console(rich, clock=lambda: 6.0 * next(seconds)).progress("uploading") as advance:
        advance(1001, 1010)
        advance(1004, 1010)
    shown = re.findall(r"(\d+/1010)  ([\d.]+/s), (\d+) s left", out.getvalue())
    # Four pieces in the 30 seconds of this clock, and six to go.
    assert shown[-1] == ("1004/1010", "0.1/s", "45")


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
