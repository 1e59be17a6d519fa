"""Schedules in moto: what is refused when one is made, and since when it counts."""

from typing import Any

from local_aws.core import clock
from local_aws.core.patching import wrap
from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.schedule_expressions import check
from local_aws.eventbridge.sdk_targets import is_universal, named
from local_aws.eventbridge.targets import TARGET_SERVICES


def install() -> None:
    """Mend making and changing schedules, and rules with a schedule."""
    _schedules()
    _rules()


def _schedules() -> None:
    from moto.scheduler.models import EventBridgeSchedulerBackend

    fault = "takes a schedule that can never fire"

    @wrap(EventBridgeSchedulerBackend, "create_schedule", fault=fault)
    def create_schedule(original: Any, backend: Any, **given: Any) -> Any:
        _require(given)
        return _begin(original(backend, **given))

    @wrap(EventBridgeSchedulerBackend, "update_schedule", fault=fault)
    def update_schedule(original: Any, backend: Any, **given: Any) -> Any:
        _require(given)
        return _begin(original(backend, **given))


def _begin(item: Any) -> Any:
    item.local_aws_since = item.local_aws_last = clock.now()
    return item


def _require(given: dict[str, Any]) -> None:
    """Raise moto's ValidationException for what Scheduler does not take."""
    from moto.scheduler.exceptions import ValidationException

    expression = given["schedule_expression"]
    try:
        check(expression, given.get("schedule_expression_timezone") or "UTC")
    except ExpressionError as error:
        raise ValidationException(f"Invalid Schedule Expression {expression}: {error}.") from error
    try:
        _require_target(given["target"]["Arn"])
    except ValueError as error:
        raise ValidationException(f"{error}.") from error


def _require_target(arn: str) -> None:
    if is_universal(arn):
        named(arn)
    elif arn.split(":")[2] not in TARGET_SERVICES - {"logs"}:
        raise ValueError(f"The embedded AWS does not implement {arn} as a target")


def _rules() -> None:
    from moto.events.exceptions import ValidationException
    from moto.events.models import EventsBackend

    fault = "takes a schedule that can never fire, and never fires one"

    @wrap(EventsBackend, "put_rule", fault=fault)
    def put_rule(original: Any, backend: Any, *args: Any, **more: Any) -> Any:
        expression = more.get("scheduled_expression")
        try:
            if expression:
                check(expression)
        except ExpressionError as error:
            raise ValidationException("Parameter ScheduleExpression is not valid.") from error
        return _begin(original(backend, *args, **more))
