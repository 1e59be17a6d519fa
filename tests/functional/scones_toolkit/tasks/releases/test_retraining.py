"""What `inv retrain` hands to the state machine, which is none of this process."""

import json
from dataclasses import replace
from typing import Any

import pytest

from scones_core.errors import DatasetError, DeployError, ExecutionFailed, SettingsError
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_toolkit.tasks.releases.retraining import retrain
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT, LocalProject


class StateMachine:
    """Step Functions with one execution, which ends at once or never."""

    def __init__(self, outcome: str = "no image was answered yet", *, ends: bool = True) -> None:
        self.given: dict[str, Any] = {}
        self.outcome, self.ends = outcome, ends

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, str]:
        self.given = json.loads(input)
        return {"executionArn": f"{stateMachineArn}:1"}

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        del executionArn
        if not self.ends:
            return {"status": "RUNNING"}
        return {"status": "SUCCEEDED", "output": json.dumps({"outcome": self.outcome})}

    def get_execution_history(self, **_: Any) -> dict[str, Any]:
        return {"events": [{"stateEnteredEventDetails": {"name": "Train"}}]}


class FailingStateMachine(StateMachine):
    """Step Functions whose execution fails at a job, which describes itself in the cause."""

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        del executionArn
        cause = {"ProcessingInputs": ["a"] * 100, "FailureReason": "ClientError: no access"}
        return {"status": "FAILED", "error": "States.TaskFailed", "cause": json.dumps(cause)}


class Retrained(LocalProject):
    """A project of the classes bicycle and motorcycle, whose deployment has a retraining."""

    @property
    def deployment(self) -> Deployment:
        return replace(DEPLOYMENT, retraining_state_machine_arn="arn:retrain")


class NotRetrained(LocalProject):
    """A project whose deployment has no retraining."""

    @property
    def deployment(self) -> Deployment:
        return replace(DEPLOYMENT, retraining_state_machine_arn="")


@pytest.fixture
def machine() -> StateMachine:
    return StateMachine()


@pytest.fixture
def given(project: LocalProject, machine: StateMachine) -> Any:
    """Return what a retraining with these classes of [dataset] is started with."""

    def started(*classes: str) -> dict[str, Any]:
        settings = Settings().override("dataset", classes=classes)
        clients = {"stepfunctions": machine}
        own = Retrained(project.root, settings=settings, console=project.console, clients=clients)
        retrain(own, min_new_images=1)
        return machine.given

    return started


def test_fewer_new_images_than_none_are_refused(project: LocalProject) -> None:
    with pytest.raises(SettingsError, match="--min-new-images must be 0 or more, not -1"):
        retrain(project, min_new_images=-1)


def test_the_classes_that_the_active_release_does_not_know_are_named(given: Any) -> None:
    assert given("bicycle", "scooter", "tram", "motorcycle")["new_classes"] == ["scooter", "tram"]
    assert "new_classes" not in given("motorcycle", "bicycle")
    assert "new_classes" not in given("all")


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (("bicycle", "a b"), DatasetError, "'a b' cannot be part of an S3 key"),
        ([f"class-{n:03}" for n in range(40)], SettingsError, "more than 256 characters together"),
    ],
)
def test_classes_that_no_job_takes_start_none(
    given: Any, machine: StateMachine, names: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        given(*names)
    assert machine.given == {}


def test_without_a_retraining_the_line_that_sets_one_up_is_given(project: LocalProject) -> None:
    line = r'retraining = { training_image = "\S+:0\.1\.0-training" }\n'
    with pytest.raises(DeployError, match=line + "into terraform/environments/local/env.tfvars"):
        retrain(NotRetrained(project.root), min_new_images=1)


def test_an_interrupt_says_that_the_retraining_goes_on(project: LocalProject) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    running = {"stepfunctions": StateMachine(ends=False)}
    own = Retrained(project.root, console=project.console, clients=running)
    with pytest.raises(KeyboardInterrupt):
        retrain(own, min_new_images=1, sleep=interrupt)
    assert "goes on. What it proposes when it ends: inv release --proposed" in own.printed


def test_next_to_a_retraining_that_runs_the_hint_is_its_proposal(project: LocalProject) -> None:
    busy = {"stepfunctions": StateMachine("another retraining is running")}
    own = Retrained(project.root, console=project.console, clients=busy)
    retrain(own, min_new_images=1)
    assert "Next: inv release --proposed" in own.printed
    assert "inv review" not in own.printed


def test_of_a_job_that_failed_its_reason_alone_is_printed(project: LocalProject) -> None:
    failing = {"stepfunctions": FailingStateMachine()}
    own = Retrained(project.root, console=project.console, clients=failing)
    with pytest.raises(ExecutionFailed) as failed:
        retrain(own, min_new_images=1)
    assert str(failed.value) == (
        "The retraining ended as FAILED: States.TaskFailed ClientError: no access"
    )
