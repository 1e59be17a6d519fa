from dataclasses import fields

import pytest

from scones_core.errors import DeployError
from scones_core.outputs import Deployment


def outputs() -> dict[str, object]:
    return {field.name: field.name for field in fields(Deployment)} | {"labels": ["a", "b"]}


def test_outputs_become_a_deployment_whatever_else_terraform_says() -> None:
    deployment = Deployment.of({**outputs(), "dashboard_url": "x"})
    assert deployment.data_bucket == "data_bucket"
    assert deployment.labels == ("a", "b")


def test_a_missing_output_is_named_with_the_remedy() -> None:
    incomplete = outputs()
    del incomplete["endpoint_name"]
    with pytest.raises(DeployError, match=r"'endpoint_name'.*inv apply"):
        Deployment.of(incomplete)


def test_an_environment_of_before_retraining_was_there_can_still_be_released_to() -> None:
    earlier = outputs()
    del earlier["retraining_state_machine_arn"]
    assert Deployment.of(earlier).retraining_state_machine_arn == ""
