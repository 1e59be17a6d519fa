"""What `inv retrain` hands to the state machine, which is none of this process."""

import json
from dataclasses import replace
from typing import Any

import pytest

from scones_core.errors import DatasetError, SettingsError
from scones_core.settings import Settings
from scones_core.terraform_outputs import Deployment
from scones_toolkit.tasks.releases.retraining import retrain
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT, LocalProject


class StateMachine:
    """Step Functions with one execution, which ends at once."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, str]:
        self.given = json.loads(input)
        return {"executionArn": f"{stateMachineArn}:1"}

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        del executionArn
        return {"status": "SUCCEEDED", "output": '{"outcome": "no image was answered yet"}'}


class Retrained(LocalProject):
    """A project of the classes bicycle and motorcycle, whose deployment has a retraining."""

    @property
    def deployment(self) -> Deployment:
        return replace(DEPLOYMENT, retraining_state_machine_arn="arn:retrain")


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
