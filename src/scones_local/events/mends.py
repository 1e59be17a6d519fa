"""The mends that make things happen by themselves."""

from typing import Any

from scones_local.clock import CLOCK
from scones_local.context import Context
from scones_local.events import alarm_api, cloudwatch_api
from scones_local.events.actions import Actions
from scones_local.events.alarms import AlarmAgenda
from scones_local.events.ticker import start_ticker


def install(context: Context) -> None:
    """Have metrics kept, alarms evaluated and acted on, and start the clock's thread."""
    cloudwatch_api.install()
    alarms = AlarmAgenda(CLOCK, Actions(_publish, _scale))
    alarm_api.install(alarms)
    CLOCK.follow(alarms)
    start_ticker(context, CLOCK)


def _publish(*event: Any) -> None:
    del event


def _scale(policy_arn: str, alarm: Any) -> None:
    del policy_arn, alarm
