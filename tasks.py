"""The tasks: `inv --list` names them, `inv <task> --help` explains one.

Each body parses, calls `scones_toolkit` and prints; what a task does stands there, and is
imported by the task alone: what one task needs, boto3 or ONNX, would keep all others waiting.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, task
from invoke.exceptions import Exit

from scones_toolkit.cli import guarded

if TYPE_CHECKING:
    from scones_toolkit.project import Project

ROOT = Path(__file__).parent
ENV = "environment: local, dev or prod"


def _open(env: str) -> "Project":
    from scones_toolkit.project import Project

    return Project.open(ROOT, env)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


@task
@guarded
def build(c: Context) -> None:
    """Build the Lambda zips into build/lambda, the same bytes each time.

    Example: inv build
    """
    from scones_toolkit import deployments

    deployments.build(_open("local"))


@task(
    help={
        "env": ENV,
        "source": "auto, cifar100, synthetic, or a path: CIFAR archive, image folder, MNIST",
        "classes": "class names, comma separated, in the model's order; or all",
        "add": "path of further training images, such as `inv review` leaves",
        "image_side": "width and height in pixels; 0 keeps the source's",
        "image_mode": "rgb or grey",
        "recordio": "write MXNet's .rec and .idx besides",
    }
)
@guarded
def etl(
    c: Context,
    env: str = "local",
    source: str = "",
    classes: str = "",
    add: str = "",
    *,
    image_side: int = 0,
    image_mode: str = "",
    recordio: bool = False,
) -> None:
    """Stage a dataset: read the images, split them, write them to the data bucket.

    Example: inv etl --env dev --source ~/vehicles --classes van,bicycle --image-side 224
    """
    from scones_toolkit import datasets

    datasets.etl(
        _open(env),
        source or None,
        classes or None,
        add or None,
        image_side=image_side or None,
        image_mode=image_mode or None,
        recordio=recordio or None,
    )


@task(
    help={
        "env": ENV,
        "where": "sagemaker, or local: the same program on this machine, without any AWS",
        "algorithm": "scones, or builtin: SageMaker's own image classification",
        "source": "with --where local: where the images come from, as for `inv etl`",
        "classes": "with --where local: class names, comma separated; or all",
        "image_side": "with --where local: width and height in pixels",
        "image_mode": "with --where local: rgb or grey",
        "recipe": "default, or best: the mean of several networks, for three times the time",
        "epochs": "passes over the training images",
        "folds": "further networks that calibrate the model; 0 takes the validation images",
        "seed": "random seed",
        "max_steps": "bounds each network's training; more images then take fewer epochs",
        "no_flip": "turn off horizontal-flip augmentation (digits, text)",
        "weights": "file with a ResNet-18's weights to begin with: .pt, .pth or .safetensors",
        "backbone": "with weights: frozen, so that only the last layer learns, or finetuned",
        "spot": "on a machine that costs a fraction and may be taken away",
        "resume": "a job that was interrupted; goes on from its last checkpoint",
    }
)
@guarded
def train(
    c: Context,
    env: str = "local",
    *,
    where: str = "sagemaker",
    algorithm: str = "scones",
    source: str = "",
    classes: str = "",
    image_side: int = 0,
    image_mode: str = "",
    recipe: str = "",
    epochs: int = 0,
    folds: int = -1,
    seed: int = -1,
    max_steps: int = 0,
    no_flip: bool = False,
    weights: str = "",
    backbone: str = "",
    spot: bool = False,
    resume: str = "",
) -> None:
    """Train a model: as a SageMaker job on the staged dataset, or here on a folder of images.

    Example: inv train --env dev --spot
    """
    from scones_toolkit import models

    models.train(
        _open(env),
        where=where,
        algorithm=algorithm,
        source=source or None,
        images={
            "classes": classes or None,
            "image_side": image_side or None,
            "image_mode": image_mode or None,
        },
        resume=resume,
        recipe=recipe or None,
        epochs=epochs or None,
        folds=folds if folds >= 0 else None,
        seed=seed if seed >= 0 else None,
        max_steps=max_steps or None,
        horizontal_flip=False if no_flip else None,
        weights=weights or None,
        backbone=backbone or None,
        spot=spot or None,
    )


@task(
    help={
        "env": ENV,
        "where": "sagemaker, or local: on this machine, without any AWS",
        "strategy": "bayesian or random",
        "jobs": "how many trainings",
        "at_once": "how many of them side by side; with --where local one after the other",
        "source": "with --where local: where the images come from, as for `inv etl`",
        "epochs": "passes over the training images",
    }
)
@guarded
def tune(
    c: Context,
    env: str = "local",
    *,
    where: str = "sagemaker",
    strategy: str = "bayesian",
    jobs: int = 10,
    at_once: int = 2,
    source: str = "",
    epochs: int = 0,
) -> None:
    """Search learning rates, batch size and smoothing; the best model becomes a candidate.

    Example: inv tune --env dev --strategy bayesian --jobs 20
    """
    from scones_toolkit import tuning

    tuning.tune(
        _open(env),
        where=where,
        strategy=strategy,
        jobs=jobs,
        at_once=at_once,
        source=source or None,
        epochs=epochs or None,
    )


@task(
    help={
        "env": ENV,
        "artifact": "s3:// location; else the last training job's",
        "through": "artifact, or endpoint: the deployed one, beside training's own figures",
    }
)
@guarded
def evaluate(c: Context, env: str = "local", artifact: str = "", through: str = "artifact") -> None:
    """Score a model on its test images, by itself or through the deployed endpoint.

    Example: inv evaluate --env dev --through endpoint
    """
    from scones_toolkit import evaluation

    evaluation.evaluate(_open(env), artifact=artifact or None, through=through)


@task(help={"env": ENV})
@guarded
def candidates(c: Context, env: str = "local") -> None:
    """List the trained models: their figures, data, code, and whether they may be released.

    Example: inv candidates --env dev
    """
    from scones_toolkit import candidates as registered

    registered.candidates(_open(env))


@task(
    positional=["candidate"],
    help={
        "candidate": "its number, as `inv candidates` shows it",
        "env": ENV,
        "reject": "reject it instead",
        "note": "why, kept with the decision",
    },
)
@guarded
def approve(
    c: Context, candidate: str, env: str = "local", reject: bool = False, note: str = ""
) -> None:
    """Let a trained model be released, or not.

    Example: inv approve 3 --env dev --note "better on wet roads"
    """
    from scones_toolkit import candidates as registered

    registered.approve(_open(env), registered.number(candidate), reject=reject, note=note)


@task(
    help={
        "env": ENV,
        "candidate": "its number; else the last training job's",
        "artifact": "s3:// location of a candidate's model, in place of its number",
        "activate": "an older release to activate instead of writing a new one",
        "overrule": "why a model that the quality gate refuses is released all the same",
    }
)
@guarded
def release(
    c: Context,
    env: str = "local",
    *,
    candidate: int = 0,
    artifact: str = "",
    activate: str = "",
    overrule: str = "",
) -> None:
    """Write an approved model into the release manifest that Terraform deploys.

    It must reach the limits under [quality], and not be worse than the active release.

    Example: inv release --env dev
    """
    from scones_toolkit import releases

    releases.release(
        _open(env),
        candidate=candidate or None,
        artifact=artifact or None,
        activate_id=activate or None,
        overrule=overrule,
    )


@task(
    help={
        "env": ENV,
        "destroy": "plan the removal of everything",
        "out": "where the plan is kept for `inv apply --plan`; else where `inv apply` finds it",
        "summary": "a file for the plan as Markdown",
    }
)
@guarded
def plan(
    c: Context, env: str = "local", destroy: bool = False, out: str = "", summary: str = ""
) -> None:
    """Show what Terraform would change, and keep that plan for `inv apply`.

    Example: inv plan --env dev
    """
    from scones_toolkit import plans

    plans.plan(_open(env), destroy=destroy, out=_path(out), summary=_path(summary))


@task(
    help={
        "env": ENV,
        "allow_destroy": "accept that an endpoint, a bucket or a key goes",
        "yes": "do not ask, where the plan was not shown by `inv plan` before",
        "plan": "the file that `inv plan --out` wrote, from the same code; refused otherwise",
    }
)
@guarded
def apply(
    c: Context, env: str = "local", allow_destroy: bool = False, yes: bool = False, plan: str = ""
) -> None:
    """Apply the plan that `inv plan` showed; without one, plan, ask, and apply that very plan.

    Example: inv apply --env dev
    """
    from scones_toolkit import deployments, plans

    if plan:
        plans.apply_kept(_open(env), Path(plan), allow_destroy=allow_destroy)
    else:
        deployments.apply(_open(env), allow_destroy=allow_destroy, confirmed=yes)


@task(help={"env": ENV})
@guarded
def verify(c: Context, env: str = "local") -> None:
    """Compare what runs with what was applied, and score the model's golden samples.

    Example: inv verify --env dev
    """
    from scones_toolkit import deployments

    deployments.verify_deployed(_open(env))


@task(help={"env": ENV, "summary": "a file for the difference as Markdown"})
@guarded
def drift(c: Context, env: str = "local", summary: str = "") -> None:
    """Compare what is deployed with the code, and change nothing; exit code 2 on a difference.

    Example: inv drift --env prod
    """
    from scones_toolkit import plans

    if plans.drift(_open(env), summary=_path(summary)):
        raise Exit(f"{env} is not what the code says.", code=2)


@task(help={"env": ENV, "release": "its id; else the active one"})
@guarded
def fetch(c: Context, env: str = "local", release: str = "") -> None:
    """Download a release's model artifact into the cache, and verify its SHA-256.

    Example: inv fetch --env dev
    """
    from scones_toolkit import promotions

    promotions.fetch(_open(env), release=release or None)


@task(
    help={
        "from_": "environment that has the release",
        "to": "environment that gets it",
        "release": "its id; else the active one",
    }
)
@guarded
def promote(c: Context, from_: str = "dev", to: str = "prod", release: str = "") -> None:
    """Copy a release and its model artifact from one environment to another.

    Example: inv promote --from dev --to prod
    """
    from scones_toolkit import promotions

    promotions.promote(_open(from_), _open(to), release=release or None)


@task(
    help={
        "env": ENV,
        "images": "how many images a month; else the setting",
        "json": "print the figures as JSON",
    }
)
@guarded
def cost(c: Context, env: str = "local", images: int = 0, json: bool = False) -> None:
    """Estimate what the environment costs a month, and for each million images.

    Example: inv cost --env dev --images 200000
    """
    from scones_toolkit import costs

    costs.cost(_open(env), images=images or None, as_json=json)


@task(help={"env": ENV, "yes": "do not ask for the environment's name"})
@guarded
def destroy(c: Context, env: str = "local", yes: bool = False) -> None:
    """Remove everything that Terraform deployed, after the environment's name was typed.

    Example: inv destroy --env dev
    """
    from scones_toolkit import deployments

    deployments.destroy(_open(env), confirmed=yes)


@task(help={"env": ENV})
@guarded
def stop(c: Context, env: str = "local") -> None:
    """Take down what bills by the hour, and say what remains; `inv apply` brings it back.

    Example: inv stop --env dev
    """
    from scones_toolkit import removal

    removal.stop(_open(env))


@task(help={"env": ENV, "yes": "do not ask for the environment's name"})
@guarded
def nuke(c: Context, env: str = "local", yes: bool = False) -> None:
    """Remove everything of the environment with all its data, and what its tags still find.

    Example: inv nuke --env dev
    """
    from scones_toolkit import removal

    removal.nuke(_open(env), confirmed=yes)


@task(
    iterable=["image"],
    help={
        "env": ENV,
        "image": "s3:// location of an image, may be repeated; else test images of the dataset",
        "count": "how many random test images; 0 takes all",
        "seed": "chooses the random images",
    },
)
@guarded
def run(c: Context, image: list[str], env: str = "local", count: int = 0, seed: int = 0) -> None:
    """Start workflow executions on images, wait, and print how each one ended.

    Example: inv run --env dev --count 20
    """
    from scones_toolkit import workflows

    workflows.run(_open(env), images=image, count=count, seed=seed)


@task(
    help={
        "env": ENV,
        "out": "where the page goes; else report.html or shadow.html in build/<env>",
        "shadow": "compare the shadow release with the one that serves instead",
        "hours": "with --shadow: how far back records are read",
    }
)
@guarded
def report(
    c: Context, env: str = "local", out: str = "", shadow: bool = False, hours: int = 24
) -> None:
    """Read the captured records of the last run and write the report page.

    Example: inv report --env dev
    """
    from scones_toolkit import shadows, workflows

    if shadow:
        shadows.compare_shadow(_open(env), out=_path(out), hours=hours)
    else:
        workflows.report(_open(env), out=_path(out))


@task(help={"env": ENV, "out": "where they go; else build/<env>/review"})
@guarded
def review(c: Context, env: str = "local", out: str = "") -> None:
    """Fetch the images of the last run that a person must decide, with a list to label them.

    Example: inv review --env dev, fill in labels.csv, inv etl --env dev --add build/dev/review
    """
    from scones_toolkit import reviews

    reviews.fetch(_open(env), out=_path(out))


@task(
    help={
        "source": "auto, cifar100, synthetic, or the path of an archive or a folder of images",
        "keep": "leave the embedded AWS up at the end",
    }
)
@guarded
def demo(c: Context, source: str = "", keep: bool = False) -> None:
    """Run the whole workflow on this machine, from an archive to the report.

    Example: inv demo --source synthetic --keep
    """
    from scones_toolkit import demo as demonstration

    demonstration.demo(_open("local"), source=source or None, keep=keep)


@task
@guarded
def up(c: Context) -> None:
    """Start the embedded AWS, with what the last one had, and print how to reach it.

    Example: inv local.up
    """
    from scones_toolkit import local as local_aws

    local_aws.up(_open("local"))


@task
@guarded
def down(c: Context) -> None:
    """Stop the embedded AWS and every process that it started; what was deployed is kept.

    Example: inv local.down
    """
    from scones_toolkit import local as local_aws

    local_aws.down(_open("local"))


@task(help={"yes": "do not ask"})
@guarded
def reset(c: Context, yes: bool = False) -> None:
    """Remove all that was deployed to the embedded AWS; it is stopped if it runs.

    Example: inv local.reset --yes
    """
    from scones_toolkit import local as local_aws

    local_aws.reset(_open("local"), confirmed=yes)


@task
@guarded
def status(c: Context) -> None:
    """Show functions, executions, endpoints and jobs, with their processes.

    Example: inv local.status
    """
    from scones_toolkit import local_status

    local_status.status(_open("local"))


@task(
    help={
        "name": "a function, endpoint, job or state machine; another one names those that exist",
        "follow": "go on until Ctrl-C",
    }
)
@guarded
def logs(c: Context, name: str, follow: bool = False) -> None:
    """Print a log of the embedded AWS by the name of what wrote it.

    Example: inv local.logs scones-local-classify-image -f
    """
    from scones_toolkit import local_logs

    local_logs.logs(_open("local"), name, follow=follow)


@task(help={"role": "a part of a role's name; otherwise all that acted"})
@guarded
def access(c: Context, role: str = "") -> None:
    """Show what the roles used of what they may do, statement by statement.

    Example: inv local.access --role scones-local-workflow
    """
    from scones_toolkit import local_access

    local_access.access(_open("local"), role)


@task
@guarded
def terraform_test(c: Context) -> None:
    """Check the Terraform: format, validity, READMEs, `terraform test` under mocks, Checkov.

    Example: inv terraform.test
    """
    from scones_toolkit import terraform_checks

    terraform_checks.check(_open("local"))


@task
@guarded
def terraform_docs(c: Context) -> None:
    """Write each module's inputs and outputs into its README.

    Example: inv terraform.docs
    """
    from scones_toolkit import terraform_checks

    terraform_checks.docs(_open("local"))


ns = Collection(build, etl, train, tune, evaluate, candidates, approve, release, fetch, promote)
for deployment in (plan, apply, verify, drift, cost, stop, destroy, nuke, run, report, review):
    ns.add_task(deployment)
ns.add_task(demo)
ns.add_collection(Collection("local", up, down, reset, status, logs, access))
terraform = Collection("terraform")
terraform.add_task(terraform_test, name="test")
terraform.add_task(terraform_docs, name="docs")
ns.add_collection(terraform)
