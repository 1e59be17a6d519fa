"""The runbooks rehearsed: trouble is made, and the very commands of the page are run.

A failed rollout and a tear-down are rehearsed where they happen, in test_environment_life.
"""

import json
import re

import pytest

from tests.support.environments.environment import BICYCLE, Environment
from tests.support.runbooks.rehearsal import Rehearsal


def restored(environment: Environment) -> None:
    """Assert that nothing is left to change, and that the endpoint answers."""
    assert environment.answer() == BICYCLE
    assert "No changes" in environment.done("plan")


@pytest.mark.slow
def test_a_lost_state_is_found_again(served: Environment) -> None:
    s3, bucket = served.client("s3"), "scones-local-terraform-state"
    key = "scones/local/terraform.tfstate"
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    assert re.search(r"\b[1-9]\d+ to add", served.done("plan"))
    done = Rehearsal(served, **{"state-bucket": bucket, "marker": marker}).run("lost-state")
    assert done.codes == [("plan", 0), ("verify", 0)]
    restored(served)


@pytest.mark.slow
def test_a_capture_that_was_cut_off_comes_back(served: Environment) -> None:
    iam, role = served.client("iam"), "scones-local-endpoint"
    document = iam.get_role_policy(RoleName=role, PolicyName="access")["PolicyDocument"]
    less = [s for s in document["Statement"] if s["Sid"] != "WriteCapture"]
    iam.put_role_policy(
        RoleName=role,
        PolicyName="access",
        PolicyDocument=json.dumps({**document, "Statement": less}),
    )
    done = Rehearsal(served).run("capture-stopped")
    assert done.codes == [
        ("verify", 0),
        ("drift", 2),
        ("apply", 0),
        ("pause", 0),
        ("apply", 0),
        ("verify", 0),
    ]
    after = iam.get_role_policy(RoleName=role, PolicyName="access")["PolicyDocument"]
    assert after == document
    restored(served)


@pytest.mark.slow
def test_a_key_is_rotated_and_what_it_encrypted_stays_readable(served: Environment) -> None:
    kms = served.client("kms")
    key = kms.describe_key(KeyId="alias/scones-local")["KeyMetadata"]["KeyId"]
    done = Rehearsal(served, key=key).run("key-rotation")
    assert done.codes == [("verify", 0)]
    assert kms.list_key_rotations(KeyId=key)["Rotations"]


@pytest.mark.slow
def test_a_throttled_workflow_gets_another_concurrency(served: Environment) -> None:
    before = served.variables.read_text()
    try:
        done = Rehearsal(served).run("throttled-workflow")
        assert done.codes == [("plan", 0), ("apply", 0), ("plan", 0), ("verify", 0)]
        states = served.client("stepfunctions")
        (machine,) = (
            found["stateMachineArn"]
            for found in states.list_state_machines()["stateMachines"]
            if found["name"] == "scones-local-classify"
        )
        text = states.describe_state_machine(stateMachineArn=machine)["definition"]
        assert '"MaxConcurrency":10' in text.replace(" ", "")
    finally:
        served.variables.write_text(before)
        served.done("apply")
