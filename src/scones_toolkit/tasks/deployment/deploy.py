"""The tasks around Terraform: bundles, plan, apply, destroy, and its own tests."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from shlex import quote

from scones_core.errors import DeployError
from scones_core.events import challenger_of
from scones_core.files import write_atomically
from scones_core.uris import S3Uri
from scones_deploy.artifact_release import missing_models, released_images
from scones_deploy.bundle import BundleManifest, build_bundles
from scones_deploy.office_hours import OfficeHours, only_creates_endpoint
from scones_deploy.release import (
    Release,
    Releases,
    drop_releases,
    read_releases,
    require_same_assignments,
)
from scones_deploy.rollback_alarms import raised_alarms, require_quiet_alarms
from scones_deploy.terraform.adapter import Terraform
from scones_deploy.terraform.checks import scan
from scones_deploy.terraform.module_docs import stale_docs, write_docs
from scones_deploy.terraform.plan import (
    Plan,
    protect,
    require_artifacts,
    require_empty_buckets,
)
from scones_deploy.terraform.state import ENDPOINT, AppliedResource, served_configurations
from scones_deploy.terraform.state_bucket import ensure_state_bucket
from scones_deploy.verification import (
    endpoint_differences,
    function_differences,
    is_served,
    rollback_advice,
    score_differences,
    setting_differences,
)
from scones_toolkit.cli import confirm
from scones_toolkit.console import TerraformLines, plural
from scones_toolkit.project import Project
from scones_toolkit.tasks.training import candidates

# What a plan is not listed beyond; all of it is in Terraform's own output.
LISTED = 12
NAMED_OBJECT = re.compile(r's3://[^"/\s]+/[^"\s]+')
SYMBOLS: dict[tuple[str, ...], str] = {("create",): "+", ("read",): "<="}


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
    project.hint("plan")
    return manifest


def prepare(project: Project) -> None:
    """Connect Terraform to this environment's state and providers.

    Only the embedded AWS has its state bucket made here: in an account, the bucket is there
    before the first plan, with rights of its own. Done once in a process.
    """
    if project.terraform.is_connected:
        return
    bucket = project.state_bucket
    if project.embedded:
        ensure_state_bucket(project.client("s3"), bucket)
    backend = {} if project.environment == "local" else {"bucket": bucket}
    for line in project.terraform.init(backend).splitlines():
        project.console.say(f"  {line}")


def apply(
    project: Project,
    *,
    allow_destroy: bool = False,
    confirmed: bool = False,
    ignore_raised_alarms: bool = False,
) -> Plan:
    """Apply the plan that `inv plan` saved, or plan now, show it, ask, and apply that very plan.

    With `ignore_raised_alarms` it is planned now, and the rollback alarms that are raised take no
    endpoint's update back. The embedded AWS is not asked for. Raises DeployError where the plan
    destroys what cannot be rebuilt, unless `allow_destroy`, and where nobody can be asked and
    `confirmed` is not given.
    """
    require_bundles(project)
    prepare(project)
    drop_lost_releases(project)
    require_same_assignments(project.release_file, project.settings.assignment)
    made, ignored = None if ignore_raised_alarms else project.terraform.saved_plan(), list[str]()
    if made is not None:
        saved = datetime.fromtimestamp(made.path.stat().st_mtime)
        project.console.say(f"  Applying the saved plan of {saved:%H:%M}.")
        describe(project, made)
    else:
        made = project.terraform.plan()
        if ignore_raised_alarms and (ignored := _raised_alarms(project, made)):
            made = project.terraform.plan_ignoring(ignored)
        describe(project, made, every=project.environment != "local")
        if ignored:
            project.console.warn(f"  Rolls nothing back this time: {', '.join(ignored)}")
        # Before anybody is asked: a "yes" to what is refused anyway is asked for in vain.
        protect(made, allow_destroy=allow_destroy)
        _require_artifacts(project, made)
        _require_quiet_alarms(project, made)
        if made.has_changes and not confirmed and project.environment != "local":
            confirm(f"These changes will be made to {project.environment}.", project.environment)
    made = apply_plan(project, made, allow_destroy=allow_destroy)
    if ignored:
        project.console.say("The next inv apply has them roll an update back again.")
    return made


def apply_part(project: Project, addresses: Sequence[str]) -> Plan:
    """Apply these modules and resources, with what they depend on.

    `project` then has their outputs. `apply` has to follow: until it does, nothing is verified, and
    the other outputs are empty.
    """
    require_bundles(project)
    prepare(project)
    made = project.terraform.plan_part(addresses)
    describe(project, made)
    carry_out(project, made, again="apply")
    project.load_partial_deployment()
    return made


def apply_plan(project: Project, made: Plan, *, allow_destroy: bool = False) -> Plan:
    """Apply a saved plan, and verify what runs then.

    Raises DeployError where it destroys and that is not allowed, where a bucket would be left
    over, where a model's artifact is not there, where a raised alarm would take the endpoint's
    update back, and where what runs is not what was applied.
    """
    protect(made, allow_destroy=allow_destroy)
    _require_artifacts(project, made)
    require_empty_buckets(made, project.client("s3"))
    _require_quiet_alarms(project, made)
    carry_out(project, made, again="apply")
    project.forget_deployment()
    verify(project)
    project.hint("run --count 20" if project.deployment.endpoint_name else "etl")
    return made


def _require_artifacts(project: Project, made: Plan) -> None:
    variables = _variables(project).relative_to(project.root)
    require_artifacts(made, project.client("s3"), variables)


def _variables(project: Project) -> Path:
    return project.release_file.with_name("env.tfvars")


def _require_quiet_alarms(project: Project, made: Plan) -> None:
    if _updates_endpoint(made):
        require_quiet_alarms(made, project.terraform.applied(made), project.client("cloudwatch"))


def _raised_alarms(project: Project, made: Plan) -> list[str]:
    if not _updates_endpoint(made):
        return []
    return raised_alarms(made, project.terraform.applied(made), project.client("cloudwatch"))


def _updates_endpoint(made: Plan) -> bool:
    return any(c.type == ENDPOINT and c.actions == ("update",) for c in made.changes)


def carry_out(project: Project, made: Plan, *, again: str) -> None:
    """Apply a plan and count its resources; where it is interrupted, say which task goes on."""
    try:
        with project.lines.counting(made.add + made.change + made.destroy):
            project.terraform.apply(made)
    except KeyboardInterrupt:
        project.console.say(
            "Terraform has stopped and keeps what was done until then; "
            f"inv {again}{project.env_flag} goes on from there."
        )
        raise


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
    buckets = bucket_names(project.terraform.applied())
    carry_out(project, made, again="destroy")
    project.forget_deployment()
    project.console.say(
        f"Destroyed in {name}: {plural(made.destroy, 'resource')}."
        if made.has_changes
        else f"Nothing is deployed in {name}."
    )
    drop_releases_of(project, buckets)


def unlock(project: Project, *, confirmed: bool = False) -> None:
    """Release the lock that a run which was killed left on the state, once that is confirmed."""
    prepare(project)
    lock = project.state_lock()
    if lock is None:
        project.console.say(f"The state of {project.environment} is not locked.")
        return
    text = f"{lock.who} has held the lock since {lock.since} ({lock.operation})."
    if confirmed:
        project.console.say(f"  {text}")
    else:
        confirm(
            f"{text} Unlock only if that run has ended: two would change the same resources.",
            lock.id,
        )
    project.terraform.unlock(lock.id)
    project.console.say(f"The state of {project.environment} is unlocked.")


def bucket_names(applied: Iterable[AppliedResource]) -> set[str]:
    """Return the names of the buckets among resources."""
    return {str(found.values["bucket"]) for found in applied if found.type == "aws_s3_bucket"}


def drop_releases_of(project: Project, buckets: set[str]) -> None:
    """Take the releases whose models were in these buckets out of the release file.

    What the environment's variables name in them is said: that file is a person's own.
    """
    known = read_releases(project.release_file).releases.values()
    _drop(project, [r.id for r in known if S3Uri.parse(r.model_data_url).bucket in buckets])
    variables = _variables(project)
    for number, line in enumerate(variables.read_text(encoding="utf-8").splitlines(), start=1):
        for uri in NAMED_OBJECT.findall(line.partition("#")[0]):
            if S3Uri.parse(uri).bucket in buckets:
                project.console.warn(
                    f"  {variables.relative_to(project.root)}:{number} still names {uri}, which is "
                    "gone: take it out before the next plan."
                )


def drop_lost_releases(project: Project) -> None:
    """Take releases out of the local release file whose models went with the embedded AWS."""
    if project.environment == "local":
        known = read_releases(project.release_file).releases.values()
        _drop(project, missing_models(project.client("s3"), known))


def _drop(project: Project, gone: list[str]) -> None:
    if gone:
        drop_releases(project.release_file, gone)
        project.console.say(
            f"  The models of {', '.join(gone)} are gone, and so are these releases in "
            f"{project.release_file.relative_to(project.root)}; `inv release` makes another."
        )


def describe(project: Project, made: Plan, *, every: bool = False) -> None:
    """Print a plan's counts, what it would destroy by name, and with `every` all its changes."""
    if not made.has_changes:
        project.console.say("  No changes: what is deployed is what the code says.")
        return
    say = project.console.say
    say(f"  {made.add} to add, {made.change} to change, {made.destroy} to destroy.")
    if every:
        for change in made.changes:
            if not change.destroys:
                say(f"  {SYMBOLS.get(change.actions, '~')} {change.address}")
    lost = [change.address for change in made.changes if change.destroys]
    for address in lost[:LISTED]:
        project.console.warn(f"  destroys {address}")
    if len(lost) > LISTED:
        project.console.warn(f"  ... and {len(lost) - LISTED} more")


def require_bundles(project: Project) -> None:
    """Raise DeployError where the Lambda zips have not been built."""
    if not (project.build / "lambda" / "manifest.json").is_file():
        raise DeployError("The Lambda zips are not built: inv build")


# GitHub takes 65536 characters of a comment; two environments share one.
MAX_PLAN_CHARACTERS = 28_000


def plan(
    project: Project, *, out: Path | None = None, summary: Path | None = None, destroy: bool = False
) -> Plan:
    """Plan, print what it comes to, and return the saved plan.

    `out` keeps it, with a record of what it was made from, for `apply_kept`; a plan without
    changes leaves no file. `summary` takes the plan as Markdown, for a comment. Raises
    DeployError where a model's artifact is not there.
    """
    require_bundles(project)
    for path in (out, summary):
        if path is not None:
            project.require_writable(path)
    prepare(project)
    drop_lost_releases(project)
    require_same_assignments(project.release_file, project.settings.assignment)
    made = project.terraform.plan(destroy=destroy, out=out)
    describe(project, made, every=not project.verbose)
    _require_artifacts(project, made)
    if made.has_changes and not project.verbose:
        project.console.say("Every attribute is shown by --verbose.")
    if summary is not None:
        write_atomically(summary, markdown(project.environment, made, _plan_text(project, made)))
    if not destroy:
        say_how_to_apply(project, made, out)
    return made


def say_how_to_apply(project: Project, made: Plan, out: Path | None) -> None:
    """Print the task that applies a plan, which `out` keeps, or that there is none to apply."""
    if made.has_changes:
        project.hint("apply" if out is None else f"apply --plan {quote(str(out))}")
    elif out is not None:
        project.console.say(f"  {out} is not written: there is nothing to apply.")


def apply_kept(project: Project, path: Path, *, allow_destroy: bool = False) -> Plan:
    """Apply what the plan that `plan(out=path)` kept changes; nobody is asked, it was reviewed.

    It is planned once more, and that plan is applied. Raises DeployError for a plan of another
    environment, of other code, variables or zips, and where the new plan makes other changes.
    """
    require_bundles(project)
    prepare(project)
    made = project.terraform.kept_plan(path)
    describe(project, made)
    return apply_plan(project, made, allow_destroy=allow_destroy)


def drift(project: Project, *, summary: Path | None = None) -> bool:
    """Return whether the environment differs from the code; apply nothing, keep no plan.

    An endpoint that its schedule deleted for the night is no difference.
    `summary` takes the difference as Markdown, and is not written where there is none.
    """
    require_bundles(project)
    if summary is not None:
        project.require_writable(summary)
    prepare(project)
    path = project.terraform_data / "drift.tfplan"
    try:
        made = project.terraform.plan(out=path)
        describe(project, made, every=not project.verbose)
        if is_off_hours(project, made, project.now()):
            project.console.say("  The endpoint is down outside office hours; all else matches.")
            return False
        if made.has_changes and summary is not None:
            write_atomically(
                summary, markdown(project.environment, made, _plan_text(project, made))
            )
    finally:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.json").unlink(missing_ok=True)
    return made.has_changes


def is_off_hours(project: Project, made: Plan, now: datetime) -> bool:
    """Return whether all that is missing is the endpoint, at an hour when it is meant to be."""
    if not only_creates_endpoint(made):
        return False
    hours = OfficeHours.of(project.terraform.outputs().get("office_hours"))
    return hours is not None and hours.is_down(now)


def markdown(environment: str, made: Plan, text: str) -> str:
    """Return a plan as Markdown: its counts, what it destroys, and Terraform's own words."""
    if not made.has_changes:
        return f"### {environment}: no changes\n"
    counts = f"{made.add} to add, {made.change} to change, {made.destroy} to destroy"
    lost = "".join(f"- destroys `{c.address}`\n" for c in made.changes if c.destroys)
    cut = text[:MAX_PLAN_CHARACTERS].rstrip()
    if len(text) > MAX_PLAN_CHARACTERS:
        cut += f"\n... cut after {MAX_PLAN_CHARACTERS:,} of {len(text):,} characters"
    fence = "`" * max(3, _longest_run(cut) + 1)
    return (
        f"### {environment}: {counts}\n\n{lost}\n<details><summary>The plan</summary>\n\n"
        f"{fence}text\n{cut}\n{fence}\n\n</details>\n"
    )


def _plan_text(project: Project, made: Plan) -> str:
    return project.terraform.plan_text(made) if made.has_changes else ""


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks, which would end a shorter fence."""
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


def verify(project: Project) -> None:
    """Compare endpoint and functions with release and Terraform, and score the golden samples.

    Prints what was compared. Raises DeployError, naming every difference and how to go back.
    An environment without resources is passed by.
    """
    applied = project.terraform.applied()
    if not applied:
        project.console.say(f"  Nothing is deployed in {project.environment}.")
        return
    release, endpoint = project.active_release, project.deployment.endpoint_name
    known = read_releases(project.release_file)
    challenger = known.releases[known.challenger.release] if known.challenger else None
    _require_applied(project, known)
    bundles = BundleManifest.read(project.build / "lambda").bundles
    found = function_differences(project.client("lambda"), bundles, applied)
    found += setting_differences(release, applied, endpoint)
    verified = f"the code and settings of {plural(len(bundles), 'function')}"
    if release is None:
        verified += "; there is no endpoint, so nothing was scored"
    else:
        pairs = served_configurations(applied, release.id)
        _require_endpoints(project, [str(served.values["name"]) for served, _ in pairs])
        for served, intended in pairs:
            name = str(served.values["name"])
            found += endpoint_differences(
                project.client("sagemaker"), name, release, intended.values, challenger
            )
        verified += f", {len(pairs)} endpoint{'s' * (len(pairs) > 1)} on {release.id}"
        if known.challenger:
            verified += f" with {known.challenger.release} for {known.challenger.share:.0%} of it"
        if not found:
            with project.console.working("asking the endpoint for the golden samples"):
                scored, found = _score(
                    project, [release, *([challenger] if challenger else [])], pairs
                )
            verified += f", {scored}"
    if found:
        _fail(project, found)
    project.console.say(f"  Verified: {verified}.")


def _require_applied(project: Project, known: Releases) -> None:
    """Require that Terraform applied the releases that are chosen; raises DeployError."""
    applied, challenger = project.deployment, known.challenger
    chosen, deployed = known.active or "", applied.active_release
    kind = "release"
    if chosen == deployed:
        kind = "challenger"
        chosen = f"{challenger.release} with {challenger.share:.2%}" if challenger else ""
        its = applied.challenger
        deployed = f"{its.release} with {its.share:.2%}" if its else ""
    if chosen != deployed:
        name = project.environment
        raise DeployError(
            f"{chosen or f'No {kind}'} is chosen in {name}, and {deployed or 'none'} is deployed: "
            f"`inv plan --env {name}`, then `inv apply --env {name}`, deploys what is chosen."
        )


def _require_endpoints(project: Project, names: list[str]) -> None:
    """Require that each endpoint is there, as it is not after `inv pause`; raises DeployError."""
    sagemaker = project.client("sagemaker")
    missing = [name for name in names if not is_served(sagemaker, name)]
    if missing:
        raise DeployError(
            f"The endpoint {', '.join(missing)} is not there; `inv apply --env "
            f"{project.environment}` creates it again."
        )


def _score(
    project: Project,
    releases: Sequence[Release],
    pairs: list[tuple[AppliedResource, AppliedResource]],
) -> tuple[str, list[str]]:
    """Return what is to be said of the golden samples, and how they are answered otherwise.

    `releases` are the active one and its challenger, if any.
    """
    samples = {release.id: released_images(project.client("s3"), release) for release in releases}
    if not all(samples.values()):
        none = ", ".join(name for name, images in samples.items() if not images)
        return f"no golden samples: the artifact of {none} has none, train again to have some", []
    verified = f"golden samples answered as in training: {sum(map(len, samples.values()))}"
    found, runtime = [], project.client("sagemaker-runtime")
    for endpoint, configuration in pairs:
        name, variants = str(endpoint.values["name"]), configuration.values["production_variants"]
        if configuration.values.get("async_inference_config"):
            verified += f", not asked of {name}, which answers later"
            continue
        for variant in variants:
            asked = str(variant["variant_name"]) if len(variants) > 1 else ""
            served = challenger_of(asked) or releases[0].id
            found += score_differences(runtime, name, samples[served], asked)
    return verified, found


def _fail(project: Project, found: list[str]) -> None:
    releases = read_releases(project.release_file)
    raise DeployError(
        f"{project.environment} is not what was applied: {'; '.join(found)}. "
        f"{rollback_advice(releases, project.environment)}"
    )


# In addition to the packages that the toolkit runs on; see the Makefile.
SCANNERS = Path(sys.prefix) / "scan"


def check_terraform(project: Project) -> None:
    """Check format, validity, READMEs, tests under mocks, each environment's variables; scan all.

    Raises DeployError or TerraformError with the first of these that does not hold.
    """
    root, build = project.root / "terraform", project.build / "check"
    if stale := stale_docs(root):
        names = ", ".join(str(file.relative_to(project.root)) for file in stale)
        raise DeployError(f"{names} do not say what the module takes; run `inv terraform.docs`.")
    log = TerraformLines(project.console, build / "terraform.log")
    # A build folder of its own: a check next to a deployed environment must not touch its state.
    terraform = Terraform(root, "local", build_dir=build, environ=os.environ, output=log)
    with ThreadPoolExecutor(max_workers=1) as pool:
        scanned = pool.submit(scan, root, SCANNERS)
        terraform.check()
        found = scanned.result()
    project.console.say(f"  Checkov: {found.passed} passed, {found.skipped} skipped with a reason.")


def write_terraform_docs(project: Project) -> None:
    """Write the inputs and outputs of each module into its README, and print which changed."""
    changed = write_docs(project.root / "terraform")
    for readme in changed:
        project.console.say(f"  {readme.relative_to(project.root)}")
    if not changed:
        project.console.say("  Every README says what its module takes.")
