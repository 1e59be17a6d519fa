"""The tasks that classify images: their flags and their help."""

from pathlib import Path
from typing import Annotated, Literal

from invoke.exceptions import Exit

import scones_toolkit.tasks as do
from scones_toolkit import cli as flags
from scones_toolkit.cli import GoesWith, NotWith, task
from scones_toolkit.project import Project


@task("inv run --env dev --count 20")
def run(
    project: Project,
    *,
    image: Annotated[tuple[str, ...], "s3:// location, file or folder; default: test images"] = (),
    count: Annotated[int, "number of random test images; 0: all", NotWith("image")] = 0,
    seed: Annotated[int, "seed of the random choice"] = 0,
    json: Annotated[bool, "print the results as JSON"] = False,
) -> None:
    """Classify images by workflow executions, wait, and print how each one ended."""
    do.run.run(project, images=image, count=count, seed=seed, as_json=json)


@task("inv predict ~/vehicles/van.jpg --explain van.png")
def predict(
    project: Project,
    picture: Annotated[str, "a file, a folder, or an s3:// location"],
    *,
    target: Annotated[Literal["artifact", "endpoint"], "endpoint: the deployed one"] = "artifact",
    model: Annotated[str | None, "model folder, model.tar.gz or its s3:// location"] = None,
    explain: Annotated[Path | None, "PNG file to write: which part of the image decided"] = None,
    json: Annotated[bool, "print the answers as JSON"] = False,
    page: Annotated[
        bool, "serve a page on this host that takes pictures", flags.InsteadOf("picture")
    ] = False,
    port: Annotated[int, "port of the page; 0: a free one", GoesWith("page")] = 0,
    open: Annotated[bool, "open the page in a browser", GoesWith("page")] = False,
) -> None:
    """Classify pictures with the active release's model, in the terminal or on a page.

    Without a release, the newest candidate or the local model answers; the output names it.
    """
    if page:
        if picture or explain or json or target == "endpoint":
            raise Exit(
                "error: --page takes its pictures in the browser: leave out the picture, "
                "--explain, --json and --target, or --page.",
                code=1,
            )
        do.predict.show_page(project, model=model, port=port, in_browser=open)
        return
    do.predict.predict(
        project, picture, target=target, model=model, explain_file=explain, as_json=json
    )


@task("inv simulate --env dev --count 1000 --rate 20 --broken 0.02 --dark 0.1")
def simulate(
    project: Project,
    *,
    count: Annotated[int, "number of images"] = 100,
    rate: Annotated[float, "images a second; 0: as fast as they go"] = 0.0,
    burst: Annotated[int, "images that arrive at the same moment"] = 1,
    mix: Annotated[str, "weights of the classes, like bicycle=3,motorcycle=1; default: equal"] = "",
    broken: Annotated[float, "share that is no readable image"] = 0.0,
    blurred: Annotated[float, "share that is blurred"] = 0.0,
    dark: Annotated[float, "share taken in the dark"] = 0.0,
    foreign: Annotated[float, "share without any vehicle"] = 0.0,
    seed: Annotated[int, "seed of the images"] = 0,
    wait: Annotated[int, "seconds without an answer after which the rest is given up"] = 300,
    direct: Annotated[bool, "start executions, instead of leaving that to the inbox"] = False,
    json: Annotated[bool, "print the figures as JSON"] = False,
) -> None:
    """Send simulated images to the inbox, and print results and latencies."""
    shares = {"broken": broken, "blurred": blurred, "dark": dark, "foreign": foreign}
    do.simulate.simulate(
        project,
        count=count,
        rate=rate,
        burst=burst,
        mix=mix,
        shares=shares,
        seed=seed,
        wait=wait,
        direct=direct,
        as_json=json,
    )


@task("inv results --env dev --run run-4f1c-0")
def results(
    project: Project,
    *,
    run: Annotated[str, "an execution's name or ARN, or last", NotWith("image")] = "last",
    image: Annotated[str, "s3:// location: trace this image from upload to bay instead"] = "",
    json: Annotated[bool, "print the figures as JSON"] = False,
) -> None:
    """Show a run's counts, rate, failures by cause, and result files."""
    if image:
        do.image_history.image_history(project, image, as_json=json)
    else:
        do.results.results(project, run=run, as_json=json)


@task("inv redrive --env dev --run run-4f1c-0")
def redrive(
    project: Project,
    *,
    run: Annotated[str, "an execution's name or ARN, or last; default: the dead-letter queue"] = "",
    all: Annotated[bool, "also images whose error is permanent"] = False,
) -> None:
    """Classify failed images again if a retry may help: of the dead-letter queue or of a run."""
    do.redrive.redrive(project, run=run, everything=all)


@task("inv demo --source synthetic --keep", local=True)
def demo(
    project: Project,
    *,
    source: flags.Source = None,
    keep: Annotated[bool, "leave the embedded AWS up at the end"] = False,
) -> None:
    """Run the whole workflow on this host, from an archive to the report."""
    do.demo.demo(project, source=source, keep=keep)
