import io

from rich.console import Console as RichConsole

from scones_toolkit.console import Console


def written(width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(RichConsole(file=out, width=width, highlight=False, soft_wrap=True)), out


def test_progress_in_a_log_is_a_line_at_each_tenth_with_the_time_left() -> None:
    console, out = written()
    with console.progress("uploading") as advance:
        for done in range(1, 101):
            advance(done, 100)
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("  uploading 10/100")
    assert all(line.endswith("s left") for line in lines)


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
