"""The mends that make things happen by themselves."""

from scones_local.clock import CLOCK
from scones_local.context import Context
from scones_local.events import (
    alarm_api,
    autoscaling_api,
    bus_api,
    cloudwatch_api,
    log_keys,
    logs_api,
    notices,
    s3_events,
    scheduler,
    scheduler_api,
    subscriptions,
)
from scones_local.events.actions import Actions
from scones_local.events.alarms import AlarmAgenda
from scones_local.events.attempts import Attempts
from scones_local.events.autoscaling import Autoscaling
from scones_local.events.bus import SERVICE, Buses
from scones_local.events.targets import RoleClients
from scones_local.events.ticker import start_ticker
from scones_local.iam.roles import is_enforced
from scones_local.iam.sessions import RoleSessions
from scones_local.states import status_events
from scones_local.states.clients import ClientCache
from scones_local.stores import keep


def install(context: Context) -> None:
    """Have metrics kept, alarms evaluated and acted on, and start the clock's thread."""
    attempts = Attempts(CLOCK)
    buses = Buses(CLOCK, attempts, _role_clients(context, SERVICE))
    bus_api.install(buses)
    notices.install(buses.publish)
    status_events.install()
    s3_events.install(buses)
    subscriptions.install()
    cloudwatch_api.install()
    logs_api.install()
    log_keys.install()
    own = ClientCache(context.endpoint_url, context.invoke)
    scaling = Autoscaling(CLOCK, lambda region: own.get(region, "sagemaker"))
    autoscaling_api.install()
    alarms = AlarmAgenda(CLOCK, Actions(buses.publish, scaling.scale))
    alarm_api.install(alarms)
    scheduler_api.install()
    clients = _role_clients(context, scheduler.SERVICE)
    schedules = scheduler.ScheduleAgenda(CLOCK, buses, attempts, clients)
    for agenda in (attempts, schedules, scaling, alarms):
        CLOCK.follow(agenda)
    keep("clock", lambda: CLOCK.advanced_seconds, CLOCK.resume)
    start_ticker(context, CLOCK)


def _role_clients(context: Context, service: str) -> RoleClients:
    roles = RoleSessions(service) if is_enforced() else None
    return RoleClients(ClientCache(context.endpoint_url, context.invoke, roles), service)
