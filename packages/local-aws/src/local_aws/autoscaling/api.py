"""Application Auto Scaling in moto: the alarms of its policies, and what is refused."""

import json
import uuid
from typing import Any

from local_aws.autoscaling.policies import tracking_alarms
from local_aws.autoscaling.scalable_targets import activities
from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import implement, wrap
from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.schedule_expressions import check


def install() -> None:
    """Mend targets, policies and scheduled actions; add the activities."""
    _targets()
    _policies()
    _scheduled_actions()
    _activities()


def _targets() -> None:
    from moto.applicationautoscaling.exceptions import AWSValidationException
    from moto.applicationautoscaling.models import ApplicationAutoscalingBackend

    fault = "takes targets that nothing will ever scale"

    @wrap(ApplicationAutoscalingBackend, "register_scalable_target", fault=fault)
    def register(original: Any, backend: Any, namespace: str, *given: Any, **more: Any) -> Any:
        if namespace != "sagemaker":
            raise AWSValidationException(
                f"The embedded AWS does not implement scaling of {namespace}, only of sagemaker."
            )
        return original(backend, namespace, *given, **more)

    @wrap(ApplicationAutoscalingBackend, "deregister_scalable_target", fault="keeps its policies")
    def deregister(original: Any, backend: Any, *given: Any) -> None:
        original(backend, *given)
        namespace, resource_id, dimension = given
        wanted = (namespace, resource_id, dimension)
        for policy in list(backend.policies.values()):
            if wanted == (policy.service_namespace, policy.resource_id, policy.scalable_dimension):
                backend.delete_scaling_policy(policy.policy_name, *wanted)
        backend.scheduled_actions = [
            action
            for action in backend.scheduled_actions
            if wanted != (action.service_namespace, action.resource_id, action.scalable_dimension)
        ]


def _policies() -> None:
    from moto.applicationautoscaling.exceptions import AWSValidationException
    from moto.applicationautoscaling.models import ApplicationAutoscalingBackend

    fault = "makes no alarms for SageMaker's variants, and another ARN at each update"

    @wrap(ApplicationAutoscalingBackend, "put_scaling_policy", fault=fault)
    def put_scaling_policy(original: Any, backend: Any, **given: Any) -> Any:
        target = backend.targets.get(given["scalable_dimension"], {}).get(given["resource_id"])
        if target is None:
            raise AWSValidationException(
                f"No scalable target registered for service namespace: "
                f"{given['service_namespace']}, resource ID: {given['resource_id']}, scalable "
                f"dimension: {given['scalable_dimension']}"
            )
        before = _same(backend, given)
        wanted = _alarms(given)
        policy = original(backend, **given)
        if before is not None:
            policy.policy_arn = before.policy_arn
            before.delete_alarms(backend.account_id, backend.region_name)
        policy.alarms = [_put(backend, policy, one) for one in wanted]
        return policy


def _same(backend: Any, given: dict[str, Any]) -> Any:
    for policy in backend.policies.values():
        if (policy.policy_name, policy.resource_id) == (given["policy_name"], given["resource_id"]):
            return policy
    return None


def _alarms(given: dict[str, Any]) -> list[dict[str, Any]]:
    from moto.applicationautoscaling.exceptions import AWSValidationException

    if given["policy_type"] != "TargetTrackingScaling":
        return []
    try:
        return tracking_alarms(given["policy_body"], given["resource_id"])
    except ValueError as error:
        raise AWSValidationException(f"{error}.") from error


def _put(backend: Any, policy: Any, wanted: dict[str, Any]) -> Any:
    from moto.cloudwatch.models import cloudwatch_backends

    action = f"{policy.policy_arn}:createdBy/{uuid.uuid4()}"
    return cloudwatch_backends[ACCOUNT_ID][backend.region_name].put_metric_alarm(
        **{**wanted, "name": f"{wanted['name']}-{uuid.uuid4()}"},
        description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        alarm_actions=[action],
    )


def _scheduled_actions() -> None:
    from moto.applicationautoscaling.exceptions import AWSValidationException
    from moto.applicationautoscaling.models import (
        ApplicationAutoscalingBackend,
        FakeScheduledAction,
    )

    fault = "never takes a scheduled action"

    @wrap(ApplicationAutoscalingBackend, "put_scheduled_action", fault=fault)
    def put_scheduled_action(original: Any, backend: Any, **given: Any) -> None:
        schedule = given["schedule"]
        try:
            if schedule:
                check(schedule, given["timezone"] or "UTC")
        except ExpressionError as error:
            raise AWSValidationException(f"Invalid schedule {schedule}: {error}.") from error
        original(backend, **given)

    for method in ("__init__", "update"):

        @wrap(FakeScheduledAction, method, fault=fault)
        def begin(original: Any, action: Any, *given: Any, **more: Any) -> None:
            original(action, *given, **more)
            action.local_aws_since = action.local_aws_last = clock.now()


def _activities() -> None:
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    @implement(ApplicationAutoScalingResponse, "describe_scaling_activities", fault="is missing")
    def describe_scaling_activities(response: Any) -> str:
        wanted = {
            name: response._get_param(name)
            for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")
        }
        found = [
            activity
            for activity in reversed(activities(response.applicationautoscaling_backend))
            if all(value in (None, activity[name]) for name, value in wanted.items())
        ]
        return json.dumps({"ScalingActivities": found})
