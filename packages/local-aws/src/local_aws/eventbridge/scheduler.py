"""Schedules of EventBridge Scheduler and rules with a schedule, fired by the clock."""

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.core.clock import Clock, due_time, others_unharmed
from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge.bus import Buses, event_time
from local_aws.eventbridge.delivery import Sender, compact
from local_aws.eventbridge.retry_queue import Attempt, Attempts, limits
from local_aws.eventbridge.schedule_expressions import Schedule
from local_aws.eventbridge.sdk_targets import is_universal, named, perform
from local_aws.eventbridge.targets import Delivery, RoleClients, call, queue_url

SERVICE = "scheduler.amazonaws.com"
# What fell due while the laptop was suspended or the server was down is not fired: AWS is not late.
_LATENESS = datetime.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ScheduleParcel:
    """One run of a schedule, as its target was then; the schedule may be gone."""

    schedule_arn: str
    group_arn: str
    target: dict[str, Any]
    due: datetime.datetime
    execution: str


class ScheduleAgenda:
    """Fires what is scheduled. What was fired last is kept with moto's own records."""

    def __init__(self, clock: Clock, buses: Buses, clients: RoleClients) -> None:
        self._clock, self._buses, self._clients = clock, buses, clients
        self._attempts: Attempts[ScheduleParcel] = Attempts("scheduler.deliveries", clock, self)

    def next_due(self) -> datetime.datetime | None:
        """Return when the next schedule or rule fires."""
        times = [due_time(item, self._next) for item in [*_rules(), *_schedules()]]
        return min((time for time in times if time is not None), default=None)

    def run(self, now: datetime.datetime) -> None:
        """Fire what is due, and delete the schedules that ask for it once they are over."""
        for rule in list(_rules()):
            if (due := due_time(rule, self._next)) is not None and due <= now:
                rule.local_aws_last = due
                with others_unharmed(rule):
                    if self._is_on_time(due):
                        self._buses.send(rule, _tick_event(rule, due))
        for schedule in list(_schedules()):
            if (due := due_time(schedule, self._next)) is not None and due <= now:
                schedule.local_aws_last = due
                with others_unharmed(schedule):
                    if self._is_on_time(due):
                        self._attempts.make(_attempt(schedule, due))
                with others_unharmed(schedule):
                    self._complete(schedule)

    def _is_on_time(self, due: datetime.datetime) -> bool:
        return self._clock.now() - due <= _LATENESS

    def _next(self, item: Any) -> datetime.datetime | None:
        # By the minute, so that the times that follow need not be computed each second.
        oldest = (self._clock.now() - _LATENESS).replace(second=0, microsecond=0)
        last = max(item.local_aws_last, oldest)
        found = schedule_of(item).after(last)
        end = getattr(item, "end_date", None)
        over = found is not None and end is not None and found.timestamp() > float(end)
        return None if over else found

    def _complete(self, schedule: Any) -> None:
        if schedule.action_after_completion == "DELETE" and self._next(schedule) is None:
            from moto.scheduler.models import scheduler_backends

            region = schedule.arn.split(":")[3]
            backend = scheduler_backends[ACCOUNT_ID][region]
            backend.delete_schedule(schedule.group_name, schedule.name)

    def deliver(self, parcel: ScheduleParcel, retries: int) -> None:
        """Have a schedule's target do what it is for. Raises DeliveryFailed."""
        target, text = parcel.target, _input(parcel, retries)
        if not is_universal(target["Arn"]):
            Delivery(self._clients, Sender(SERVICE, parcel.group_arn)).deliver(target, text)
            return
        service, operation = named(target["Arn"])
        region = parcel.schedule_arn.split(":")[3]
        client = self._clients.get(service, region, target["RoleArn"], parcel.group_arn)
        perform(client, operation, text)

    def dead_letter(self, parcel: ScheduleParcel, retries: int, about: dict[str, str]) -> None:
        """Put a schedule's input on its dead-letter queue, if there is one."""
        target = parcel.target
        queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue_arn:
            return
        attributes = {
            "EXECUTION_ID": parcel.execution,
            "SCHEDULE_ARN": parcel.schedule_arn,
            "SCHEDULED_TIME": event_time(parcel.due),
            "TARGET_ARN": target["Arn"],
            **about,
        }
        region = queue_arn.split(":")[3]
        client = self._clients.get("sqs", region, target["RoleArn"], parcel.group_arn)
        url, text = queue_url(client, queue_arn), _input(parcel, retries)
        typed = {key: {"DataType": "String", "StringValue": v} for key, v in attributes.items()}
        call(client, "send_message", QueueUrl=url, MessageBody=text, MessageAttributes=typed)


def _attempt(schedule: Any, due: datetime.datetime) -> Attempt[ScheduleParcel]:
    parcel = ScheduleParcel(
        schedule.arn, _group_arn(schedule), dict(schedule.target), due, str(uuid.uuid4())
    )
    policy = limits(parcel.target.get("RetryPolicy"))
    return Attempt(f"The schedule {schedule.arn}", parcel, due, **policy)


def schedule_of(item: Any) -> Schedule:
    """Return the times of a schedule, or of a rule, which has no zone but UTC."""
    start = getattr(item, "start_date", None)
    since = item.local_aws_since
    if start:
        since = max(since, datetime.datetime.fromtimestamp(float(start), datetime.UTC))
    if hasattr(item, "schedule_expression"):
        return Schedule(item.schedule_expression, item.schedule_expression_timezone, since)
    return Schedule(item.scheduled_expression, "UTC", since)


def _rules() -> Iterator[Any]:
    from moto.events.models import events_backends

    for backend in list(events_backends[ACCOUNT_ID].values()):
        for rule in list(backend.event_buses["default"].rules.values()):
            if rule.scheduled_expression and rule.state != "DISABLED":
                yield rule


def _schedules() -> Iterator[Any]:
    from moto.scheduler.models import scheduler_backends

    for backend in list(scheduler_backends[ACCOUNT_ID].values()):
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state != "DISABLED":
                    yield schedule


def _group_arn(schedule: Any) -> str:
    """Return what Scheduler names as the source where it takes a role: the schedule's group.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    start = schedule.arn.partition(":schedule/")[0]
    return f"{start}:schedule-group/{schedule.group_name}"


def _tick_event(rule: Any, due: datetime.datetime) -> dict[str, Any]:
    return _scheduled_event("aws.events", rule.arn, rule.region_name, due, {})


def _scheduled_event(
    source: str, arn: str, region: str, due: datetime.datetime, detail: Any
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT_ID,
        "time": event_time(due),
        "region": region,
        "resources": [arn],
        "detail": detail,
    }


def _input(parcel: ScheduleParcel, retries: int) -> str:
    """Return a target's input with its context attributes filled in.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    arn, target, due = parcel.schedule_arn, parcel.target, parcel.due
    text = target.get("Input")
    if text is None:
        if is_universal(target["Arn"]):
            return "{}"
        return compact(_scheduled_event("aws.scheduler", arn, arn.split(":")[3], due, "{}"))
    attributes = {
        "schedule-arn": arn,
        "scheduled-time": event_time(due),
        "execution-id": parcel.execution,
        "attempt-number": str(retries + 1),
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return str(text)
