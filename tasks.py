"""The tasks: `inv --list` names them, `inv <task> --help` explains one.

Each body parses, calls `scones_toolkit` and prints; what a task does stands there.
"""

from pathlib import Path

from invoke import Collection, Context, task

from scones_toolkit import datasets, deployments, models, workflows
from scones_toolkit import demo as demonstration
from scones_toolkit import local as local_aws
from scones_toolkit.cli import guarded
from scones_toolkit.project import Project

ROOT = Path(__file__).parent
ENV = "environment: local, dev or prod"


def _open(env: str) -> Project:
    return Project.open(ROOT, env)


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


@task(help={"env": ENV, "destroy": "plan the removal of everything"})
@guarded
def plan(c: Context, env: str = "local", destroy: bool = False) -> None:
    """Show what Terraform would change, and keep that plan for `inv apply`.

    Example: inv plan --env dev
    """
    deployments.plan(_open(env), destroy=destroy)


@task(
    help={
        "env": ENV,
        "allow_destroy": "accept that an endpoint, a bucket or a key goes",
        "yes": "do not ask, where the plan was not shown by `inv plan` before",
    }
)
@guarded
def apply(c: Context, env: str = "local", allow_destroy: bool = False, yes: bool = False) -> None:
    """Apply the plan that `inv plan` showed; without one, plan, ask, and apply that very plan.

    Example: inv apply --env dev
    """
    deployments.apply(_open(env), allow_destroy=allow_destroy, confirmed=yes)


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
    workflows.report(_open(env), out=Path(out) if out else None)


@task(
    help={
        "source": "auto, cifar100, synthetic, or the path of a CIFAR-100 Python archive",
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


ns = Collection(build, etl, train, evaluate, release, plan, apply, destroy, run, report, demo)
ns.add_collection(Collection("local", up, down, status))
terraform = Collection("terraform")
terraform.add_task(terraform_test, name="test")
ns.add_collection(terraform)
