"""EventBridge in moto: its events reach their targets, and what cannot be one is refused."""

import datetime
import json
from typing import Any

from local_aws.core import clock
from local_aws.core.metrics import on_the_clock
from local_aws.core.patching import wrap
from local_aws.eventbridge.bus import Buses, event_time
from local_aws.eventbridge.patterns import alternatives
from local_aws.eventbridge.targets import TARGET_SERVICES


def install(buses: Buses) -> None:
    """Mend rules and their targets."""
    _send(buses)
    _targets()
    _patterns()


def _send(buses: Buses) -> None:
    from moto.events.models import Rule

    fault = "reaches no function, state machine or topic, tries once, and buries nothing"

    @wrap(Rule, "send_to_targets", fault=fault)
    def send_to_targets(
        original: Any, rule: Any, original_event: dict[str, Any], transform_input: bool = True
    ) -> None:
        if rule.managed_by:  # the rule of an archive, which moto keeps its events by
            original(rule, original_event, transform_input)
            return
        event = {k: v for k, v in original_event.items() if k != "ingestion-time"}
        buses.offer(rule, {**event, "time": _time(event.get("time"))})


def _time(given: Any) -> str:
    if isinstance(given, str) and given:
        return given
    if isinstance(given, datetime.datetime):
        return event_time(given if given.tzinfo else given.replace(tzinfo=datetime.UTC))
    if isinstance(given, int | float):
        return event_time(datetime.datetime.fromtimestamp(on_the_clock(given), datetime.UTC))
    return event_time(clock.now())


def _targets() -> None:
    from moto.events.exceptions import ValidationException
    from moto.events.models import EventsBackend

    @wrap(EventsBackend, "put_targets", fault="takes targets that it never reaches")
    def put_targets(
        original: Any, backend: Any, name: str, event_bus_arn: str | None, targets: Any
    ) -> Any:
        for target in targets:
            parts = target["Arn"].split(":")
            service = parts[2] if len(parts) > 5 else ""
            if service not in TARGET_SERVICES or ":api-destination/" in target["Arn"]:
                raise ValidationException(
                    f"The embedded AWS does not implement {target['Arn']} as a target."
                )
            if service == "states" and not target.get("RoleArn"):
                raise ValidationException(f"RoleArn is required for target {target['Arn']}.")
        return original(backend, name, event_bus_arn, targets)


def _patterns() -> None:
    from moto.events.models import EventPattern
    from moto.events.responses import EventsHandler

    fault = "looks into no list of objects"

    @wrap(EventPattern, "matches_event", fault=fault)
    def matches_event(original: Any, pattern: Any, event: Any) -> bool:
        return any(original(pattern, one) for one in alternatives(event))

    @wrap(EventsHandler, "test_event_pattern", fault="is missing")
    def test_event_pattern(original: Any, handler: Any) -> Any:
        del original
        pattern = EventPattern.load(handler._get_param("EventPattern"))
        event = json.loads(handler._get_param("Event"))
        return json.dumps({"Result": pattern.matches_event(event)})
