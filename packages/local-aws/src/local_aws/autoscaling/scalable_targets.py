"""Application Auto Scaling of SageMaker's variants: by alarms' policies and by the clock."""

import datetime
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_aws.autoscaling.policies import cooldown_seconds, step_capacity, tracked_capacity
from local_aws.cloudwatch.alarms import queries_of
from local_aws.cloudwatch.metric_queries import fetching, run
from local_aws.core.clock import Clock, due_time, others_unharmed
from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.schedule_expressions import Schedule
from local_aws.eventbridge.targets import call

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_ACTIVITIES = 500
_LATENESS = datetime.timedelta(minutes=5)
# Gets a region; returns a client of SageMaker that acts for the service itself.
Clients = Callable[[str], Any]


class Autoscaling:
    """Changes the instance counts of registered variants. The agenda of scheduled actions."""

    def __init__(self, clock: Clock, clients: Clients) -> None:
        self._clock, self._clients = clock, clients

    def next_due(self) -> datetime.datetime | None:
        """Return when the next scheduled action is to be taken."""
        times = [due_time(action, self._next) for _, action in _scheduled()]
        return min((time for time in times if time is not None), default=None)

    def run(self, now: datetime.datetime) -> None:
        """Set the bounds of the actions that are due, and bring the capacities within them."""
        for backend, action in list(_scheduled()):
            due = due_time(action, self._next)
            if due is None or due > now:
                continue
            action.local_aws_last = due
            with others_unharmed(action):
                self._take(backend, action)

    def _take(self, backend: Any, action: Any) -> None:
        target = backend.targets.get(_DIMENSION, {}).get(action.resource_id)
        if target is None or _is_suspended(target, "ScheduledScalingSuspended"):
            return
        bounds = action.scalable_target_action or {}
        target.update(bounds.get("MinCapacity"), bounds.get("MaxCapacity"), None)
        name = action.scheduled_action_name
        self._bound(backend, target, f"scheduled action name {name} was triggered")

    def scale(self, policy_arn: str, alarm: Any) -> None:
        """Apply a policy for its alarm. Raises DeliveryFailed where there is none."""
        found = _policy(policy_arn)
        if found is None:
            raise DeliveryFailed("NO_RESOURCE", f"There is no scaling policy {policy_arn}.")
        backend, policy = found
        target = backend.targets.get(policy.scalable_dimension, {}).get(policy.resource_id)
        current = None if target is None else self._capacity(backend, target)
        if current is None:
            return
        desired = _wanted(policy, alarm, current, self._clock.now())
        desired = min(max(desired, int(target.min_capacity)), int(target.max_capacity))
        if desired != current and self._may(policy, target, scale_in=desired < current):
            cause = (
                f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
            )
            self._set(backend, target, desired, cause)

    def _may(self, policy: Any, target: Any, *, scale_in: bool) -> bool:
        name = f"DynamicScaling{'In' if scale_in else 'Out'}Suspended"
        last = target.__dict__.setdefault("local_aws_scaled", {}).get(scale_in)
        pause = cooldown_seconds(policy._policy_body, scale_in=scale_in)
        waited = last is None or (self._clock.now() - last).total_seconds() >= pause
        return waited and not _is_suspended(target, name)

    def _bound(self, backend: Any, target: Any, cause: str) -> None:
        current = self._capacity(backend, target)
        if current is None:
            return
        desired = min(max(current, int(target.min_capacity)), int(target.max_capacity))
        if desired != current:
            self._set(backend, target, desired, cause)

    def _capacity(self, backend: Any, target: Any) -> int | None:
        """Return a variant's instance count; None while its endpoint cannot be changed."""
        endpoint, variant = _names(target)
        try:
            client = self._clients(backend.region_name)
            found = call(client, "describe_endpoint", EndpointName=endpoint)
        except DeliveryFailed:
            return None
        counts = [
            one.get("DesiredInstanceCount", one.get("CurrentInstanceCount"))
            for one in found.get("ProductionVariants") or []
            if one["VariantName"] == variant
        ]
        ready = found["EndpointStatus"] == "InService" and counts and counts[0] is not None
        return int(counts[0]) if ready else None

    def _set(self, backend: Any, target: Any, desired: int, cause: str) -> None:
        endpoint, variant = _names(target)
        current = self._capacity(backend, target) or 0
        wishes = [{"VariantName": variant, "DesiredInstanceCount": desired}]
        failure = ""
        try:
            call(
                self._clients(backend.region_name),
                "update_endpoint_weights_and_capacities",
                EndpointName=endpoint,
                DesiredWeightsAndCapacities=wishes,
            )
            scaled = target.__dict__.setdefault("local_aws_scaled", {})
            scaled[desired < current] = self._clock.now()
        except DeliveryFailed as error:
            failure = error.message
        self._note(backend, target, desired, cause, failure)

    def _note(self, backend: Any, target: Any, desired: int, cause: str, failure: str) -> None:
        now = self._clock.now().timestamp()
        done = (
            f"Successfully set desired instance count to {desired}. Change successfully fulfilled"
        )
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": target.service_namespace,
            "ResourceId": target.resource_id,
            "ScalableDimension": target.scalable_dimension,
            "Description": f"Setting desired instance count to {desired}.",
            "Cause": cause,
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Failed" if failure else "Successful",
            "StatusMessage": failure or f"{done} by sagemaker.",
        }
        kept = activities(backend)
        kept.append(activity)
        del kept[:-_ACTIVITIES]

    def _next(self, action: Any) -> datetime.datetime | None:
        oldest = (self._clock.now() - _LATENESS).replace(second=0, microsecond=0)
        since = action.local_aws_since
        if action.start_time:
            begin = datetime.datetime.fromtimestamp(float(action.start_time), datetime.UTC)
            since = max(since, begin)
        schedule = Schedule(action.schedule, action.timezone or "UTC", since)
        found = schedule.after(max(action.local_aws_last, oldest))
        end = action.end_time
        over = found is not None and end and found.timestamp() > float(end)
        return None if over else found


def activities(backend: Any) -> list[dict[str, Any]]:
    """Return the scaling activities of a region, which are kept with moto's own records."""
    kept: list[dict[str, Any]] = backend.__dict__.setdefault("local_aws_activities", [])
    return kept


def _wanted(policy: Any, alarm: Any, current: int, now: datetime.datetime) -> int:
    values = _values(policy, alarm, now)
    body: Mapping[str, Any] = policy._policy_body
    if policy.policy_type == "TargetTrackingScaling":
        scale_in = alarm.comparison_operator.startswith("Less")
        return tracked_capacity(body, current, values, scale_in=scale_in)
    return step_capacity(body, current, values[-1] - float(alarm.threshold)) if values else current


def _values(policy: Any, alarm: Any, now: datetime.datetime) -> list[float]:
    """Return what an alarm saw in its last periods."""
    from moto.cloudwatch.models import cloudwatch_backends

    backend: Any = cloudwatch_backends[ACCOUNT_ID][policy.region_name]
    queries = queries_of(alarm)
    period = max(query.period for query in queries)
    end = now.timestamp() // 60 * 60
    begin = end - int(alarm.evaluation_periods) * period
    found = run(queries, fetching(backend.local_aws_metrics), begin, end)
    series = next(found[query.id] for query in queries if query.returned)
    return [series[at] for at in sorted(series)]


def _names(target: Any) -> tuple[str, str]:
    _, endpoint, _, variant = target.resource_id.split("/")
    return endpoint, variant


def _is_suspended(target: Any, name: str) -> bool:
    return bool((target.suspended_state or {}).get(name))


def _backends() -> list[Any]:
    from moto.applicationautoscaling.models import applicationautoscaling_backends

    return list(applicationautoscaling_backends[ACCOUNT_ID].values())


def _scheduled() -> Iterator[tuple[Any, Any]]:
    for backend in _backends():
        for action in list(backend.scheduled_actions):
            yield backend, action


def _policy(arn: str) -> tuple[Any, Any] | None:
    for backend in _backends():
        for policy in list(backend.policies.values()):
            if arn == policy.policy_arn or arn.startswith(f"{policy.policy_arn}:"):
                return backend, policy
    return None
