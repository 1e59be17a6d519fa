"""EventBridge Scheduler's operations: what they refuse, in AWS's order, and since when one counts.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

import datetime
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.scheduler.exceptions import ScheduleGroupNotFound, ValidationException

from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch
from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.schedule_expressions import check
from local_aws.eventbridge.sdk_targets import is_universal, named
from local_aws.eventbridge.target_checks import schedule_problems
from local_aws.eventbridge.targets import TARGET_SERVICES
from local_aws.iam.roles import RoleNotAssumable, is_enforced, require_trust

_BACKEND = "moto.scheduler.models.EventBridgeSchedulerBackend"
_HANDLER = "moto.scheduler.responses.EventBridgeSchedulerResponse"
_UNCHECKED = "takes any expression, name, group and role"
_QUERY = "takes the end of a query for the name"
_A_MOMENT = datetime.timedelta(microseconds=1)
_NEVER = "takes a schedule that can never fire"


@patch(f"{_BACKEND}.create_schedule", why=_NEVER)
def create_schedule(original: Any, backend: Any, **given: Any) -> Any:
    """Make a schedule, which counts from now; a rate without a start date fires at once.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
    """
    _require_target(given)
    given["action_after_completion"] = given.get("action_after_completion") or "NONE"
    made = _begun(original(backend, **given))
    if made.schedule_expression.startswith("rate(") and not made.start_date:
        made.local_aws_last -= _A_MOMENT
    return made


@patch(f"{_BACKEND}.update_schedule", why=_NEVER)
def update_schedule(original: Any, backend: Any, **given: Any) -> Any:
    """Change a schedule, which counts from now."""
    _require_target(given)
    return _begun(original(backend, **given))


def _begun(item: Any) -> Any:
    item.local_aws_since = item.local_aws_last = clock.now()
    return item


@patch(f"{_HANDLER}.create_schedule", why=_UNCHECKED)
@patch(f"{_HANDLER}.update_schedule", why=_UNCHECKED)
def answer_schedule(original: Any, response: Any) -> Any:
    """Answer CreateSchedule or UpdateSchedule, for what AWS takes.

    The expression is checked first, then names and formats, then the role with IAM.
    """
    _drop_query(response)
    _require_expression(response)
    group = str(response._get_param("GroupName") or "default")
    for problem in schedule_problems(json.loads(response.body)):
        raise ValidationException(problem)
    if group not in response.scheduler_backend.schedule_groups:
        raise ScheduleGroupNotFound(group)
    _require_role(response, group)
    return original(response)


@patch(f"{_HANDLER}.list_tags_for_resource", why=_QUERY)
@patch(f"{_HANDLER}.tag_resource", why=_QUERY)
def answer_tags(original: Any, response: Any) -> Any:
    """Answer about the tags of what the path names, which is what policies are asked about."""
    _drop_query(response)
    return original(response)


def _drop_query(response: Any) -> None:
    response.uri = response.uri.partition("?")[0]


@patch(f"{_BACKEND}.create_schedule_group", why="replaces a group, and drops its schedules")
def create_schedule_group(original: Any, backend: Any, name: str, tags: Any) -> Any:
    """Make a group; raises ConflictException where it is there already."""
    if name in backend.schedule_groups:
        raise JsonRESTError("ConflictException", f"Schedule group {name} already exists.")
    return original(backend, name, tags)


@patch(
    f"{_BACKEND}.delete_schedule_group", why="deletes the default group, without which all fails"
)
def delete_schedule_group(original: Any, backend: Any, name: str | None) -> None:
    """Delete a group with its schedules; the default group stays."""
    if (name or "default") == "default":
        raise ValidationException("The default schedule group cannot be deleted.")
    backend.get_schedule_group(name)
    original(backend, name)


def _require_role(response: Any, group: str) -> None:
    role = (response._get_param("Target") or {}).get("RoleArn", "")
    source = f"arn:aws:scheduler:{response.region}:{ACCOUNT_ID}:schedule-group/{group}"
    try:
        if is_enforced():
            require_trust("scheduler.amazonaws.com", role, source)
    except RoleNotAssumable as error:
        raise ValidationException(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the "
            "role."
        ) from error


def _require_expression(response: Any) -> None:
    expression = str(response._get_param("ScheduleExpression") or "")
    try:
        check(expression)
    except ExpressionError as error:
        raise ValidationException(f"Invalid Schedule Expression {expression}.") from error
    zone = response._get_param("ScheduleExpressionTimezone") or "UTC"
    try:
        check(expression, zone)
    except ExpressionError as error:
        raise ValidationException(
            f"Invalid ScheduleExpressionTimezone {zone}. The provided timezone is not supported."
        ) from error


def _require_target(given: dict[str, Any]) -> None:
    arn = given["target"]["Arn"]
    try:
        if is_universal(arn):
            named(arn)
        elif arn.split(":")[2] not in TARGET_SERVICES - {"logs"}:
            raise ValueError(f"The embedded AWS does not implement {arn} as a target")
    except IndexError as error:
        raise ValidationException(f"Invalid RequestPayload: {arn} is not an ARN.") from error
    except ValueError as error:
        raise ValidationException(f"{error}.") from error
