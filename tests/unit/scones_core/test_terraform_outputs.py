from dataclasses import fields

import pytest

from scones_core.errors import DeployError
from scones_core.terraform_outputs import Challenge, Deployment


def outputs() -> dict[str, object]:
    given = {field.name: field.name for field in fields(Deployment)}
    return given | {"labels": ["a", "b"], "challenger": None}


def test_outputs_become_a_deployment_whatever_else_terraform_says() -> None:
    deployment = Deployment.of({**outputs(), "dashboard_url": "x"})
    assert deployment.data_bucket == "data_bucket"
    assert deployment.labels == ("a", "b")


def test_a_challenger_is_known_with_its_variant_and_the_active_release_can_be_meant() -> None:
    found = {"release": "r2", "share": 0.2, "variant": "Challenger-r2", "threshold": 0.9}
    deployment = Deployment.of({**outputs(), "challenger": found})
    assert deployment.challenger == Challenge("r2", 0.2, "Challenger-r2", 0.9)
    assert deployment.target == {"TargetVariant": "variant"}
    alone = Deployment.of(outputs())
    assert (alone.challenger, alone.target) == (None, {})


def test_a_missing_output_is_named_with_the_remedy() -> None:
    incomplete = outputs()
    del incomplete["endpoint_name"]
    with pytest.raises(DeployError, match=r"'endpoint_name'.*inv apply"):
        Deployment.of(incomplete)


def test_an_environment_of_before_retraining_was_there_can_still_be_released_to() -> None:
    earlier = outputs()
    del earlier["retraining_state_machine_arn"]
    assert Deployment.of(earlier).retraining_state_machine_arn == ""


def test_a_part_of_an_environment_is_known_by_what_it_has_so_far() -> None:
    storage = {
        name: name
        for name in (
            *("data_bucket", "artifacts_bucket", "capture_uri", "kms_key_arn"),
            *("training_role_arn", "model_repository_url", "model_package_group"),
        )
    }
    part = Deployment.of_part(storage, environment="local", region="r", account_id="1")
    assert (part.data_bucket, part.environment) == ("data_bucket", "local")
    assert (part.state_machine_arn, part.endpoint_name, part.labels) == ("", "", ())


def test_a_part_without_its_storage_is_refused() -> None:
    with pytest.raises(DeployError, match="'data_bucket'"):
        Deployment.of_part({}, environment="local", region="r", account_id="1")
