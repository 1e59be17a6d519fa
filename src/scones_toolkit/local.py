"""The embedded AWS of this checkout: up, down, and what runs in it."""

import shutil
import sys
from pathlib import Path
from typing import Any

from scones_core.errors import LocalAwsError
from scones_local.process import LocalAws
from scones_local.sagemaker.images import ImageCommands
from scones_toolkit.project import Project

# The repository of the model image, whatever the project and the environment are called.
MODEL_IMAGES = "*-model"


def start(project: Project) -> LocalAws:
    """Return a new, empty embedded AWS; the model image is this checkout's own programs.

    Raises LocalAwsError when one runs already, or its port is taken.
    """
    try:
        aws = LocalAws.start(project.local_home, project.settings.local.port, model_images(project))
    except LocalAwsError as error:
        raise LocalAwsError(
            f"{error} (`inv local.down` stops the one of this checkout; SCONES_LOCAL_PORT gives "
            "another port.)"
        ) from error
    _forget_earlier_ones(project)
    return aws


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
            train=(*python, "scones_train.train"),
            serve=(*python, "scones_train.serve"),
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
    print_access(project, start(project))


def print_access(project: Project, aws: LocalAws) -> None:
    """Print the variables that point boto3, the AWS CLI and Terraform at the embedded AWS."""
    say = project.console.say
    say(f"The embedded AWS runs at {aws.endpoint_url} (log: {_relative(aws.home / 'server.log')}).")
    say("boto3, the AWS CLI (2.13 or later) and Terraform's provider find it by:")
    for name, value in aws.environment().items():
        say(f"  export {name}={value}")
    say("The project's own tasks find it by themselves: inv run --count 5, inv plan, ...")
    say("Stop it with: inv local.down")


def down(project: Project) -> None:
    """Stop the embedded AWS with all that it started; raises LocalAwsError when none runs."""
    project.local_aws().stop()
    project.console.say("The embedded AWS is stopped.")


def status(project: Project) -> None:
    """Print functions, state machines, endpoints and training jobs of the embedded AWS."""
    aws = project.local_aws()
    project.console.say(f"The embedded AWS runs at {aws.endpoint_url} (process {aws.record.pid}).")
    rows = [*_functions(project), *_machines(project), *_endpoints(project), *_jobs(project)]
    if not rows:
        project.console.say("Nothing is deployed in it yet; try: inv apply")
        return
    project.console.grid("", ("kind", "name", "state"), rows)


def _functions(project: Project) -> list[tuple[str, str, str]]:
    functions = project.client("lambda").list_functions()["Functions"]
    return [
        ("function", f["FunctionName"], f"{f['Runtime']}, {f['CodeSize']} B") for f in functions
    ]


def _machines(project: Project) -> list[tuple[str, str, str]]:
    states = project.client("stepfunctions")
    return [
        ("state machine", machine["name"], _executions(states, machine["stateMachineArn"]))
        for machine in states.list_state_machines()["stateMachines"]
    ]


def _executions(states: Any, arn: str) -> str:
    found = [e["status"] for e in states.list_executions(stateMachineArn=arn)["executions"]]
    counts = {status: found.count(status) for status in sorted(set(found))}
    return ", ".join(f"{n} {status.lower()}" for status, n in counts.items()) or "no executions"


def _endpoints(project: Project) -> list[tuple[str, str, str]]:
    endpoints = project.client("sagemaker").list_endpoints()["Endpoints"]
    return [("endpoint", e["EndpointName"], e["EndpointStatus"]) for e in endpoints]


def _jobs(project: Project) -> list[tuple[str, str, str]]:
    jobs = project.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    return [("training job", j["TrainingJobName"], j["TrainingJobStatus"]) for j in jobs]


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
