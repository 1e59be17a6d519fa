"""The tasks: `inv --list` names them, `inv <task> --help` explains one.

Each body parses, calls `scones_toolkit` and prints; what a task does stands there.
"""

from pathlib import Path

from invoke import Collection, Context, task
from invoke.exceptions import Exit

from scones_toolkit import datasets, deployments, models, plans, promotions, workflows
from scones_toolkit import demo as demonstration
from scones_toolkit import local as local_aws
from scones_toolkit.cli import guarded
from scones_toolkit.project import Project

ROOT = Path(__file__).parent
ENV = "environment: local, dev or prod"


def _open(env: str) -> Project:
    return Project.open(ROOT, env)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


@task
@guarded
def build(c: Context) -> None:
    """Build the Lambda zips into build/lambda, the same bytes each time.

    Example: inv build
    """
    deployments.build(_open("local"))


@task(
    help={
        "env": ENV,
        "source": "auto, cifar100, synthetic, or a path: CIFAR archive, image folder, MNIST",
        "classes": "class names, comma separated; the order is the model's",
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
    *,
    image_side: int = 0,
    image_mode: str = "",
    recordio: bool = False,
) -> None:
    """Stage a dataset: read the images, split them, write them to the data bucket.

    Example: inv etl --env dev --source ~/vehicles --classes van,bicycle --image-side 224
    """
    datasets.etl(
        _open(env),
        source or None,
        classes or None,
        image_side=image_side or None,
        image_mode=image_mode or None,
        recordio=recordio or None,
    )


@task(help={"env": ENV, "epochs": "passes over the training images", "seed": "random seed"})
@guarded
def train(c: Context, env: str = "local", epochs: int = 0, seed: int = -1) -> None:
    """Train on the staged dataset as a SageMaker training job, and wait for its artifact.

    Example: inv train --env dev --epochs 24
    """
    models.train(_open(env), epochs=epochs or None, seed=seed if seed >= 0 else None)


@task(help={"env": ENV, "artifact": "s3:// location; else the last training job's"})
@guarded
def evaluate(c: Context, env: str = "local", artifact: str = "") -> None:
    """Score a model artifact on the staged test images, outside any endpoint.

    Example: inv evaluate --env dev
    """
    models.evaluate(_open(env), artifact=artifact or None)


@task(
    help={
        "env": ENV,
        "artifact": "s3:// location; else the last training job's",
        "activate": "an older release to activate instead of writing a new one",
    }
)
@guarded
def release(c: Context, env: str = "local", artifact: str = "", activate: str = "") -> None:
    """Write a trained model into the release manifest that Terraform deploys.

    Example: inv release --env dev
    """
    models.release(_open(env), artifact=artifact or None, activate_id=activate or None)


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
    if plan:
        plans.apply_kept(_open(env), Path(plan), allow_destroy=allow_destroy)
    else:
        deployments.apply(_open(env), allow_destroy=allow_destroy, confirmed=yes)


@task(help={"env": ENV})
@guarded
def verify(c: Context, env: str = "local") -> None:
    """Compare what runs with what was applied, and score the model's known images.

    Example: inv verify --env dev
    """
    deployments.verify_deployed(_open(env))


@task(help={"env": ENV, "summary": "a file for the difference as Markdown"})
@guarded
def drift(c: Context, env: str = "local", summary: str = "") -> None:
    """Compare what is deployed with the code, and change nothing; exit code 2 on a difference.

    Example: inv drift --env prod
    """
    if plans.drift(_open(env), summary=_path(summary)):
        raise Exit(f"{env} is not what the code says.", code=2)


@task(help={"env": ENV, "release": "its id; else the active one"})
@guarded
def fetch(c: Context, env: str = "local", release: str = "") -> None:
    """Download a release's model artifact into the cache, and verify its SHA-256.

    Example: inv fetch --env dev
    """
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
    promotions.promote(_open(from_), _open(to), release=release or None)


@task(help={"env": ENV, "yes": "do not ask for the environment's name"})
@guarded
def destroy(c: Context, env: str = "local", yes: bool = False) -> None:
    """Remove everything that Terraform deployed, after the environment's name was typed.

    Example: inv destroy --env dev
    """
    deployments.destroy(_open(env), confirmed=yes)


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
    workflows.run(_open(env), images=image, count=count, seed=seed)


@task(help={"env": ENV, "out": "where the page goes; else build/<env>/report.html"})
@guarded
def report(c: Context, env: str = "local", out: str = "") -> None:
    """Read the captured records of the last run and write the report page.

    Example: inv report --env dev
    """
    workflows.report(_open(env), out=_path(out))


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
    demonstration.demo(_open("local"), source=source or None, keep=keep)


@task
@guarded
def up(c: Context) -> None:
    """Start the embedded AWS and print how to reach it.

    Example: inv local.up
    """
    local_aws.up(_open("local"))


@task
@guarded
def down(c: Context) -> None:
    """Stop the embedded AWS and every process that it started.

    Example: inv local.down
    """
    local_aws.down(_open("local"))


@task
@guarded
def status(c: Context) -> None:
    """Show what runs in the embedded AWS.

    Example: inv local.status
    """
    local_aws.status(_open("local"))


@task
@guarded
def terraform_test(c: Context) -> None:
    """Check the Terraform: format, validity, and `terraform test` under mocks.

    Example: inv terraform.test
    """
    deployments.terraform_test(_open("local"))


ns = Collection(build, etl, train, evaluate, release, fetch, promote)
for deployment in (plan, apply, verify, drift, destroy, run, report, demo):
    ns.add_task(deployment)
ns.add_collection(Collection("local", up, down, status))
terraform = Collection("terraform")
terraform.add_task(terraform_test, name="test")
ns.add_collection(terraform)
