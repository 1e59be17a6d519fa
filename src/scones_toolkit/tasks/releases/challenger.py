"""The task of a challenger: a release that answers a share of the requests, to be compared."""

from datetime import timedelta

from scones_core.errors import MonitorError, ReleaseError
from scones_deploy.release import Releases, activate, challenge, end_challenge, read_releases
from scones_monitor.period_summary import summarise
from scones_monitor.report import verdict
from scones_monitor.report.tables import by_variant
from scones_monitor.variant_comparison import VariantComparison, challenger_subject
from scones_toolkit.project import Project
from scones_toolkit.tasks.monitoring import report
from scones_toolkit.tasks.monitoring.labels import labels_at_hand
from scones_toolkit.tasks.releases.releases import require_not_rejected


def challenger(
    project: Project,
    *,
    release: str | None = None,
    share: float | None = None,
    promote: bool = False,
    end: bool = False,
) -> Releases:
    """Show how a challenger does, or change the release file; return the releases.

    `release` and `share` (0 to 1) choose it, or give the present one another share. `promote`
    makes it the active release, and `end` has the active one answer all requests again. Raises
    ReleaseError for flags that do not go together, and where the change is refused.
    """
    if promote + end + (release is not None or share is not None) > 1:
        raise ReleaseError("Choose one of --release with --share, --promote and --end.")
    if promote:
        return _promote(project)
    if end:
        return _end(project)
    if release is not None or share is not None:
        return choose(project, release, share)
    _show(project, comparison(project))
    return read_releases(project.release_file)


def choose(project: Project, release: str | None, share: float | None) -> Releases:
    """Write a challenger, or another share of the present one, into the release file."""
    path, known = project.release_file, read_releases(project.release_file)
    if release is None and known.challenger is None:
        raise ReleaseError(
            f"{project.environment} has no challenger; name a release by --release, of "
            f"`inv releases{project.env_flag}`."
        )
    if share is None:
        raise ReleaseError("--share says which part of the requests it answers, such as 0.2.")
    name = release or (known.challenger.release if known.challenger else "")
    if name in known.releases:
        require_not_rejected(project, known.releases[name])
    changed = challenge(path, name, share)
    project.console.say(
        f"  {name} answers {share:.2%} of the requests next to {changed.active}, once applied."
    )
    project.hint("plan", "apply")
    return changed


def _promote(project: Project) -> Releases:
    path, known = project.release_file, read_releases(project.release_file)
    name = _require(project, known)
    found = comparison(project)
    if found.challenger.release != name:
        raise ReleaseError(
            f"{name} is chosen as challenger, and {found.challenger.release} is deployed: "
            f"inv plan{project.env_flag}, then inv apply{project.env_flag}"
        )
    if found.verdict.outcome not in ("challenger", "equal"):
        raise ReleaseError(
            f"{name} is not promoted: {verdict(found)} `inv rollback {name}{project.env_flag}` "
            "makes it the active release whatever the labels say."
        )
    project.console.say(f"  {verdict(found)}")
    changed = activate(path, name)
    project.console.say(f"  {name} answers all requests, once applied; {known.active} is kept.")
    project.hint("plan", "apply")
    return changed


def _end(project: Project) -> Releases:
    known = read_releases(project.release_file)
    name = _require(project, known)
    changed = end_challenge(project.release_file)
    project.console.say(
        f"  {known.active} answers all requests again, once applied; {name} stays a release."
    )
    project.hint("plan", "apply")
    return changed


def _require(project: Project, known: Releases) -> str:
    if known.challenger is None:
        raise ReleaseError(
            f"{project.environment} has no challenger to promote or to end; choose one by "
            f"inv challenger{project.env_flag} --release <id> --share 0.2"
        )
    return known.challenger.release


def comparison(project: Project) -> VariantComparison:
    """Return the comparison of the deployed challenger, from its first captured record to now.

    Raises MonitorError where none is deployed.
    """
    subject, challenge_of = report.subject_of(project), project.deployment.challenger
    chosen = read_releases(project.release_file).challenger
    nothing = MonitorError(
        f"{chosen.release} is not deployed yet: inv plan{project.env_flag}, "
        f"inv apply{project.env_flag}"
        if chosen
        else f"No challenger is deployed in {project.environment}: inv challenger"
        f"{project.env_flag} --release <id> --share 0.2, then plan and apply."
    )
    if challenge_of is None:
        raise nothing
    now = project.now()
    captures = challenger_subject(subject, challenge_of).source.list(None, None)
    times = [file.time for file in captures.files if file.time]
    period = (min(times, default=now - timedelta(hours=1)), now)
    listing = subject.source.list(*period)
    subject.archive.update(subject.source, listing.files)
    truth, _ = labels_at_hand(project, subject)
    query = subject.query(*period, truth=truth)
    found = report.comparison(
        project, subject, summarise(subject.archive, listing.files, query), query
    )
    if found is None:
        raise nothing
    return found


def _show(project: Project, found: VariantComparison) -> None:
    title = f"Since {found.since:%d %B %Y, %H:%M} UTC, {found.share:.2%} for the challenger"
    header = ("figure", found.active.release, found.challenger.release, "difference")
    project.console.grid(title, header, by_variant(found))
    project.console.say(verdict(found))
    if found.verdict.outcome in ("challenger", "equal"):
        project.hint("challenger --promote", "challenger --end")
    elif found.verdict.outcome == "active":
        project.hint("challenger --end")
    else:
        project.hint("review")
