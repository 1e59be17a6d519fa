"""The alarms that take an endpoint's update back, looked at before an update begins.

SageMaker watches them on the old instances too: an alarm that the present release has raised also
rolls back the update that would replace that release
(https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html).
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from scones_core.errors import DeployError
from scones_deploy.terraform.plan import Plan
from scones_deploy.terraform.state import ENDPOINT, AppliedResource

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

ALARM = "aws_cloudwatch_metric_alarm"


def require_quiet_alarms(
    plan: Plan, planned: Iterable[AppliedResource], cloudwatch: "CloudWatchClient"
) -> None:
    """Let a plan pass that updates no endpoint whose rollback alarm is on.

    `planned` are the resources as the plan leaves them. An alarm that the plan changes is not
    counted, so that it can be changed. Raises DeployError, naming the alarms.
    """
    if raised := raised_alarms(plan, planned, cloudwatch):
        raise DeployError(
            f"Nothing was applied, because SageMaker would roll the endpoint's update back: what "
            f"serves now has raised {', '.join(raised)}. Apply again once it is OK; if it stays "
            "raised, `inv apply --ignore-raised-alarms` updates the endpoint without it this once "
            "(docs/runbooks/failed-rollout.md)."
        )


def raised_alarms(
    plan: Plan, planned: Iterable[AppliedResource], cloudwatch: "CloudWatchClient"
) -> list[str]:
    """Return the names of the raised alarms that would take an update of this plan back."""
    names = sorted(watched_alarms(plan, tuple(planned)))
    if not names:
        return []
    found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    return [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]


def watched_alarms(plan: Plan, planned: tuple[AppliedResource, ...]) -> Iterator[str]:
    """Return the names of the alarms that will watch the endpoints which a plan updates in place.

    Without those that the plan itself touches.
    """
    actions = {change.address: change.actions for change in plan.changes}
    untouched = {
        str(resource.values.get("alarm_name"))
        for resource in planned
        if resource.type == ALARM and resource.address not in actions
    }
    for endpoint in planned:
        if endpoint.type != ENDPOINT or actions.get(endpoint.address) != ("update",):
            continue
        for deployment in endpoint.values.get("deployment_config") or ():
            for rollback in deployment.get("auto_rollback_configuration") or ():
                for alarm in rollback.get("alarms") or ():
                    if alarm["alarm_name"] in untouched:
                        yield alarm["alarm_name"]
