"""The whole workflow on one host: from an archive of images to the report."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole

from local_aws.control import LocalAws
from scones_core.files import write_json
from scones_deploy.terraform.plan import Plan
from scones_etl.pipeline import StagedDataset
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl, local
from scones_toolkit.tasks.deployment import deploy as deployment
from scones_toolkit.tasks.monitoring import report as monitoring
from scones_toolkit.tasks.predict import Explanations
from scones_toolkit.tasks.releases import releases
from scones_toolkit.tasks.training import candidates
from scones_toolkit.tasks.training import train as training
from scones_toolkit.tasks.workflow import run as running

# What the summary takes from the report's figures, next to what it knows itself.
FIGURES = (
    "accuracy",
    "n_test",
    "threshold",
    "precision_at_threshold",
    "coverage_at_threshold",
    "inputs",
    "accepted",
    "review",
    "failed",
    "captured_records",
)


# What a training job, its data and its log have to have.
NEEDED_TO_TRAIN = ("module.storage", "module.iam", "aws_cloudwatch_log_group.training")

# Half of the processor time of the recipe's eight epochs and four folds. Measured on CIFAR-100's
# bicycles and motorcycles alone (docs/results/pretrained-recipe.md), so taken for CIFAR alone.
SHORTER_FOR_CIFAR = {"epochs": 6, "folds": 3}

# Said where a stage failed: a training of minutes may be behind it.
GO_ON = (
    "The embedded AWS is stopped and keeps what was made: `inv local.up`, `inv plan` and "
    "`inv apply` go on from there; another `make demo` starts from nothing."
)


@dataclass
class Stages:
    """Announces each stage and keeps how many seconds it took."""

    project: Project
    total: int
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str, title: str) -> Iterator[None]:
        """Run the body as the next stage."""
        self.project.console.step(f"[{len(self.seconds) + 1}/{self.total}] {title}")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)


def demo(project: Project, *, source: str | None = None, keep: bool = False) -> dict[str, Any]:
    """Run the whole workflow locally, print its summary, and return it.

    A mistake in the settings or the source is reported before anything is started. Everything
    that was started is stopped at the end, whatever ended it; `keep` leaves the embedded AWS
    up after a run that reached its end.
    """
    project = replace(project, hints=False)
    stages = Stages(project, total=11)
    with stages("extract", "Read the images, split them, encode them"):
        staged = etl.extract(project, source, synthetic_if_unreachable=True)
        etl.validate(project, staged)
    project = shorter_training(project, staged.manifest.source["kind"])
    with ExitStack() as stack:
        with stages("start", "Start the embedded AWS"):
            aws = local.start_for_demo(project)
            stack.callback(project.console.say, GO_ON)
            stack.callback(aws.stop)
            project.console.say(f"  {aws.endpoint_url}, log in {aws.home / 'server.log'}")
        summary = _run(project, stages, staged, source)
        stack.pop_all()
        local.end_demo(project, aws, keep=keep)
    _finish(project, aws, summary, keep=keep)
    return summary


def _run(
    project: Project, stages: Stages, staged: StagedDataset, source: str | None
) -> dict[str, Any]:
    with stages("build", "Build the Lambda zips"):
        deployment.build(project)
    with stages("apply", "Apply the Terraform that training needs: buckets, key, roles"):
        deployment.apply_part(project, NEEDED_TO_TRAIN)
    # Most of an apply is waiting, for queues above all, and no endpoint is there yet.
    with _rest_applied(project) as rest:
        with stages("load", "Load the images into the data bucket"):
            manifest = etl.load(project, staged, source)
        with stages("train", "Train and evaluate, as a SageMaker training job"):
            trained = training.train_on_sagemaker(project)
            candidates.approve(project, trained.version, note="auto-approved by the demo")
        with stages("rest", "Wait for the rest of the Terraform, applied while the model trained"):
            project.console.say(f"  {rest.result().add} resources were added.")
            project.forget_deployment()
    with stages("release", "Write the release, and let Terraform deploy the endpoint"):
        releases.release(project, allow_synthetic=True)
        deployment.apply(project)
    with stages("plan", "Plan again: nothing may be left to change"):
        leftover = deployment.plan(project)
    with stages("run", "Classify every test image in one Step Functions execution"):
        done = running.classify(project, [image for image, _ in running.choose_images(project)])
    out = project.build / "demo"
    out.mkdir(parents=True, exist_ok=True)
    with stages("report", "Read the captured records back and write the report"):
        figures = monitoring.report(
            project, out=out / "report.html", manifest=manifest, explain=Explanations(project)
        )
    deployed = project.deployment
    summary = {
        **{name: figures[name] for name in FIGURES},
        "endpoint_name": deployed.endpoint_name,
        "model_data_url": project.records.read("training")["model_data_url"],
        "execution_arn": done.executions[0],
        "source": manifest.source["kind"],
        "plan_changes_after_apply": len(leftover.changes) or int(leftover.has_changes),
        "seconds": stages.seconds,
    }
    write_json(out / "summary.json", summary)
    running.require_none_failed(done)
    return summary


def shorter_training(project: Project, source: str) -> Project:
    """Return the project with a shorter training on this kind of source, and say so.

    It is unchanged on a source that this was not measured on, and where the user set any of it.
    """
    given = (getattr(project.settings.training, name) for name in SHORTER_FOR_CIFAR)
    if not source.startswith("cifar") or any(value is not None for value in given):
        return project
    named = " and ".join(f"{value} {name}" for name, value in SHORTER_FOR_CIFAR.items())
    project.console.say(f"  The demo trains shorter than `inv train`: {named}.")
    return replace(project, settings=project.settings.override("training", **SHORTER_FOR_CIFAR))


@contextmanager
def _rest_applied(project: Project) -> Iterator[Future[Plan]]:
    """Apply all that is not applied yet while the body runs; gives what comes of it.

    Its output goes to Terraform's log only. The apply has ended when the body is left.
    """
    with Path(os.devnull).open("w") as nowhere, ThreadPoolExecutor(max_workers=1) as pool:
        silent = replace(project, console=Console(RichConsole(file=nowhere)))
        yield pool.submit(deployment.apply, silent)


def _finish(project: Project, aws: LocalAws, summary: dict[str, Any], *, keep: bool) -> None:
    seconds = summary["seconds"]
    rows = {name: _formatted(value) for name, value in summary.items() if name != "seconds"}
    rows["seconds"] = ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())
    rows["total"] = f"{sum(seconds.values()):.0f} s"
    project.console.table("Summary (build/demo/summary.json)", rows)
    if summary["source"] == "synthetic":
        project.console.warn(
            "The images are SYNTHETIC: these figures say nothing about real bicycles and "
            "motorcycles."
        )
    if keep:
        local.print_access(project, aws)
    else:
        project.console.say("Everything that was started is stopped; KEEP=1 leaves it up.")


def _formatted(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
