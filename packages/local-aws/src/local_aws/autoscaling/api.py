"""Application Auto Scaling in moto: the alarms of its policies, and what is refused."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.cloudwatch.models import cloudwatch_backends

from local_aws.autoscaling.policies import tracking_alarms
from local_aws.autoscaling.scalable_targets import activities
from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import add, patch
from local_aws.core.tags import TagStore
from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.schedule_expressions import check


@patch(
    "moto.applicationautoscaling.models.ApplicationAutoscalingBackend.register_scalable_target",
    why="takes targets that nothing will ever scale",
)
def register(original: Any, backend: Any, namespace: str, *given: Any, **more: Any) -> Any:
    """Register a variant of an endpoint."""
    if namespace != "sagemaker":
        raise AWSValidationException(
            f"The embedded AWS does not implement scaling of {namespace}, only of sagemaker."
        )
    resource_id, dimension = given
    bounds = more.get("min_capacity"), more.get("max_capacity")
    _require_bounds(backend.targets.get(dimension, {}).get(resource_id), resource_id, *bounds)
    return original(backend, namespace, *given, **more)


def _require_bounds(known: Any, resource_id: str, least: int | None, most: int | None) -> None:
    if not re.fullmatch(r"endpoint/[^/]+/variant/[^/]+", resource_id):
        raise AWSValidationException("Unsupported service namespace, resource type or dimension")
    least = getattr(known, "min_capacity", None) if least is None else least
    most = getattr(known, "max_capacity", None) if most is None else most
    if least is None or most is None:
        return  # moto says that they are missing
    if not 0 <= int(least) <= int(most):
        raise AWSValidationException(
            "Maximum capacity cannot be less than minimum capacity, nor minimum capacity less than "
            "0"
        )


@patch(
    "moto.applicationautoscaling.models.ApplicationAutoscalingBackend.deregister_scalable_target",
    why="keeps its policies",
)
def deregister(original: Any, backend: Any, *given: Any) -> None:
    """Deregister a target with its policies and scheduled actions."""
    original(backend, *given)
    namespace, resource_id, dimension = given
    policy_scope = (namespace, resource_id, dimension)
    for policy in list(backend.policies.values()):
        if policy_scope == (
            policy.service_namespace,
            policy.resource_id,
            policy.scalable_dimension,
        ):
            backend.delete_scaling_policy(policy.policy_name, *policy_scope)
    backend.scheduled_actions = [
        action
        for action in backend.scheduled_actions
        if policy_scope != (action.service_namespace, action.resource_id, action.scalable_dimension)
    ]


@patch(
    "moto.applicationautoscaling.models.ApplicationAutoscalingBackend.put_scaling_policy",
    why="makes no alarms for SageMaker's variants, and another ARN at each update",
)
def put_scaling_policy(original: Any, backend: Any, **given: Any) -> Any:
    """Make or change a policy, and its alarms."""
    target = backend.targets.get(given["scalable_dimension"], {}).get(given["resource_id"])
    if target is None:
        raise AWSValidationException(
            f"No scalable target registered for service namespace: "
            f"{given['service_namespace']}, resource ID: {given['resource_id']}, scalable "
            f"dimension: {given['scalable_dimension']}"
        )
    before = _same(backend, given)
    alarms = _alarms(given)
    policy = original(backend, **given)
    if before is not None:
        policy.policy_arn = before.policy_arn
        before.delete_alarms(backend.account_id, backend.region_name)
    policy.alarms = [_put(backend, policy, one) for one in alarms]
    return policy


def _same(backend: Any, given: dict[str, Any]) -> Any:
    for policy in backend.policies.values():
        if (policy.policy_name, policy.resource_id) == (given["policy_name"], given["resource_id"]):
            return policy
    return None


def _alarms(given: dict[str, Any]) -> list[dict[str, Any]]:
    if given["policy_type"] != "TargetTrackingScaling":
        return []
    try:
        return tracking_alarms(given["policy_body"], given["resource_id"])
    except ValueError as error:
        raise AWSValidationException(f"{error}.") from error


def _put(backend: Any, policy: Any, alarm: dict[str, Any]) -> Any:
    action = f"{policy.policy_arn}:createdBy/{uuid.uuid4()}"
    return cloudwatch_backends[ACCOUNT_ID][backend.region_name].put_metric_alarm(
        **{**alarm, "name": f"{alarm['name']}-{uuid.uuid4()}"},
        description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        alarm_actions=[action],
    )


@patch(
    "moto.applicationautoscaling.models.ApplicationAutoscalingBackend.put_scheduled_action",
    why="never takes a scheduled action",
)
def put_scheduled_action(original: Any, backend: Any, **given: Any) -> None:
    """Make or change a scheduled action."""
    schedule = given["schedule"]
    if not schedule and not _is_there(backend, given):
        raise AWSValidationException("Schedule is required for a new scheduled action.")
    try:
        if schedule:
            check(schedule, given["timezone"] or "UTC")
    except ExpressionError as error:
        raise AWSValidationException(f"Invalid schedule {schedule}: {error}.") from error
    original(backend, **given)


def _is_there(backend: Any, given: Mapping[str, Any]) -> bool:
    names = ("service_namespace", "scheduled_action_name", "resource_id", "scalable_dimension")
    return any(
        all(getattr(action, name) == given[name] for name in names)
        for action in backend.scheduled_actions
    )


_ACTION = "moto.applicationautoscaling.models.FakeScheduledAction"


@patch(f"{_ACTION}.__init__", why="never takes a scheduled action")
@patch(f"{_ACTION}.update", why="never takes a scheduled action")
def begin(original: Any, action: Any, *given: Any, **more: Any) -> None:
    """Make or change a scheduled action, which counts from now."""
    original(action, *given, **more)
    action.local_aws_since = action.local_aws_last = clock.now()


@add(
    "moto.applicationautoscaling.responses.ApplicationAutoScalingResponse.describe_scaling_activities",
    why="is missing",
)
def describe_scaling_activities(response: Any) -> str:
    """Answer DescribeScalingActivities."""
    filters = {
        name: response._get_param(name)
        for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")
    }
    found = [
        activity
        for activity in reversed(activities(response.applicationautoscaling_backend))
        if all(value in (None, activity[name]) for name, value in filters.items())
    ]
    return json.dumps({"ScalingActivities": found})


# --- tags of targets ---

_RESPONSE = "moto.applicationautoscaling.responses.ApplicationAutoScalingResponse"
_TAGS = TagStore("application-autoscaling")


@patch(f"{_RESPONSE}.register_scalable_target", why="drops the tags")
def register_with_tags(original: Any, response: Any) -> str:
    """Answer RegisterScalableTarget."""
    answer: str = original(response)
    _TAGS.add(json.loads(answer)["ScalableTargetARN"], response._get_param("Tags") or {})
    return answer


@add(f"{_RESPONSE}.list_tags_for_resource", why="is missing")
def list_tags_for_resource(response: Any) -> str:
    """Answer ListTagsForResource."""
    return json.dumps({"Tags": _TAGS.of(response._get_param("ResourceARN"))})


@add(f"{_RESPONSE}.tag_resource", why="is missing")
def tag_resource(response: Any) -> str:
    """Answer TagResource."""
    _TAGS.add(response._get_param("ResourceARN"), response._get_param("Tags"))
    return "{}"


@add(f"{_RESPONSE}.untag_resource", why="is missing")
def untag_resource(response: Any) -> str:
    """Answer UntagResource."""
    _TAGS.remove(response._get_param("ResourceARN"), response._get_param("TagKeys"))
    return "{}"
