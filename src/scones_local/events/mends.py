"""The mends that make things happen by themselves."""

from scones_local.clock import CLOCK
from scones_local.context import Context
from scones_local.events.ticker import start_ticker


def install(context: Context) -> None:
    """Start the clock's thread."""
    start_ticker(context, CLOCK)
