"""An environment's life against the embedded AWS: first release, update, rollback, failures."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.environments.checkout import Ended
from tests.support.environments.environment import (
    ACCOUNT,
    BICYCLE,
    MOTORCYCLE,
    PNG,
    UNSURE,
    Environment,
    model_archive,
)
from tests.support.runbooks.rehearsal import Rehearsal

ENDPOINT = "scones-local-classifier"
NO_WAIT, CANARY = (
    "  bake_seconds        = 0\n",
    "  bake_seconds        = 300\n  max_latency_ms      = 1000\n",
)


@pytest.fixture
def own(applied: Path, tmp_path: Path) -> Iterator[Environment]:
    """An environment that this test alone changes, applied without an endpoint."""
    started = Environment.copy(applied, tmp_path / "checkout")
    with started.aws:
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


def ask(environment: Environment) -> None:
    """Send the endpoint requests at once, as its users do; a fault is theirs to bear."""

    def once(_: int) -> None:
        with contextlib.suppress(ClientError):
            environment.answer()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(4)))


def classify(environment: Environment) -> None:
    """Send as many images through the workflow as the alarm on confidence needs."""
    bucket = f"scones-local-data-{ACCOUNT}"
    environment.client("s3").put_object(Bucket=bucket, Key="i.png", Body=PNG)
    states = environment.client("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=states.list_state_machines()["stateMachines"][0]["stateMachineArn"],
        input=json.dumps({"images": [{"bucket": bucket, "key": "i.png"}] * 20}),
    )["executionArn"]
    until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")


def until(holds: Callable[[], bool], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)


def taken_back(environment: Environment, send: Callable[[Environment], None]) -> str:
    """Send traffic while the update that runs bakes, and return why it was taken back.

    A canary has half the traffic, so that it may take a few minutes until an alarm has seen it.
    """
    until(lambda: environment.update_status() == "Baking")
    while environment.serving()["EndpointStatus"] == "Updating":
        send(environment)
        environment.clock.advance(61)
    until(lambda: environment.serving()["EndpointStatus"] == "InService")
    reason: str = environment.serving()["FailureReason"]
    return reason


def quiet(environment: Environment, *more: str) -> None:
    """Let the time pass until no alarm is on: an update with one that is on is taken back."""
    rollback = environment.serving()["LastDeploymentConfig"]["AutoRollbackConfiguration"]
    guards = [*more, *(alarm["AlarmName"] for alarm in rollback["Alarms"])]
    describe = environment.client("cloudwatch").describe_alarms
    for _ in range(10):
        if "ALARM" not in {a["StateValue"] for a in describe(AlarmNames=guards)["MetricAlarms"]}:
            return
        environment.clock.advance(61)
    pytest.fail(f"one of {guards} stays on")


def canary_to(environment: Environment, release: str) -> None:
    """Update the endpoint to a release that Terraform has made, with the rollout it was given."""
    sagemaker = environment.client("sagemaker")
    named = sagemaker.list_endpoint_configs(NameContains=f"{ENDPOINT}-{release}-")
    sagemaker.update_endpoint(
        EndpointName=ENDPOINT,
        EndpointConfigName=named["EndpointConfigs"][0]["EndpointConfigName"],
        DeploymentConfig=environment.serving()["LastDeploymentConfig"],
    )


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
def test_an_endpoint_whose_alarm_stays_raised_is_updated_without_that_alarm(
    own: Environment,
) -> None:
    first = own.release("first", archive(BICYCLE))
    own.done("apply")
    made = own.serving()["CreationTime"]
    body = json.loads(own.release_file.read_text())["releases"][first]
    edit_releases(own, active="faulty", faulty={**body, "environment": {"STATUS": "500"}})
    own.inv("apply").says("golden sample 1 of 1")
    own.done("rollback", first)

    def applied_under_fire(*flags: str) -> Ended:
        """Apply while the endpoint's users go on asking, so that the alarm stays raised."""
        ask(own)
        own.clock.advance(61)
        with own.checkout.running("apply", *flags) as apply:
            while not apply.has_ended:
                ask(own)
            return apply.end(timeout=900)

    applied_under_fire().says(f"has raised {ENDPOINT}-5xx", "inv apply --ignore-raised-alarms")
    done = applied_under_fire("--ignore-raised-alarms")
    assert done.code == 0, done
    assert f"Rolls nothing back this time: {ENDPOINT}-5xx" in done.out + done.err
    assert own.answer() == BICYCLE
    assert own.serving()["CreationTime"] == made, "the endpoint was replaced, not updated"
    quiet(own, f"{ENDPOINT}-5xx")
    again = own.done("plan")
    assert "1 to add, 1 to change, 1 to destroy" in again, "the alarm is not watched again"
    own.done("apply")
    assert own.serving()["CreationTime"] == made, "the endpoint was replaced, not updated"
    assert "No changes" in own.done("plan")


@pytest.mark.slow
def test_releases_come_go_back_and_fail_without_an_outage(own: Environment) -> None:
    first = own.release("first", archive(BICYCLE))
    assert "golden samples answered as in training: 1" in own.done("apply")
    made = own.serving()["CreationTime"]

    second = own.release("second", archive(MOTORCYCLE, threshold=0.6))
    assert " 0 to destroy" in own.done("plan")
    own.done("apply")
    assert own.answer() == MOTORCYCLE
    assert own.serving()["CreationTime"] == made, "the endpoint was replaced, not updated"

    # Back to the first release, and the second next to it as a shadow in the same apply.
    own.done("rollback", first)
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
        "golden sample 1 of 1 is answered [0.20000, 0.80000] by scones-local-classifier",
        "and should be [0.90000, 0.10000]",
        f"`inv rollback {second} --env local`",
    )

    # Canaries that an alarm sees: the earlier one goes on serving, and nothing is deleted.
    body = {**json.loads(own.release_file.read_text())["releases"][first], "instance_count": 2}
    bad = {
        "faulty": {**body, "environment": {"STATUS": "500"}},
        "slow": {**body, "environment": {"SECONDS": "1.5"}},
        "unsure": {**body, "model_data_url": own.upload("unsure", archive(UNSURE))},
    }
    edit_releases(own, active="faulty", **bad)
    own.variables.write_text(before.replace(NO_WAIT, CANARY))
    with own.checkout.running("apply") as apply:
        until(lambda: apply.has_ended or own.serving()["EndpointStatus"] == "Updating")
        assert not apply.has_ended, apply.end(timeout=10)
        assert f"{ENDPOINT}-5xx in state ALARM" in taken_back(own, ask)
        failed = apply.end(timeout=900)
    failed.says("The earlier release serves, and nothing was deleted", "failed-rollout.md")
    assert own.answer() == MOTORCYCLE
    assert models(own) == {first, second, third, *bad}
    for release, send, alarm in (("slow", ask, "latency"), ("unsure", classify, "low-confidence")):
        quiet(own)
        canary_to(own, release)
        assert f"{ENDPOINT}-{alarm} in state ALARM" in taken_back(own, send)
        assert own.answer() == MOTORCYCLE

    # As the runbook says; then a revert takes the bad releases away, and these alone. An endpoint
    # that was stopped, as it bills by the hour, comes back by the same apply.
    quiet(own)
    own.variables.write_text(before)
    done = Rehearsal(own, release=first).run("failed-rollout")
    assert done.codes == [
        ("verify", 1),
        ("rollback", 0),
        ("plan", 0),
        ("apply", 0),
        ("verify", 0),
        ("plan", 0),
    ]
    assert own.answer() == BICYCLE
    assert models(own) == {first, second, third, *bad}
    edit_releases(own, active=first, **dict.fromkeys(bad))
    assert f"endpoint {ENDPOINT} is being stopped" in own.done("pause")
    assert own.client("sagemaker").list_endpoints()["Endpoints"] == []
    assert "6 to destroy" in own.done("apply")
    assert own.answer() == BICYCLE
    assert models(own) == {first, second, third}

    others = leave_orphans(own)
    own.inv("purge").says("pass --yes")
    key = own.client("kms").describe_key(KeyId="alias/scones-local")["KeyMetadata"]["KeyId"]
    done = Rehearsal(own, key=key).run("tear-down")
    assert done.codes == [("pause", 0), ("destroy", 0), ("purge", 0)]
    assert "cancel-key-deletion" in done.said("purge")
    assert everything(own) == others
    assert own.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
