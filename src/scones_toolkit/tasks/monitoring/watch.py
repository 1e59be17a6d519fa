"""The task that shows an endpoint's figures while they change."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scones_core.errors import MonitorError
from scones_monitor import last_hour
from scones_monitor.last_hour import LiveFigures, line, live_figures, rows
from scones_monitor.period import parse_period
from scones_toolkit.console import Console, cell
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring import report as monitoring

MIN_SECONDS = 1
"""The shortest refresh: each one lists the capture files."""


def watch(
    project: Project,
    *,
    since: str = "1h",
    every: int = 60,
    once: bool = False,
    publish: bool = False,
) -> None:
    """Show the figures of the last `since`, again each `every` seconds, until Ctrl-C.

    A terminal shows one table that changes, anything else gets a line at each refresh. `once`
    ends after the first. With `publish` the figures go to CloudWatch, too, for an alarm to see.
    Raises MonitorError for a period or interval that is none, and where
    the first reading fails.
    """
    if every < MIN_SECONDS:
        raise MonitorError(f"--every is {every}; refresh each {MIN_SECONDS} second or more.")

    def read() -> LiveFigures:
        period = parse_period(since, None, None, project.now())
        figures = live_figures(monitoring.period_data(project, period))
        if publish:
            last_hour.publish(project.client("cloudwatch"), figures)
        return figures

    follow(project.console, read, every, refreshes=1 if once else None)


def follow(
    console: Console,
    read: Callable[[], LiveFigures],
    every: float,
    *,
    refreshes: int | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show what `read` returns, `refreshes` times or until Ctrl-C, which is no error.

    A reading that fails after the first is shown as such, and tried again.
    """
    screen = Live(console=console.rich, auto_refresh=False) if console.rich.is_terminal else None
    done = 0
    try:
        with screen or nullcontext():
            while True:
                try:
                    _show(console, screen, read())
                except MonitorError as error:
                    if not done:
                        raise
                    console.warn(f"{datetime.now(UTC):%H:%M:%S}  {error}")
                done += 1
                if done == refreshes:
                    return
                wait(every)
    except KeyboardInterrupt:
        console.say("Stopped.")


def _show(console: Console, screen: Live | None, figures: LiveFigures) -> None:
    if screen is None:
        # One line each: whatever a class is called.
        console.say(cell(line(figures)))
        return
    screen.update(_table(figures), refresh=True)


def _table(figures: LiveFigures) -> Group:
    # As a line of its own, since a table's title is folded to the table's width.
    title = f"{figures.endpoint}, {figures.since:%d %b %H:%M} to {figures.until:%H:%M:%S} UTC"
    table = Table(show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in rows(figures):
        warned = name == "drift" and figures.verdict == "drift"
        table.add_row(Text(cell(name)), Text(cell(text), "bold yellow" if warned else ""))
    return Group(Text(cell(title)), table)
