"""The tasks around Terraform: bundles, plan, apply, destroy, and its own tests."""

from scones_core.errors import DeployError
from scones_deploy.bundle import BundleManifest, build_bundles
from scones_deploy.terraform.plan import Plan, protect, require_empty_buckets
from scones_deploy.terraform.state_bucket import backend_bucket, ensure_state_bucket
from scones_toolkit import candidates
from scones_toolkit.cli import confirm
from scones_toolkit.project import Project
from scones_toolkit.verification import verify

# What a plan is not listed beyond; all of it is in Terraform's own output.
LISTED = 12


def build(project: Project) -> BundleManifest:
    """Build the Lambda zips and return their manifest; raises BuildError."""
    out = project.build / "lambda"
    manifest = build_bundles(
        project.root, out, settings=project.settings.bundle, cache=project.cache
    )
    for name, bundle in manifest.bundles.items():
        project.console.say(
            f"  {name}: {bundle.zip_bytes:,} bytes, sha256 {bundle.sha256[:12]}, "
            f"{', '.join(bundle.dependencies)}"
        )
    return manifest


def prepare(project: Project) -> None:
    """Connect Terraform to this environment's state and providers.

    Only the embedded AWS has its state bucket made here: in an account, the bucket is there
    before the first plan, with rights of its own.
    """
    backend = {}
    if project.environment == "local":
        ensure_state_bucket(project.client("s3"), state_bucket(project))
    else:
        backend["bucket"] = state_bucket(project)
    if notice := project.terraform.init(backend):
        project.console.say(f"  {notice}")


def apply(project: Project, *, allow_destroy: bool = False, confirmed: bool = False) -> Plan:
    """Apply the plan that `inv plan` saved, or plan now, show it, ask, and apply that very plan.

    The embedded AWS is not asked for. Raises DeployError where the plan destroys what cannot
    be rebuilt, unless `allow_destroy`, and where nobody can be asked and `confirmed` is not
    given.
    """
    require_bundles(project)
    prepare(project)
    made = project.terraform.saved_plan()
    if made is not None:
        project.console.say("  Applying the plan that `inv plan` saved.")
        describe(project, made)
    else:
        made = project.terraform.plan()
        describe(project, made)
        if made.has_changes and not confirmed and project.environment != "local":
            confirm(f"These changes will be made to {project.environment}.", project.environment)
    return carry_out(project, made, allow_destroy=allow_destroy)


def carry_out(project: Project, made: Plan, *, allow_destroy: bool = False) -> Plan:
    """Apply a saved plan, and verify what runs then.

    Raises DeployError where it destroys and that is not allowed, where a bucket would be left
    over, and where what runs is not what was applied.
    """
    protect(made, allow_destroy=allow_destroy)
    require_empty_buckets(made, project.client("s3"))
    with project.lines.counting(made.add + made.change + made.destroy):
        project.terraform.apply(made)
    project.forget_deployment()
    verify(project)
    return made


def verify_deployed(project: Project) -> None:
    """Compare what runs with what was applied; raises DeployError with every difference."""
    require_bundles(project)
    prepare(project)
    verify(project)


def destroy(project: Project, *, confirmed: bool = False) -> None:
    """Remove everything in the environment, once its name was typed or `confirmed` is given.

    Raises DeployError before anything is removed where a bucket would be left over.
    """
    name = project.environment
    if not confirmed:
        confirm(f"Everything in {name} will be removed.", name)
    prepare(project)
    made = project.terraform.plan(destroy=True)
    require_empty_buckets(made, project.client("s3"))
    candidates.clear(project, made)
    project.terraform.apply(made)
    project.forget_deployment()
    project.console.say(f"{made.destroy} resources of {project.environment} are destroyed.")


def describe(project: Project, made: Plan) -> None:
    """Print a plan's counts, and what it would destroy by name."""
    say = project.console.say
    if not made.has_changes:
        say("  No changes: what is deployed is what the code says.")
        return
    say(f"  {made.add} to add, {made.change} to change, {made.destroy} to destroy.")
    lost = [change.address for change in made.changes if change.destroys]
    for address in lost[:LISTED]:
        project.console.warn(f"  destroys {address}")
    if len(lost) > LISTED:
        project.console.warn(f"  ... and {len(lost) - LISTED} more")


def require_bundles(project: Project) -> None:
    """Raise DeployError where the Lambda zips have not been built."""
    if not (project.build / "lambda" / "manifest.json").is_file():
        raise DeployError("The Lambda zips are not built; run `inv build` first.")


def state_bucket(project: Project) -> str:
    """Return the bucket of the state: of an account the one that is set, else as documented."""
    if project.environment == "local":
        return backend_bucket(project.root / "terraform" / "environments" / "local" / "backend.hcl")
    if project.settings.project.state_bucket:
        return project.settings.project.state_bucket
    account = project.client("sts").get_caller_identity()["Account"]
    return f"scones-{project.environment}-terraform-state-{account}"
