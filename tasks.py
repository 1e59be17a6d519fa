"""The tasks: `inv --list` names them, `inv <task> --help` explains one.

A task's flags follow from its parameters; what it does is in `scones_toolkit.tasks`.
"""

from pathlib import Path
from typing import Annotated, Literal

from invoke import Collection
from invoke.exceptions import Exit

import scones_toolkit.tasks as do
from scones_toolkit import cli as flags
from scones_toolkit.cli import task
from scones_toolkit.project import Environment, Project

ROOT = Path(__file__).parent


@task("inv build", local=True)
def build(project: Project) -> None:
    """Build the Lambda zips into build/lambda, reproducibly."""
    do.deployment.build(project)


@task("inv etl --env dev --source ~/vehicles --classes van,bicycle --image-side 224")
def etl(
    project: Project,
    *,
    source: flags.Source = None,
    classes: flags.Classes = None,
    add: Annotated[
        str | None, "further training images: folder, or S3 answers of reviewers"
    ] = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    recordio: Annotated[bool, "also write MXNet's .rec and .idx files"] = False,
) -> None:
    """Stage a dataset: read the images, split them, write them to the data bucket."""
    images = {"image_side": image_side, "image_mode": image_mode, "recordio": recordio or None}
    do.data.etl(project, source, classes, add, **images)


@task("inv train --env dev --spot")
def train(
    project: Project,
    *,
    backend: flags.Backend = "sagemaker",
    algorithm: Annotated[Literal["scones", "builtin"], "builtin: SageMaker's own"] = "scones",
    source: flags.Source = None,
    classes: flags.Classes = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    recipe: Annotated[
        Literal["auto", "pretrained", "scratch"] | None,
        "auto: pretrained for colour images, scratch for grey ones",
    ] = None,
    epochs: flags.Epochs = None,
    folds: Annotated[int | None, "cross-validation folds; 0: only the validation images"] = None,
    seed: Annotated[int | None, "random seed"] = None,
    max_steps: Annotated[int | None, "bounds each network's optimiser steps"] = None,
    no_flip: Annotated[bool, "no horizontal-flip augmentation (digits, text)"] = False,
    weights: Annotated[str | None, "file with EfficientNet-Lite0 or ResNet-18 weights"] = None,
    spot: Annotated[bool, "use managed spot instances, which may be interrupted"] = False,
    resume: Annotated[str, "interrupted SageMaker job to continue from its last checkpoint"] = "",
) -> None:
    """Train a model: as a SageMaker job on the staged dataset, or here on a source of images.

    --source, --classes, --image-side and --image-mode go with --backend local.
    """
    do.training.train(
        project,
        backend=backend,
        algorithm=algorithm,
        source=source,
        images={"classes": classes, "image_side": image_side, "image_mode": image_mode},
        resume=resume,
        recipe=recipe,
        epochs=epochs,
        folds=folds,
        seed=seed,
        max_steps=max_steps,
        horizontal_flip=False if no_flip else None,
        weights=weights,
        spot=spot or None,
    )


@task("inv tune --env dev --strategy bayesian --jobs 20")
def tune(
    project: Project,
    *,
    backend: flags.Backend = "sagemaker",
    strategy: Annotated[Literal["bayesian", "random"], "how points are chosen"] = "bayesian",
    jobs: Annotated[int, "number of trainings"] = 10,
    parallel: Annotated[int, "trainings at the same time, with --backend sagemaker"] = 2,
    source: flags.Source = None,
    classes: flags.Classes = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    epochs: flags.Epochs = None,
) -> None:
    """Search learning rates, batch size and smoothing; the best model becomes a candidate.

    --source, --classes, --image-side and --image-mode go with --backend local.
    """
    do.tuning.tune(
        project,
        backend=backend,
        strategy=strategy,
        jobs=jobs,
        parallel=parallel,
        source=source,
        images={"classes": classes, "image_side": image_side, "image_mode": image_mode},
        epochs=epochs,
    )


@task("inv retrain --env dev --min-new-images 50")
def retrain(
    project: Project,
    *,
    min_new_images: Annotated[int, "answered images that must be new; 0: train anyway"] = 1,
) -> None:
    """Retrain the active model with what reviewers answered; a better one is proposed."""
    do.retraining.retrain(project, min_new_images=min_new_images)


@task("inv evaluate --env dev --target endpoint")
def evaluate(
    project: Project,
    *,
    artifact: Annotated[str | None, "s3:// location; default: the last training job's"] = None,
    target: Annotated[Literal["artifact", "endpoint"], "endpoint: the deployed one"] = "artifact",
) -> None:
    """Score a model on its test images, by itself or through the deployed endpoint."""
    do.evaluation.evaluate(project, artifact=artifact, target=target)


@task("inv candidates --env dev")
def candidates(project: Project) -> None:
    """List the trained models: metrics, data, code, and approval status."""
    do.candidates.candidates(project)


@task("inv approve 3 --env dev --note 'better on wet roads'")
def approve(
    project: Project,
    candidate: Annotated[int, "its number in `inv candidates`"],
    *,
    reject: Annotated[bool, "reject it instead"] = False,
    note: Annotated[str, "the reason, kept with the decision"] = "",
) -> None:
    """Approve a candidate for release, or reject it."""
    do.candidates.approve(project, candidate, reject=reject, note=note)


@task("inv release --env dev")
def release(
    project: Project,
    *,
    candidate: Annotated[int | None, "its number; default: the last training job's"] = None,
    artifact: Annotated[str | None, "a candidate's s3:// location, instead of its number"] = None,
    override_gate: Annotated[str, "reason to release a model that the quality gate refuses"] = "",
    allow_synthetic: Annotated[bool, "accept a model trained on synthetic images"] = False,
    proposed: Annotated[bool, "approve and release what the last retraining proposes"] = False,
) -> None:
    """Write an approved model into the release manifest that Terraform deploys.

    It must reach the limits under [quality], and not be worse than the active release.
    """
    if proposed:
        do.retraining.release_proposed(project, allow_synthetic=allow_synthetic)
        return
    do.releases.release(
        project,
        candidate=candidate,
        artifact=artifact,
        gate_override=override_gate,
        allow_synthetic=allow_synthetic,
    )


@task("inv releases --env dev")
def releases(
    project: Project,
    *,
    drop: Annotated[tuple[str, ...], "id of a release to forget"] = (),
) -> None:
    """List the releases: which is deployed, its metrics and data source."""
    do.releases.list_releases(project, drop=drop)


@task("inv rollback r-20260101-120000 --env dev")
def rollback(project: Project, release: Annotated[str, "id of the release to go back to"]) -> None:
    """Make an earlier release the active one; `inv apply` deploys it."""
    do.releases.rollback(project, release)


@task("inv plan --env dev", terraform=True)
def plan(
    project: Project,
    *,
    destroy: Annotated[bool, "plan the removal of everything"] = False,
    out: Annotated[Path | None, "where to keep the plan, for `inv apply --plan`"] = None,
    summary: flags.Summary = None,
) -> None:
    """Show what Terraform would change, and keep that plan for `inv apply`."""
    do.deployment.plan(project, destroy=destroy, out=out, summary=summary)


@task("inv apply --env dev", terraform=True)
def apply(
    project: Project,
    *,
    allow_destroy: flags.AllowDestroy = False,
    yes: flags.Yes = False,
    plan: Annotated[Path | None, "file written by `inv plan --out` from the same code"] = None,
) -> None:
    """Apply the plan that `inv plan` showed; without one: plan, ask, and apply that very plan."""
    if plan is not None:
        do.deployment.apply_kept(project, plan, allow_destroy=allow_destroy)
    else:
        do.deployment.apply(project, allow_destroy=allow_destroy, confirmed=yes)


@task("inv verify --env dev", terraform=True)
def verify(project: Project) -> None:
    """Compare what runs with what was applied, and score the model's golden samples."""
    do.deployment.verify_deployed(project)


@task("inv drift --env prod", terraform=True)
def drift(project: Project, *, summary: flags.Summary = None) -> None:
    """Compare what is deployed with the code, and change nothing; exit code 2 on a difference."""
    if do.deployment.drift(project, summary=summary):
        raise Exit(f"{project.environment} differs from the code.", code=2)


@task("inv fetch --env dev")
def fetch(project: Project, *, release: flags.ReleaseId = None) -> None:
    """Download a release's model artifact into the cache, and verify its SHA-256."""
    do.releases.fetch(project, release=release)


@task("inv promote --from dev --to prod")
def promote(
    *,
    from_: Annotated[Environment, "environment that has the release"] = "dev",
    to: Annotated[Environment, "environment that gets it"] = "prod",
    release: flags.ReleaseId = None,
) -> None:
    """Copy a release and its model artifact from one environment to another."""
    do.releases.promote(Project.open(ROOT, from_), Project.open(ROOT, to), release=release)


@task("inv cost --env dev --images 200000", terraform=True)
def cost(
    project: Project,
    *,
    images: Annotated[int | None, "images a month; default: [cost] images"] = None,
    json: Annotated[bool, "print the figures as JSON"] = False,
) -> None:
    """Estimate what the environment costs a month, and for each million images."""
    do.cost.cost(project, images=images, as_json=json)


@task("inv destroy --env dev", terraform=True)
def destroy(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove everything that Terraform deployed, after the environment's name was typed."""
    do.deployment.destroy(project, confirmed=yes)


@task("inv unlock --env dev", terraform=True)
def unlock(project: Project, *, yes: flags.Yes = False) -> None:
    """Release the lock that a run which was killed left on the environment's state."""
    do.deployment.unlock(project, confirmed=yes)


@task("inv pause --env dev", terraform=True)
def pause(project: Project) -> None:
    """Take down what bills by the hour, and say what remains; `inv apply` brings it back."""
    do.removal.pause(project)


@task("inv purge --env dev", terraform=True)
def purge(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove everything of the environment with all its data, and what its tags still find."""
    do.removal.purge(project, confirmed=yes)


@task("inv run --env dev --count 20")
def run(
    project: Project,
    *,
    image: Annotated[tuple[str, ...], "s3:// location, file or folder; default: test images"] = (),
    count: Annotated[int, "number of random test images; 0: all"] = 0,
    seed: Annotated[int, "seed of the random choice"] = 0,
    json: Annotated[bool, "print the results as JSON"] = False,
) -> None:
    """Classify images by workflow executions, wait, and print how each one ended."""
    do.running.run(project, images=image, count=count, seed=seed, as_json=json)


@task("inv predict ~/vehicles/van.jpg --explain van.png")
def predict(
    project: Project,
    picture: Annotated[str, "a file, a folder, or an s3:// location"],
    *,
    target: Annotated[Literal["artifact", "endpoint"], "endpoint: the deployed one"] = "artifact",
    model: Annotated[str | None, "model folder, model.tar.gz or its s3:// location"] = None,
    explain: Annotated[Path | None, "PNG file to draw into which part decided"] = None,
    json: Annotated[bool, "print the answers as JSON"] = False,
    page: Annotated[
        bool, "serve a page on this host that takes pictures", flags.InsteadOf("picture")
    ] = False,
    port: Annotated[int, "of the page; 0: a free one"] = 0,
    open: Annotated[bool, "open the page in a browser"] = False,
) -> None:
    """Answer pictures by the active release's model, in the terminal or on a page.

    Without a release, the newest candidate or the local model answers; the output names it.
    """
    if page:
        if picture or explain or json or target == "endpoint":
            raise Exit("error: --page takes no picture, --explain, --json or --target.", code=1)
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
    """Send simulated images to the inbox, and print how they were answered and how fast."""
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
    run: Annotated[str, "an execution's name or ARN, or last"] = "last",
    json: Annotated[bool, "print the figures as JSON"] = False,
) -> None:
    """Show a run's counts and rate, its failures by cause, and where its files lie."""
    do.results.results(project, run=run, as_json=json)


@task("inv redrive --env dev --run run-4f1c-0")
def redrive(
    project: Project,
    *,
    run: Annotated[str, "an execution's name or ARN; default: the dead-letter queue"] = "",
    all: Annotated[bool, "also images that another try will not cure"] = False,
) -> None:
    """Classify failed images again, where another try may help: of the dead letters or of a run."""
    do.redrive.redrive(project, run=run, everything=all)


@task("inv report --env dev --since 7d --open")
def report(
    project: Project,
    *,
    since: Annotated[str | None, "beginning: a span such as 30m, 12h, 7d, 2w, or a time"] = None,
    from_: Annotated[str | None, "beginning: 2026-11-20T14:00+01:00; without a zone UTC"] = None,
    to: Annotated[str | None, "end, the same; default: now"] = None,
    run: Annotated[str | None, "a run's images only: last (default, if any), or its name"] = None,
    source: Annotated[Path | None, "folder of captured records, without an endpoint"] = None,
    out: Annotated[Path | None, "the page; default: in build/<env>"] = None,
    open: Annotated[bool, "open the page in a browser"] = False,
    shadow: Annotated[bool, "compare the shadow release with the one that serves"] = False,
    hours: Annotated[int, "with --shadow: how far back records are read"] = 24,
) -> None:
    """Write a page on what the endpoint answered, of the last run or of a period."""
    if shadow:
        do.shadow.compare_shadow(project, out=out, hours=hours, in_browser=open)
    else:
        period = {"since": since, "start": from_, "end": to}
        do.monitoring.report(project, **period, run=run, source=source, out=out, in_browser=open)


@task("inv watch --env dev --since 1h --every 60")
def watch(
    project: Project,
    *,
    since: Annotated[str, "how far back the figures reach: a span such as 30m, 1h, 1d"] = "1h",
    every: Annotated[int, "seconds between two refreshes, 1 or more"] = 60,
    once: Annotated[bool, "show the figures once and end"] = False,
    publish: Annotated[bool, "write them to CloudWatch, too: some ten metrics"] = False,
) -> None:
    """Show the endpoint's figures while they change, until Ctrl-C; in a pipe a line each time."""
    do.watch.watch(project, since=since, every=every, once=once, publish=publish)


@task("inv review --env dev --reviewer ana, then inv etl --env dev --add review/dev")
def review(
    project: Project,
    *,
    of: Annotated[
        Literal["auto", "queue", "run", "answered", "disputed"],
        "auto: the review queue, else the last run; answered, disputed: by other reviewers",
    ] = "auto",
    run: Annotated[str, "execution whose images are decided, or last"] = "",
    reviewer: Annotated[str | None, "name the answers are kept under; default: this user's"] = None,
    classes: Annotated[str | None, "class names, comma separated; default: the model's"] = None,
    port: Annotated[int | None, "port on 127.0.0.1; default: a free one"] = None,
    show_guess: Annotated[bool, "show the model's answer before the reviewer's"] = False,
    no_browser: Annotated[bool, "only print the page's address"] = False,
    agreement: Annotated[bool, "print how far the reviewers agree, and open no page"] = False,
    csv: Annotated[bool, "write the last run's images and a labels.csv to fill in instead"] = False,
    out: Annotated[Path | None, "the folder; default: review/<env>"] = None,
) -> None:
    """Decide images under review on a local page, one after another; each answer is kept."""
    if csv:
        do.review.write_list(project, out=out)
    elif agreement:
        do.review.say_agreement(project, out=out)
    else:
        do.review.review(
            project,
            of=of,
            run=run,
            reviewer=reviewer,
            classes=classes,
            port=port,
            show_guess=show_guess or None,
            in_browser=not no_browser,
            out=out,
        )


@task("inv demo --source synthetic --keep", local=True)
def demo(
    project: Project,
    *,
    source: flags.Source = None,
    keep: Annotated[bool, "leave the embedded AWS up at the end"] = False,
) -> None:
    """Run the whole workflow on this host, from an archive to the report."""
    do.demo.demo(project, source=source, keep=keep)


@task("inv local.up", local=True)
def up(project: Project) -> None:
    """Start the embedded AWS with the state it last had, and print how to reach it."""
    do.local.up(project)


@task("eval $(inv local.env)", local=True)
def env(project: Project) -> None:
    """Print the shell commands that point AWS clients and Terraform at the embedded AWS."""
    do.local.env(project)


@task("inv local.down", local=True)
def down(project: Project) -> None:
    """Stop the embedded AWS and every process that it started; what was deployed is kept."""
    do.local.down(project)


@task("inv local.reset --yes", local=True)
def reset(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove all that was deployed to the embedded AWS; it is stopped if it runs."""
    do.local.reset(project, confirmed=yes)


@task("inv local.status", local=True)
def status(project: Project) -> None:
    """Show functions, executions, endpoints and jobs, with their processes."""
    do.local.status(project)


@task("inv local.logs scones-local-classify-image -f", local=True)
def logs(
    project: Project,
    name: Annotated[str, "a function, endpoint, job or state machine; an unknown name lists all"],
    *,
    follow: Annotated[bool, "print new lines until Ctrl-C"] = False,
) -> None:
    """Print a log of the embedded AWS by the name of what wrote it."""
    do.local.logs(project, name, follow=follow)


@task("inv local.access --role scones-local-workflow", local=True)
def access(project: Project, *, role: Annotated[str, "part of a role's name"] = "") -> None:
    """Show which permissions the roles used, per policy statement."""
    do.local.access(project, role)


@task("inv terraform.test", name="test", local=True)
def terraform_test(project: Project) -> None:
    """Check the Terraform: format, validity, READMEs, `terraform test` under mocks, Checkov."""
    do.deployment.check_terraform(project)


@task("inv terraform.docs", name="docs", local=True)
def terraform_docs(project: Project) -> None:
    """Write each module's inputs and outputs into its README."""
    do.deployment.write_terraform_docs(project)


@task("inv demand.etl --source ~/bike-sharing", name="etl")
def demand_etl(
    project: Project,
    *,
    source: Annotated[str, "CSV, folder with train.csv and test.csv, or synthetic"] = "synthetic",
) -> None:
    """Stage hourly demand: read the rows, count what is left out, keep them for training."""
    do.demand.etl(project, source)


@task("inv demand.train --env dev --backend sagemaker", name="train")
def demand_train(
    project: Project,
    *,
    backend: Annotated[
        Literal["local", "sagemaker"], "local: on this host, without AWS; sagemaker: by a job"
    ] = "local",
    algorithm: Annotated[
        Literal["scones", "autogluon", "builtin"],
        "autogluon: where it is installed; builtin: in SageMaker's own image of AutoGluon",
    ] = "scones",
    seed: Annotated[int, "random seed"] = 0,
    coverage: Annotated[str, "share of hours that the prediction interval holds"] = "0.9",
    max_iter: Annotated[int, "boosting iterations"] = 160,
    fold_every: Annotated[int, "judge by every so many months"] = 1,
    time_limit: Annotated[int, "AutoGluon's seconds for all of its fits"] = 600,
) -> None:
    """Train the demand forecast on the staged hours, and judge it by blocks of later days."""
    chosen = do.demand.settings(
        algorithm,
        seed=seed,
        coverage=coverage,
        max_iter=max_iter,
        fold_every=fold_every,
        time_limit=time_limit,
    )
    do.demand.train(project, chosen, backend=backend, algorithm=algorithm)


@task("inv demand.tune --trials 30", name="tune")
def demand_tune(
    project: Project,
    *,
    trials: Annotated[int, "sets of hyperparameters to try"] = 20,
    seed: Annotated[int, "random seed"] = 0,
    fold_every: Annotated[int, "judge the best one by every so many months"] = 1,
) -> None:
    """Search the hyperparameters of the demand forecast, and train a model by the best."""
    do.demand.tune(project, do.demand.settings(seed=seed, fold_every=fold_every), trials=trials)


@task("inv demand.candidates --env dev", name="candidates")
def demand_candidates(project: Project) -> None:
    """List the demand models that training jobs made, with their figures and approval."""
    do.demand_jobs.list_candidates(project)


@task("inv demand.approve 3 --env dev --note 'better on rainy days'", name="approve")
def demand_approve(
    project: Project,
    candidate: Annotated[int, "its number in `inv demand.candidates`"],
    *,
    reject: Annotated[bool, "reject it instead"] = False,
    note: Annotated[str, "why, kept with the decision"] = "",
) -> None:
    """Approve a demand model for the forecast, or reject it; print what deploys it."""
    do.demand_jobs.approve(project, candidate, reject=reject, note=note)


@task("inv demand.evaluate", name="evaluate")
def demand_evaluate(project: Project) -> None:
    """Score the demand forecast next to simpler models, on the same blocks of days."""
    do.demand.evaluate(project)


@task("inv demand.forecast --source test.csv --out submission.csv", name="forecast")
def demand_forecast(
    project: Project,
    *,
    source: Annotated[str | None, "CSV with the hours to forecast; default: the staged"] = None,
    out: Annotated[Path, "the file to write, in the competition's format"] = Path("submission.csv"),
) -> None:
    """Forecast the riders of each hour of a file."""
    do.demand.forecast(project, source=source, out=out)


@task("inv demand.report --open", name="report")
def demand_report(
    project: Project,
    *,
    out: Annotated[Path | None, "the page; default: in build/<env>/demand"] = None,
    open: Annotated[bool, "open the page in a browser"] = False,
) -> None:
    """Write the page about the demand forecast: scores, a week, errors, importance."""
    do.demand.report(project, out=out, in_browser=open)


ns = Collection(
    build, etl, train, tune, retrain, evaluate, candidates, approve, release, releases, rollback
)
for one in (plan, apply, verify, drift, fetch, promote, cost, destroy, unlock, pause, purge):
    ns.add_task(one)
for one in (run, predict, simulate, results, redrive, report, watch, review, demo):
    ns.add_task(one)
ns.add_collection(Collection("local", up, env, down, reset, status, logs, access))
ns.add_collection(
    Collection(
        "demand",
        demand_etl,
        demand_train,
        demand_tune,
        demand_candidates,
        demand_approve,
        demand_evaluate,
        demand_forecast,
        demand_report,
    )
)
ns.add_collection(Collection("terraform", terraform_test, terraform_docs))
