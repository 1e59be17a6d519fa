import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from scones_core.errors import MonitorError
from scones_core.settings import Settings
from scones_monitor.last_hour import LiveFigures
from scones_monitor.statistics import Share
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring.watch import follow, watch

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)


def figures(images: int) -> LiveFigures:
    return LiveFigures(
        endpoint="scones-dev",
        since=UNTIL - timedelta(hours=1),
        until=UNTIL,
        images=images,
        review=Share(1, images),
        classes={},
    )


def readings(*each: LiveFigures | MonitorError) -> Callable[[], LiveFigures]:
    left: Iterator[LiveFigures | MonitorError] = iter(each)

    def read() -> LiveFigures:
        found = next(left)
        if isinstance(found, MonitorError):
            raise found
        return found

    return read


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    rich = RichConsole(file=out, force_terminal=terminal, width=100, soft_wrap=not terminal)
    return Console(rich), out


def test_a_pipe_gets_one_line_at_each_refresh() -> None:
    shown, out = console()
    waited: list[float] = []
    follow(shown, readings(figures(3), figures(4)), 30, refreshes=2, wait=waited.append)
    lines = out.getvalue().splitlines()
    assert [text[:18] for text in lines] == ["15:00:00  images 3", "15:00:00  images 4"]
    assert waited == [30]


def test_ctrl_c_ends_it_without_an_error() -> None:
    shown, out = console()

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    follow(shown, readings(figures(3)), 30, wait=interrupt)
    assert out.getvalue().splitlines()[-1] == "Stopped."


def test_a_terminal_gets_a_table_and_its_cursor_back() -> None:
    shown, out = console(terminal=True)
    follow(shown, readings(figures(3)), 30, refreshes=1)
    text = out.getvalue()
    assert "scones-dev, 20 Nov 14:00 to 15:00:00 UTC" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_reading_that_fails_later_is_shown_and_tried_again() -> None:
    shown, out = console()
    read = readings(figures(3), MonitorError("S3 is not reached."), figures(5))
    follow(shown, read, 30, refreshes=3, wait=lambda _: None)
    lines = out.getvalue().splitlines()
    assert lines[1].endswith("S3 is not reached.")
    assert lines[2].startswith("15:00:00  images 5")


def test_a_first_reading_that_fails_is_an_error() -> None:
    shown, _ = console()
    with pytest.raises(MonitorError, match="No endpoint is deployed"):
        follow(shown, readings(MonitorError("No endpoint is deployed")), 30)


def test_a_refresh_without_a_pause_is_refused(tmp_path: Path) -> None:
    project = Project(tmp_path, settings=Settings.load(tmp_path / "scones.toml", {}))
    with pytest.raises(MonitorError, match="--every is 0; refresh each 1 second or more"):
        watch(project, every=0)
