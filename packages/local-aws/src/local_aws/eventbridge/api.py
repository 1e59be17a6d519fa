"""EventBridge's operations: what they refuse, and what they answer.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html
"""

import datetime
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import (
    InvalidEventPatternException,
    ResourceNotFoundException,
    ValidationException,
)
from moto.events.models import EventBusPolicyStatement, EventPattern

from local_aws.core import clock
from local_aws.core.clock import on_the_clock
from local_aws.core.patching import patch
from local_aws.eventbridge.bus import Buses, event_time
from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.patterns import PatternError, matches, parse_pattern
from local_aws.eventbridge.schedule_expressions import check
from local_aws.eventbridge.target_checks import target_problems
from local_aws.eventbridge.targets import FORWARDED, TARGET_SERVICES

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_MAX_TARGETS = 5
_MAX_PAGE = 100
_MAX_ENTRIES_BYTES = 262_144
_BACKEND = "moto.events.models.EventsBackend"
_HANDLER = "moto.events.responses.EventsHandler"

_BY_END = "takes the end of an ARN for the name of any bus's rule"

_HALF_WAY = "has an event that is on its way end half-way, and a client send it again"
_changing = threading.Lock()
_buses: list[Buses] = []


def install(buses: Buses) -> None:
    """Have the events of rules sent by these buses."""
    _buses[:] = [buses]


# --- tags ---


@patch(f"{_BACKEND}.tag_resource", why=_BY_END)
def tag_resource(original: Any, backend: Any, arn: str, tags: Any) -> None:
    """Tag the rule or bus that has this ARN."""
    del original
    _require_there(backend, arn)
    backend.tagger.tag_resource(arn, backend.tagger.convert_dict_to_tags_input(tags))


@patch(f"{_BACKEND}.untag_resource", why=_BY_END)
def untag_resource(original: Any, backend: Any, arn: str, tag_keys: list[str]) -> None:
    """Take tags from the rule or bus that has this ARN."""
    del original
    _require_there(backend, arn)
    backend.tagger.untag_resource_using_names(arn, tag_keys)


@patch(f"{_BACKEND}.list_tags_for_resource", why=_BY_END)
def list_tags_for_resource(original: Any, backend: Any, arn: str) -> Any:
    """Return the tags of the rule or bus that has this ARN."""
    del original
    _require_there(backend, arn)
    return backend.tagger.list_tags_for_resource(arn)


def _require_there(backend: Any, arn: str) -> None:
    buses = list(backend.event_buses.values())
    rules = [rule for bus in buses for rule in list(bus.rules.values())]
    if arn in {each.arn for each in (*buses, *rules)}:
        return
    kind, *bus, name = ["", *arn.rpartition(":")[2].split("/")][-3:]
    if "event-bus" in (kind, *bus):
        raise ResourceNotFoundException(f"Event bus {name} does not exist.")
    on = bus[0] if kind == "rule" and bus else "default"
    raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {on}.")


# --- rules and patterns ---


@patch("moto.events.models.EventPatternParser.parse", why="takes patterns that AWS refuses")
def parse(original: Any, parser: Any) -> dict[str, Any]:
    """Return the pattern, where it is a valid one."""
    del original
    try:
        return parse_pattern(parser.pattern)
    except PatternError as error:
        raise InvalidEventPatternException(str(error)) from error


@patch(
    "moto.events.models.EventPattern.matches_event",
    why="looks into no list of objects, and takes true for 1",
)
def matches_event(original: Any, pattern: Any, event: Any) -> bool:
    """Return whether the event matches."""
    del original
    return matches(pattern.get_pattern(), json.loads(json.dumps(event)))


@patch(f"{_HANDLER}.test_event_pattern", why="is missing")
def test_event_pattern(original: Any, handler: Any) -> Any:
    """Answer TestEventPattern."""
    del original
    pattern: Any = EventPattern.load(handler._get_param("EventPattern"))
    try:
        event = json.loads(handler._get_param("Event"))
    except (TypeError, ValueError) as error:
        raise ValidationException("Parameter Event is not valid.") from error
    if not isinstance(event, dict):
        raise ValidationException("Parameter Event is not valid.")
    return json.dumps({"Result": pattern.matches_event(event)})


@patch(f"{_BACKEND}.put_rule", why="takes a schedule that can never fire, and never fires one")
def put_rule(original: Any, backend: Any, *args: Any, **more: Any) -> Any:
    """Make or change a rule; its schedule counts from now."""
    expression = more.get("scheduled_expression")
    try:
        if expression:
            check(expression)
    except ExpressionError as error:
        raise ValidationException("Parameter ScheduleExpression is not valid.") from error
    rule = original(backend, *args, **more)
    rule.local_aws_since = rule.local_aws_last = clock.now()
    return rule


@patch(f"{_BACKEND}.put_rule", why=_HALF_WAY)
@patch(f"{_BACKEND}.delete_rule", why=_HALF_WAY)
def change_rules(original: Any, backend: Any, *args: Any, **more: Any) -> Any:
    """Make, change or delete a rule; an event on its way goes through the rules of before."""
    with _changing:
        for bus in list(backend.event_buses.values()):
            bus.rules = OrderedDict(bus.rules)
        return original(backend, *args, **more)


@patch(f"{_BACKEND}.describe_rule", why="does not name the bus in its refusal")
def describe_rule(original: Any, backend: Any, name: str, event_bus_arn: str | None) -> Any:
    """Return the rule."""
    _require_rule(backend, name, event_bus_arn)
    return original(backend, name, event_bus_arn)


@patch(f"{_BACKEND}.enable_rule", why="does not name the bus in its refusal")
def enable_rule(original: Any, backend: Any, name: str, event_bus_arn: str | None) -> Any:
    """Enable the rule."""
    _require_rule(backend, name, event_bus_arn)
    return original(backend, name, event_bus_arn)


@patch(f"{_BACKEND}.disable_rule", why="does not name the bus in its refusal")
def disable_rule(original: Any, backend: Any, name: str, event_bus_arn: str | None) -> Any:
    """Disable the rule."""
    _require_rule(backend, name, event_bus_arn)
    return original(backend, name, event_bus_arn)


def _require_rule(backend: Any, name: str, bus: str | None) -> Any:
    bus_name = backend._normalize_event_bus_arn(bus)
    rule = backend._get_event_bus(bus_name).rules.get(name)
    if rule is None:
        raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus_name}.")
    return rule


# --- targets ---


@patch(f"{_BACKEND}.put_targets", why="takes targets that it never reaches")
def put_targets(
    original: Any, backend: Any, name: str, event_bus_arn: str | None, targets: Any
) -> Any:
    """Give a rule targets."""
    for target in targets:
        parts = target["Arn"].split(":")
        service = parts[2] if len(parts) > 5 else ""
        if not service:
            raise ValidationException(
                f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct "
                "format."
            )
        if service not in TARGET_SERVICES or ":api-destination/" in target["Arn"]:
            raise ValidationException(
                f"The embedded AWS does not implement {target['Arn']} as a target."
            )
        if service == "states" and not target.get("RoleArn"):
            raise ValidationException(f"RoleArn is required for target {target['Arn']}.")
        for problem in target_problems(target):
            raise ValidationException(problem)
    rule = _require_rule(backend, name, event_bus_arn)
    if len({one["Id"] for one in [*rule.targets, *targets]}) > _MAX_TARGETS:
        raise JsonRESTError(
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        )
    return original(backend, name, event_bus_arn, targets)


@patch(f"{_BACKEND}.list_targets_by_rule", why="loses targets of the same ARN between pages")
def list_targets_by_rule(
    original: Any,
    backend: Any,
    rule_id: str,
    event_bus_arn: str | None,
    *,
    next_token: str | None = None,
    limit: int | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of a rule's targets; a token is the id of the next page's first."""
    del original
    targets = list(_require_rule(backend, rule_id, event_bus_arn).targets)
    ids = [target["Id"] for target in targets]
    if next_token and next_token not in ids:
        raise ValidationException("Invalid NextToken.")
    start = ids.index(next_token) if next_token else 0
    end = start + (limit or _MAX_PAGE)
    return targets[start:end], ids[end] if end < len(ids) else None


# --- events ---


@patch(f"{_BACKEND}.put_events", why="takes a detail that is no object, fails at an unknown bus")
def put_events(original: Any, backend: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an answer for each entry, once its event is on its way."""
    if len(events) <= 10 and sum(map(_entry_bytes, events)) > _MAX_ENTRIES_BYTES:
        raise ValidationException("Total size of the entries in the request is over the limit.")
    if len(events) > 10:
        return list(original(backend, events))
    return [_put_event(original, backend, event) for event in events]


def _put_event(original: Any, backend: Any, event: dict[str, Any]) -> dict[str, Any]:
    if str(event.get("Source")).lower().startswith("aws.") and not FORWARDED.get():
        return {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
    if event.get("Source") and event.get("DetailType") and event.get("Detail"):
        try:
            detail = json.loads(event["Detail"])
        except (ValueError, RecursionError):
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        bus = backend._normalize_event_bus_arn(event.get("EventBusName"))
        if bus not in backend.event_buses:
            return {"EventId": str(uuid.uuid4())}
    answer: dict[str, Any] = original(backend, [event])[0]
    return answer


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry, as EventBridge counts it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    sizes = [len(str(text).encode()) for text in [*texts, *(entry.get("Resources") or [])]]
    return sum(sizes) + (14 if entry.get("Time") else 0)


@patch(
    "moto.events.models.Rule.send_to_targets",
    why="reaches no function, state machine or topic, tries once, and keeps no dead letter",
)
def send_to_targets(
    original: Any, rule: Any, original_event: dict[str, Any], transform_input: bool = True
) -> None:
    """Send an event to the targets of a rule that it matches."""
    if rule.managed_by:  # the rule of an archive, which moto keeps its events by
        original(rule, original_event, transform_input)
        return
    event = {k: v for k, v in original_event.items() if k != "ingestion-time"}
    _buses[0].offer(rule, {**event, "time": _time(event.get("time"))})


def _time(given: Any) -> str:
    if isinstance(given, str) and given:
        return given
    if isinstance(given, datetime.datetime):
        return event_time(given if given.tzinfo else given.replace(tzinfo=datetime.UTC))
    if isinstance(given, int | float):
        return event_time(datetime.datetime.fromtimestamp(on_the_clock(given), datetime.UTC))
    return event_time(clock.now())


# --- buses ---


@patch(f"{_HANDLER}.list_event_buses", why="leaves the times and the description out")
def list_event_buses(original: Any, handler: Any) -> Any:
    """Answer ListEventBuses."""
    content, headers = original(handler)
    found = json.loads(content)
    for answer in found["EventBuses"]:
        bus = handler.events_backend.event_buses[answer["Name"]]
        answer |= {"CreationTime": bus.creation_time, "LastModifiedTime": bus.last_modified_time}
        if bus.description:
            answer["Description"] = bus.description
    if not found.get("NextToken"):
        found.pop("NextToken", None)
    return json.dumps(found), headers


@patch("moto.events.models.EventBus.add_policy", why="takes no statement without an Sid")
def add_policy(original: Any, bus: Any, policy: dict[str, Any]) -> None:
    """Replace the statements of a bus by those of a policy."""
    del original
    given = policy.get("Statement", [])
    statements = given if isinstance(given, list) else [given]
    bus._statements = {
        statement.get("Sid", str(number)): EventBusPolicyStatement.from_dict(
            {"Sid": str(number), "Resource": bus.arn, **statement}
        )
        for number, statement in enumerate(statements)
    }
    bus.last_modified_time = clock.now().timestamp()


@patch("moto.events.models.EventBus.add_permission", why="drops others for the same principal")
def add_permission(  # noqa: PLR0917 - moto's own
    original: Any,
    bus: Any,
    statement_id: str,
    action: str,
    principal: dict[str, str],
    condition: dict[str, Any] | None,
) -> None:
    """Add a statement to a bus's policy, or replace the one of the same Sid."""
    del original
    everybody = principal["AWS"].split(":")[4] == "*"
    bus._statements[statement_id] = EventBusPolicyStatement(
        sid=statement_id,
        action=action,
        principal="*" if everybody else principal,  # type: ignore[arg-type]
        condition=condition,
        resource=bus.arn,
    )
    bus.last_modified_time = clock.now().timestamp()
