"""The tasks that end cost: `pause` for what bills by the hour, `purge` for everything."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from scones_core.errors import DeployError
from scones_deploy.cost import Prices, estimate
from scones_deploy.pause import Running, running
from scones_deploy.pause import stop as stop_one
from scones_deploy.removal import (
    Owner,
    empty_bucket,
    empty_model_group,
    empty_repository,
    in_order,
    is_missing,
    list_remaining,
    remove,
    remove_roles,
)
from scones_deploy.terraform.plan import require_empty_buckets
from scones_deploy.terraform.state import AppliedResource
from scones_toolkit.cli import confirm
from scones_toolkit.console import plural
from scones_toolkit.project import Project
from scones_toolkit.tasks.deployment.deploy import (
    bucket_names,
    carry_out,
    drop_releases_of,
    prepare,
)


def pause(project: Project, *, confirmed: bool = False) -> list[Running]:
    """Stop what bills by the hour in the environment, say what remains, and return what stopped.

    Endpoints are deleted, notebooks and jobs stopped, each only where its tags say that it is
    this environment's. `inv apply` brings the endpoint back as it was. Raises DeployError, before
    anything is stopped, where jobs run and neither a person nor `confirmed` agrees to end them.
    """
    # Before anything is stopped: what remains is read from Terraform's state.
    prepare(project)
    found = _running(project)
    if not confirmed and (jobs := [item for item in found if item.is_job]):
        named = ", ".join(f"{item.kind.label} {item.name}" for item in jobs)
        confirm(
            f"These jobs in {project.environment} will be stopped before they end: {named}.",
            project.environment,
        )
    found = _stop(project, found)
    say = project.console.say
    if not found:
        say(f"Nothing in {project.environment} bills by the hour.")
    applied = project.terraform.applied()
    _print_hourly_costs(project, applied)
    if any(item.kind.label == "endpoint" for item in found):
        say(
            f"`inv apply --env {project.environment}` brings the endpoint back on the release "
            "that was active; until then executions end as failed, EndpointNotFound."
        )
    # Other modules have schedules too, for jobs.
    if any(
        resource.type == "aws_scheduler_schedule" and resource.module.startswith("module.endpoint")
        for resource in applied
    ):
        project.console.warn(
            "Office hours are set: their schedule creates the endpoint again when they begin. "
            "To keep it down, remove office_hours from env.tfvars, apply, and pause again."
        )
    return found


def _running(project: Project) -> list[Running]:
    with project.console.working("looking for what bills by the hour"):
        return running(project.client("sagemaker"), _owner(project))


def _stop(project: Project, found: Sequence[Running]) -> list[Running]:
    sagemaker = project.client("sagemaker")
    stopped = [item for item in found if stop_one(sagemaker, item)]
    for item in stopped:
        project.console.say(f"  {item.kind.label} {item.name} is being stopped")
    return stopped


def _print_hourly_costs(project: Project, applied: Sequence[AppliedResource]) -> None:
    """Say what goes on billing without any use."""
    prices, usage = Prices.load(), project.settings.cost
    lines = [line for line in estimate(applied, "", prices, usage) if line.month >= 0.005]
    standing = [x for x in lines if not x.item.endswith("every hour")]
    rows = [(line.service, line.item, f"{line.month:,.2f}") for line in standing]
    if rows:
        title = f"What remains and bills, in {prices.currency} a month (`inv cost` for the rest)"
        project.console.grid(title, ("service", "what", "a month"), rows)


def purge(project: Project, *, confirmed: bool = False) -> None:
    """Remove everything of the environment, orphans included, once its name was typed.

    First what bills by the hour, then every object and image, then what Terraform knows, then
    whatever else carries the environment's tags. Says what remains. Nothing of another project
    or environment is touched: tags decide, never only a name.
    """
    name = project.environment
    if not confirmed:
        confirm(f"Everything in {name}, with all data, models and records, will be gone.", name)
    prepare(project)
    _require_unlocked(project)
    applied = project.terraform.applied()
    _stop(project, _running(project))
    _empty(project, applied)
    made = project.terraform.plan(destroy=True)
    require_empty_buckets(made, project.client("s3"))
    if made.has_changes:
        carry_out(project, made, again="purge")
    project.forget_deployment()
    project.console.say(f"  Destroyed of what Terraform knew: {plural(made.destroy, 'resource')}.")
    drop_releases_of(project, bucket_names(applied))
    _print_remaining(project, _remove_orphans(project))


def _require_unlocked(project: Project) -> None:
    """Raise DeployError where another run of Terraform holds the state: this one could not go on.

    Its data would be gone by then, and what holds it would be left.
    """
    lock = project.state_lock()
    if lock is not None:
        raise DeployError(
            f"{lock.who} has held the lock of {project.environment}'s state since {lock.since} "
            f"({lock.operation}), so nothing was removed. Wait until that ends; if it was killed: "
            f"inv unlock{project.env_flag}"
        )


def _empty(project: Project, applied: Sequence[AppliedResource]) -> None:
    """Empty buckets, repository and model group, which cannot be removed with content."""
    for resource in applied:
        try:
            if resource.type == "aws_s3_bucket":
                name = str(resource.values["bucket"])
                gone = empty_bucket(project.client("s3"), name)
                project.console.say(
                    f"  {name}: {plural(gone, 'object')} deleted, versions included"
                )
            elif resource.type == "aws_ecr_repository":
                empty_repository(project.client("ecr"), str(resource.values["name"]))
            elif resource.type == "aws_sagemaker_model_package_group":
                name = str(resource.values["model_package_group_name"])
                empty_model_group(project.client("sagemaker"), name)
        except ClientError as error:
            if not is_missing(error):
                raise


def _remove_orphans(project: Project) -> list[str]:
    """Remove what carries the environment's tags, and return what cannot be removed."""
    owner = _owner(project)
    tagged = owner.tagged_arns(project.client("resourcegroupstaggingapi"))
    # terraform/bootstrap gives it the same tags, and it holds the way back.
    kept = f":s3:::{project.state_bucket}"
    arns = [arn for arn in tagged if not arn.endswith(kept)]
    removable = in_order(arns)
    for arn in removable:
        if remove(project.client, arn) and not arn.is_key:
            project.console.say(f"  {arn.text} is removed")
    for role in remove_roles(project.client("iam"), owner):
        project.console.say(f"  role {role} is removed")
    gone = {arn.text for arn in removable if not arn.is_key}
    return list_remaining(project.client, [text for text in arns if text not in gone])


def _print_remaining(project: Project, left: list[str]) -> None:
    say = project.console.say
    for line in left:
        say(f"  remains: {line}")
    say(f"  remains: {project.state_bucket}, with the versions of Terraform's state")


def _owner(project: Project) -> Owner:
    return Owner.of(project.release_file.with_name("env.tfvars"), project.environment)
