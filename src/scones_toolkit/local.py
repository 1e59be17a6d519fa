"""The embedded AWS of this checkout: up, down, reset."""

import shutil
import sys
import time
from pathlib import Path

from scones_core.errors import LocalAwsError
from scones_local.lifetime import is_locked
from scones_local.process import LocalAws
from scones_local.sagemaker.images import ImageCommands
from scones_toolkit.cli import confirm
from scones_toolkit.project import Project

# The repository of the model image, whatever the project and the environment are called.
MODEL_IMAGES = "*-model"
# How long `up` waits for the endpoints that are started again.
ENDPOINT_SECONDS = 90.0


def start(project: Project) -> LocalAws:
    """Return the embedded AWS, with what the last one on this folder had.

    The model image is this checkout's own programs. Raises LocalAwsError when one runs already,
    its port is taken, or what was kept cannot be loaded.
    """
    kept = LocalAws.has_state(project.local_home)
    try:
        aws = LocalAws.start(project.local_home, project.settings.local.port, model_images(project))
    except LocalAwsError as error:
        raise LocalAwsError(
            f"{error} (`inv local.down` stops the one of this checkout; SCONES_LOCAL_PORT gives "
            "another port.)"
        ) from error
    if not kept:
        _forget_earlier_ones(project)
    return aws


def start_for_demo(project: Project) -> LocalAws:
    """Return an empty embedded AWS; what an earlier demo did not tidy up is removed.

    Raises LocalAwsError where somebody else's state is kept, and leaves it alone.
    """
    home, mark = project.local_home, _demo_mark(project)
    # Where one runs already, the start is what says so.
    if LocalAws.has_state(home) and not is_locked(home):
        if not mark.exists():
            raise LocalAwsError(
                f"{_relative(home)} keeps what was deployed to the embedded AWS, and a demo starts "
                "from nothing: `inv local.reset` removes it, or "
                "SCONES_PROJECT_LOCAL_DIR=.local/demo gives the demo a folder of its own."
            )
        LocalAws.reset(home)
    aws = start(project)
    mark.touch()
    return aws


def end_demo(project: Project, aws: LocalAws, *, keep: bool) -> None:
    """Leave the demo's embedded AWS up as the user's own, or remove all that it kept."""
    if not keep:
        aws.stop()
        LocalAws.reset(project.local_home)
    _demo_mark(project).unlink(missing_ok=True)


def _demo_mark(project: Project) -> Path:
    """Return the file that is there while the folder is a demo's, which may be emptied."""
    return project.local_home / "demo"


def _forget_earlier_ones(project: Project) -> None:
    """Remove what describes an embedded AWS that is gone: records, releases, a saved plan."""
    project.release_file.unlink(missing_ok=True)
    for folder in (project.build / "demo", project.records.folder, project.terraform_data):
        shutil.rmtree(folder, ignore_errors=True)


def model_images(project: Project) -> dict[str, ImageCommands]:
    """Return which programs `train` and `serve` of the model image are on this machine."""
    python = [sys.executable, "-m"]
    return {
        MODEL_IMAGES: ImageCommands(
            train=(*python, "scones_train.training.train"),
            serve=(*python, "scones_train.serving.serve"),
            environment={
                "PYTHONPATH": str(project.root / "src"),
                # Read by OpenMP before Python starts; see the Makefile.
                "GOMP_SPINCOUNT": "1000",
                # In a container every address is right; on a laptop only the loopback is.
                "SCONES_BIND_HOST": "127.0.0.1",
            },
        )
    }


def up(project: Project) -> None:
    """Start the embedded AWS, leave it running, and print how to reach it."""
    kept = LocalAws.has_state(project.local_home)
    aws = start(project)
    _demo_mark(project).unlink(missing_ok=True)
    print_access(project, aws)
    if kept:
        project.console.say("It has what the last one had.")
        _await_endpoints(project)


def _await_endpoints(project: Project) -> None:
    """Wait for the endpoints that are started again; print what became of each."""
    sagemaker, deadline = project.client("sagemaker"), time.monotonic() + ENDPOINT_SECONDS
    while True:
        found = sagemaker.list_endpoints()["Endpoints"]
        statuses = {entry["EndpointName"]: entry["EndpointStatus"] for entry in found}
        if "Creating" not in statuses.values() or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for name, status in statuses.items():
        project.console.say(f"  endpoint {name}: {status}")


def print_access(project: Project, aws: LocalAws) -> None:
    """Print the variables that point boto3, the AWS CLI and Terraform at the embedded AWS."""
    say = project.console.say
    say(f"The embedded AWS runs at {aws.endpoint_url} (log: {_relative(aws.home / 'server.log')}).")
    say("boto3, the AWS CLI (2.13 or later) and Terraform's provider find it by:")
    for name, value in aws.environment().items():
        say(f"  export {name}={value}")
    say("The project's own tasks find it by themselves: inv run --count 5, inv plan, ...")
    say(f"A page shows what runs: {aws.endpoint_url}")
    say("Stop it with: inv local.down (it keeps what was deployed), empty it with: inv local.reset")


def down(project: Project) -> None:
    """Stop the embedded AWS with all that it started; raises LocalAwsError when none runs."""
    project.local_aws().stop()
    project.console.say(
        "The embedded AWS is stopped; `inv local.up` brings it back as it was, `inv local.reset` "
        "removes it."
    )


def reset(project: Project, *, confirmed: bool = False) -> None:
    """Stop the embedded AWS if it runs, and remove all that was deployed to it.

    Raises DeployError where that was not confirmed.
    """
    home = project.local_home
    if not LocalAws.has_state(home) and not is_locked(home):
        project.console.say(f"There is nothing in {_relative(home)} to remove.")
        return
    if not confirmed:
        confirm(f"Everything in the embedded AWS ({_relative(home)}) will be removed.", "local")
    if is_locked(home):
        project.local_aws().stop()
    LocalAws.reset(home)
    _demo_mark(project).unlink(missing_ok=True)
    _forget_earlier_ones(project)
    project.console.say("The embedded AWS is empty again; `inv local.up` starts it.")


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
