"""The tasks that show how the model does: their flags and their help."""

from pathlib import Path
from typing import Annotated, Literal

import scones_toolkit.tasks as do
from scones_core.errors import SettingsError
from scones_toolkit.cli import GoesWith, NotWith, task
from scones_toolkit.project import Project

# A shadow release is compared over the last --hours.
NOT_OF_SHADOW = NotWith("shadow")


@task("inv report --env dev --since 7d --open")
def report(
    project: Project,
    *,
    since: Annotated[
        str | None, "beginning: a span such as 30m, 12h, 7d, 2w, or a time", NOT_OF_SHADOW
    ] = None,
    from_: Annotated[
        str | None, "beginning: 2026-11-20T14:00+01:00; without a zone UTC", NOT_OF_SHADOW
    ] = None,
    to: Annotated[str | None, "end, the same; default: now", NOT_OF_SHADOW] = None,
    run: Annotated[
        str | None, "a run's images only: last (default, if any), or its name", NOT_OF_SHADOW
    ] = None,
    source: Annotated[
        Path | None, "folder of captured records, without an endpoint", NOT_OF_SHADOW
    ] = None,
    out: Annotated[Path | None, "the page; default: in build/<env>"] = None,
    open: Annotated[bool, "open the page in a browser"] = False,
    shadow: Annotated[bool, "compare the shadow release with the active one"] = False,
    hours: Annotated[int, "with --shadow: how far back records are read", GoesWith("shadow")] = 24,
) -> None:
    """Write a page about the endpoint's answers, of the last run or of a period."""
    if shadow:
        do.shadow.compare_shadow(project, out=out, hours=hours, in_browser=open)
    else:
        do.report.report(
            project,
            since=since,
            start=from_,
            end=to,
            run=run,
            source=source,
            out=out,
            in_browser=open,
            explain=do.predict.Explanations(project),
        )


@task("inv watch --env dev --since 1h --every 60")
def watch(
    project: Project,
    *,
    since: Annotated[str, "how far back the figures reach: a span such as 30m, 1h, 1d"] = "1h",
    every: Annotated[int, "seconds between two refreshes, 1 or more"] = 60,
    once: Annotated[bool, "show the figures once and end"] = False,
    publish: Annotated[bool, "also write them to CloudWatch (some ten metrics)"] = False,
) -> None:
    """Show the endpoint's live figures until Ctrl-C; in a pipe, one line per refresh."""
    do.watch.watch(project, since=since, every=every, once=once, publish=publish)


@task("inv review --env dev --reviewer ana, then inv etl --env dev --add review/dev")
def review(
    project: Project,
    *,
    of: Annotated[
        Literal["auto", "queue", "run", "accepted", "answered", "disputed", "sample"],
        "auto: the review queue, else the last run; accepted: what a run accepted; answered, "
        "disputed: by other reviewers; sample: what --sample drew",
    ] = "auto",
    sample: Annotated[
        int | None, "accepted images to draw at random, the same for all reviewers"
    ] = (None),
    since: Annotated[
        str | None, "with --sample: beginning of the period; default: the last sample's end, or 7d"
    ] = None,
    seed: Annotated[int, "with --sample: the same draws the same images", GoesWith("sample")] = 0,
    run: Annotated[str, "execution whose images are decided, or last"] = "",
    reviewer: Annotated[str | None, "name the answers are kept under; default: this user's"] = None,
    classes: Annotated[str | None, "class names, comma separated; default: the model's"] = None,
    port: Annotated[int | None, "port on 127.0.0.1; default: a free one"] = None,
    show_guess: Annotated[bool, "show the model's answer before the reviewer's"] = False,
    no_browser: Annotated[bool, "only print the page's address"] = False,
    agreement: Annotated[bool, "print the reviewers' agreement, without the page"] = False,
    csv: Annotated[bool, "write the last run's images and a labels.csv to fill in instead"] = False,
    out: Annotated[Path | None, "the folder; default: review/<env>"] = None,
) -> None:
    """Label images under review on a local page; each answer is saved."""
    if (csv or agreement) and (sample is not None or run or of != "auto"):
        raise SettingsError("--csv and --agreement take none of --of, --run and --sample.")
    if since and sample is None:
        raise SettingsError("--since is the beginning of a --sample: give that too.")
    if csv:
        do.review.write_list(project, out=out)
    elif agreement:
        do.review.print_agreement(project, out=out)
    else:
        if sample is not None:
            do.sampling.draw_sample(project, sample, since=since, seed=seed)
        do.review.review(
            project,
            of="sample" if sample is not None else of,
            run=run,
            reviewer=reviewer,
            classes=classes,
            port=port,
            show_guess=show_guess or None,
            in_browser=not no_browser,
            out=out,
        )
