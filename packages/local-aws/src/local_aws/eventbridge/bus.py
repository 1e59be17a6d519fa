"""The event buses: an event goes to the targets of every rule whose pattern it matches."""

import datetime
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.core.clock import Clock, others_unharmed
from local_aws.core.context import ACCOUNT_ID, REGION
from local_aws.core.request_chains import current, following, without_lineage
from local_aws.eventbridge.delivery import Sender, compact, send_to_queue
from local_aws.eventbridge.input_transformer import target_input
from local_aws.eventbridge.retry_queue import Attempt, Attempts, limits
from local_aws.eventbridge.targets import FORWARDED, Delivery, RoleClients

Event = Mapping[str, Any]
SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, slots=True)
class RuleParcel:
    """An event for one target of a rule, as the target was then."""

    rule_arn: str
    target: dict[str, Any]
    event: dict[str, Any]
    chain: str = ""


class Buses:
    """The rules of moto's buses, with targets that are reached."""

    def __init__(self, clock: Clock, clients: RoleClients) -> None:
        self._clock, self._clients = clock, clients
        self._attempts: Attempts[RuleParcel] = Attempts("eventbridge.deliveries", clock, self)

    def publish(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: list[str],
        region: str = REGION,
    ) -> None:
        """Put a service's own event on the default bus."""
        from moto.events.models import events_backends

        rules = events_backends[ACCOUNT_ID][region].event_buses["default"].rules
        if not rules:
            return
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT_ID,
            "time": event_time(self._clock.now()),
            "region": region,
            "resources": resources,
            "detail": json.loads(json.dumps(detail, default=str)),
        }
        for rule in list(rules.values()):
            self.offer(rule, event)

    def offer(self, rule: Any, event: Event) -> None:
        """Send an event to a rule's targets if the rule is enabled and its pattern matches."""
        pattern = rule.event_pattern  # empty where the rule has a schedule alone
        listens = rule.state != "DISABLED" and bool(pattern.get_pattern())
        with others_unharmed(rule):
            if listens and pattern.matches_event(dict(event)):
                self.send(rule, event)

    def send(self, rule: Any, event: Event) -> None:
        """Send an event to every target of a rule; to no further bus if it came from one."""
        for target in list(rule.targets):
            with others_unharmed(rule):
                if not (FORWARDED.get() and target["Arn"].split(":")[2] == "events"):
                    chain = without_lineage(current())
                    parcel = RuleParcel(rule.arn, dict(target), dict(event), chain)
                    self._attempts.make(self._attempt(parcel))

    def deliver(self, parcel: RuleParcel, retries: int) -> None:
        """Hand an event to a target. Raises DeliveryFailed."""
        del retries
        delivery = Delivery(self._clients, Sender(SERVICE, parcel.rule_arn))
        text = target_input(parcel.target, parcel.event, parcel.rule_arn)
        with following(parcel.chain):
            delivery.deliver(parcel.target, text)

    def dead_letter(self, parcel: RuleParcel, retries: int, about: dict[str, str]) -> None:
        """Put an event on its target's dead-letter queue, if there is one."""
        del retries
        queue = (parcel.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            named = {"RULE_ARN": parcel.rule_arn, "TARGET_ARN": parcel.target["Arn"]}
            sender = Sender(SERVICE, parcel.rule_arn)
            send_to_queue(sender, queue, compact(parcel.event), attributes={**named, **about})

    def _attempt(self, parcel: RuleParcel) -> Attempt[RuleParcel]:
        name = f"An event of {parcel.event['source']} for {parcel.target['Arn']}"
        policy = limits(parcel.target.get("RetryPolicy"))
        return Attempt(name, parcel, self._clock.now(), **policy)


def event_time(at: datetime.datetime) -> str:
    """Return a time as events have it: `2026-11-21T02:10:00Z`."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
