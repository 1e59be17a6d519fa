"""What makes things happen by themselves: events, alarms, scaling, schedules, the clock."""

from local_aws.autoscaling import api as autoscaling_api
from local_aws.autoscaling.scalable_targets import Autoscaling
from local_aws.cloudwatch import alarm_api
from local_aws.cloudwatch import api as cloudwatch_api
from local_aws.cloudwatch.alarm_actions import Actions
from local_aws.cloudwatch.alarms import AlarmAgenda
from local_aws.core import service_events
from local_aws.core.clock import CLOCK, start_ticker
from local_aws.core.context import Context
from local_aws.core.stores import keep
from local_aws.eventbridge import api, scheduler, scheduler_api
from local_aws.eventbridge.bus import SERVICE, Buses
from local_aws.eventbridge.targets import RoleClients
from local_aws.iam.roles import RoleSessions, is_enforced
from local_aws.logs import api as logs_api
from local_aws.logs import encryption_keys, export_tasks, subscription_filters
from local_aws.sns import requests as sns_requests
from local_aws.sns import subscriptions
from local_aws.stepfunctions.clients import ClientCache

# Their patches of moto are declared when they are imported.
PATCHED = (
    api,
    autoscaling_api,
    cloudwatch_api,
    encryption_keys,
    export_tasks,
    logs_api,
    scheduler_api,
    sns_requests,
    subscription_filters,
    subscriptions,
)


def install(context: Context) -> None:
    """Have metrics kept, alarms evaluated and acted on, and start the clock's thread."""
    buses = Buses(CLOCK, _role_clients(context, SERVICE))
    api.install(buses)
    service_events.install(buses.publish)
    own = ClientCache(context.endpoint_url, context.invoke)
    scaling = Autoscaling(CLOCK, lambda region: own.get(region, "sagemaker"))
    alarms = AlarmAgenda(CLOCK, Actions(buses.publish, scaling.scale))
    alarm_api.install(alarms)
    clients = _role_clients(context, scheduler.SERVICE)
    schedules = scheduler.ScheduleAgenda(CLOCK, buses, clients)
    for agenda in (schedules, scaling, alarms):
        CLOCK.follow(agenda)
    keep("clock", CLOCK.kept, CLOCK.resume)
    start_ticker(context, CLOCK)


def _role_clients(context: Context, service: str) -> RoleClients:
    roles = RoleSessions(service) if is_enforced() else None
    return RoleClients(ClientCache(context.endpoint_url, context.invoke, roles), service)
