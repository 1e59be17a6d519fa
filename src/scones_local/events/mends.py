"""The mends that make things happen by themselves."""

from typing import Any

from scones_local.clock import CLOCK
from scones_local.context import Context
from scones_local.events import (
    alarm_api,
    bus_api,
    cloudwatch_api,
    logs_api,
    notices,
    s3_events,
    scheduler,
    scheduler_api,
)
from scones_local.events.actions import Actions
from scones_local.events.alarms import AlarmAgenda
from scones_local.events.attempts import Attempts
from scones_local.events.bus import SERVICE, Buses
from scones_local.events.targets import RoleClients
from scones_local.events.ticker import start_ticker
from scones_local.iam.roles import RoleSessions, is_enforced
from scones_local.states.clients import ClientCache


def install(context: Context) -> None:
    """Have metrics kept, alarms evaluated and acted on, and start the clock's thread."""
    attempts = Attempts(CLOCK)
    buses = Buses(CLOCK, attempts, _role_clients(context, SERVICE))
    bus_api.install(buses)
    notices.install(buses.publish)
    s3_events.install(buses)
    cloudwatch_api.install()
    logs_api.install()
    alarms = AlarmAgenda(CLOCK, Actions(buses.publish, _scale))
    alarm_api.install(alarms)
    scheduler_api.install()
    clients = _role_clients(context, scheduler.SERVICE)
    schedules = scheduler.ScheduleAgenda(CLOCK, buses, attempts, clients)
    for agenda in (attempts, schedules, alarms):
        CLOCK.follow(agenda)
    start_ticker(context, CLOCK)


def _role_clients(context: Context, service: str) -> RoleClients:
    roles = RoleSessions(service) if is_enforced() else None
    return RoleClients(ClientCache(context.endpoint_url, context.invoke, roles), service)


def _scale(policy_arn: str, alarm: Any) -> None:
    del policy_arn, alarm
