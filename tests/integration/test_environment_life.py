"""An environment's life against the embedded AWS: first release, update, rollback, failures."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import copy_checkout
from tests.support.environment import ACCOUNT, BICYCLE, MOTORCYCLE, Environment, model_archive


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Environment]:
    """An environment that this test alone changes, applied without an endpoint."""
    started = Environment.start(copy_checkout(tmp_path / "checkout"))
    with started.aws:
        started.done("build")
        said = started.done("apply")
        assert "there is no endpoint, so nothing was scored" in said
        yield started


def archive(answer: list[float], **more: Any) -> bytes:
    return model_archive(json.dumps(answer), **more)


def models(environment: Environment) -> set[str]:
    """Return the releases whose models are there."""
    found = environment.client("sagemaker").list_models()["Models"]
    return {m["ModelName"].removeprefix("scones-local-classifier-")[:-9] for m in found}


def edit_releases(environment: Environment, **changes: Any) -> None:
    """Change the release file by hand, as a pull request does; None removes a release."""
    body = json.loads(environment.release_file.read_text())
    body["active_release"] = changes.pop("active")
    releases = {**body["releases"], **changes}
    body["releases"] = {name: value for name, value in releases.items() if value is not None}
    environment.release_file.write_text(json.dumps(body))


def leave_orphans(environment: Environment) -> set[str]:
    """Make what Terraform does not know, its own and another environment's; return the latter."""
    sagemaker = environment.client("sagemaker")
    role = f"arn:aws:iam::{ACCOUNT}:role/scones-local-training"
    left = set()
    for name, owner in (("by-hand", "local"), ("scones-local-2-notebook", "local-2")):
        tags = {"Project": "scones", "Environment": owner}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        sagemaker.create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=role, Tags=listed
        )
        environment.client("logs").create_log_group(logGroupName=f"/own/{name}", tags=tags)
        bucket = f"{name}-bucket"
        environment.client("s3").create_bucket(Bucket=bucket)
        environment.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": listed})
        environment.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
        if owner != "local":
            left = {name, f"/own/{name}", bucket, "scones-local-terraform-state"}
    return left


def everything(environment: Environment) -> set[str]:
    """Return the names of all that can outlive an environment, in the whole account."""
    sagemaker, logs = environment.client("sagemaker"), environment.client("logs")
    return {
        *(e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]),
        *(c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        *(m["ModelName"] for m in sagemaker.list_models()["Models"]),
        *(
            n["NotebookInstanceName"]
            for n in sagemaker.list_notebook_instances()["NotebookInstances"]
        ),
        *(g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]),
        *(b["Name"] for b in environment.client("s3").list_buckets()["Buckets"]),
        *(f["FunctionName"] for f in environment.client("lambda").list_functions()["Functions"]),
        *(r["RoleName"] for r in environment.client("iam").list_roles()["Roles"]),
        *(
            a["AlarmName"]
            for a in environment.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ),
    }


def compared(environment: Environment) -> None:
    """Assert that the shadow's captured answer is held against the one that served."""
    deadline = time.monotonic() + 60
    while (ended := environment.inv("report", "--shadow")).code:
        assert time.monotonic() < deadline, ended
        assert "No image was answered by both" in ended.err or "no captured" in ended.err.lower()
    assert "images answered by both releases: 1; they agree on 0.0%" in ended.out


@pytest.mark.slow
def test_releases_come_go_back_and_fail_without_an_outage(own: Environment) -> None:
    first = own.release("first", archive(BICYCLE))
    assert "known images answered as in training: 1" in own.done("apply")
    made = own.serving()["CreationTime"]

    second = own.release("second", archive(MOTORCYCLE, threshold=0.6))
    assert " 0 to destroy" in own.done("plan")
    own.done("apply")
    assert own.answer() == MOTORCYCLE
    assert own.serving()["CreationTime"] == made, "the endpoint was replaced, not updated"

    # Back to the first release, and the second beside it as a shadow in the same apply.
    own.done("release", "--activate", first)
    before = own.variables.read_text()
    own.variables.write_text(f'{before}\nshadow_release = "{second}"\n')
    own.done("apply")
    assert "No changes" in own.done("plan")
    assert models(own) == {first, second}
    assert own.answer(InferenceId="compared") == BICYCLE
    compared(own)
    own.variables.write_text(before)

    # A model that does not answer as it did in training.
    third = own.release("third", archive(MOTORCYCLE, known=json.dumps(BICYCLE)))
    own.inv("apply").says(
        "known image 1 of 1 is answered [0.20000, 0.80000] by scones-local-classifier",
        "and should be [0.90000, 0.10000]",
        f"`inv release --env local --activate {second}`",
    )

    # A model that cannot be served: the earlier one goes on serving, and nothing is deleted.
    body = json.loads(own.release_file.read_text())["releases"][first]
    edit_releases(own, active="bad", bad={**body, "environment": {"FAIL": "1"}})
    failed = own.inv("apply")
    assert failed.code == 1
    assert "SageMaker rolled the endpoint back" in " ".join(failed.err.split())
    assert own.serving()["EndpointStatus"] == "InService"
    assert own.answer() == MOTORCYCLE
    assert models(own) == {first, second, third, "bad"}

    # The revert takes the bad release away, and that alone.
    edit_releases(own, active=first, bad=None)
    assert "2 to destroy" in own.done("apply")
    assert own.answer() == BICYCLE
    assert models(own) == {first, second, third}

    # What bills by the hour is stopped, and an apply brings it back as it was.
    assert "endpoint scones-local-classifier is stopped" in own.done("stop")
    assert own.client("sagemaker").list_endpoints()["Endpoints"] == []
    own.done("apply")
    assert own.answer() == BICYCLE

    others = leave_orphans(own)
    own.inv("nuke").says("Nobody is there to confirm that")
    said = own.done("nuke", "--yes")
    assert "cancel-key-deletion" in said
    assert everything(own) == others
