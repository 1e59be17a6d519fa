import io
import json
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import DeployError
from scones_core.settings import Settings
from scones_deploy.terraform.state import AppliedResource
from scones_toolkit.project import Project
from scones_toolkit.tasks.deployment.removal import pause, purge

TAGS = [{"Key": "Project", "Value": "scones"}, {"Key": "Environment", "Value": "dev"}]


class SageMaker:
    """An account in which one training job runs."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def can_paginate(self, _operation: str) -> bool:
        return False

    def list_tags(self, *, ResourceArn: str) -> dict[str, Any]:
        return {"Tags": TAGS}

    def list_training_jobs(self) -> dict[str, Any]:
        job = {
            "TrainingJobName": "retrain-1",
            "TrainingJobArn": "arn:retrain-1",
            "TrainingJobStatus": "InProgress",
        }
        return {"TrainingJobSummaries": [job]}

    def stop_training_job(self, *, TrainingJobName: str) -> None:
        self.stopped.append(TrainingJobName)

    def __getattr__(self, name: str) -> Any:
        found = {
            "list_endpoints": "Endpoints",
            "list_notebook_instances": "NotebookInstances",
            "list_hyper_parameter_tuning_jobs": "HyperParameterTuningJobSummaries",
            "list_processing_jobs": "ProcessingJobSummaries",
            "list_transform_jobs": "TransformJobSummaries",
        }
        return lambda: {found[name]: []}


class Terraform:
    """A deployment with these resources."""

    is_connected = True

    def __init__(self, applied: tuple[AppliedResource, ...]) -> None:
        self._applied = applied

    def applied(self) -> tuple[AppliedResource, ...]:
        return self._applied


def paused(root: Path, *, confirmed: bool, applied: tuple[AppliedResource, ...] = ()) -> SageMaker:
    sagemaker = SageMaker()

    class Paused(Project):
        def client(self, service: str) -> Any:
            assert service == "sagemaker"
            return sagemaker

    project = Paused(root, "dev")
    vars(project)["terraform"] = Terraform(applied)
    project.release_file.parent.mkdir(parents=True, exist_ok=True)
    project.release_file.with_name("env.tfvars").write_text('project = "scones"\n')
    if confirmed:
        pause(project, confirmed=True)
    else:
        with pytest.raises(DeployError, match=r"training job retrain-1.*pass --yes"):
            pause(project)
    return sagemaker


def test_a_job_that_runs_is_named_and_stopped_only_once_that_is_confirmed(tmp_path: Path) -> None:
    assert paused(tmp_path, confirmed=False).stopped == []
    assert paused(tmp_path, confirmed=True).stopped == ["retrain-1"]


class LockedState:
    """An S3 in which a run of Terraform holds the lock on a state."""

    def get_object(self, **_: str) -> dict[str, io.BytesIO]:
        lock = {"ID": "1", "Who": "ci@host", "Operation": "OperationTypeApply", "Created": "noon"}
        return {"Body": io.BytesIO(json.dumps(lock).encode())}


def test_nothing_is_purged_while_another_run_holds_the_state(tmp_path: Path) -> None:
    sagemaker = SageMaker()

    class Locked(Project):
        def client(self, service: str) -> Any:
            return {"sagemaker": sagemaker, "s3": LockedState()}[service]

    settings = Settings().override("project", state_bucket="state")
    project = Locked(tmp_path, "dev", settings=settings)
    vars(project)["terraform"] = Terraform(())
    folder = project.release_file.parent
    folder.mkdir(parents=True)
    (folder / "env.tfvars").write_text('project = "scones"\n')
    (folder / "backend.hcl").write_text('key = "scones/dev/terraform.tfstate"\n')

    with pytest.raises(DeployError, match=r"ci@host has held the lock .* inv unlock --env dev"):
        purge(project, confirmed=True)

    assert sagemaker.stopped == []


@pytest.mark.parametrize(
    ("module", "warned"),
    [('module.endpoint["realtime"].', True), ('module.retraining["this"].module.machine.', False)],
)
def test_only_office_hours_are_said_to_bring_a_paused_endpoint_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], module: str, warned: bool
) -> None:
    kind = "aws_scheduler_schedule"
    schedule = AppliedResource(f'{module}{kind}.this["from"]', kind, "from", {})
    paused(tmp_path, confirmed=True, applied=(schedule,))
    assert ("office_hours" in "".join(capsys.readouterr())) is warned
