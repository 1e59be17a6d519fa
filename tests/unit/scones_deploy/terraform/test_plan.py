from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import DeployError, TerraformError
from scones_deploy.terraform.plan import (
    PROTECTED,
    Plan,
    parse_plan,
    protect,
    require_artifacts,
    require_empty_buckets,
)


def resource(kind: str, *actions: str, mode: str = "managed") -> dict[str, Any]:
    return {
        "address": f"module.x.{kind}.this",
        "type": kind,
        "mode": mode,
        "change": {"actions": list(actions)},
    }


def plan(*changes: dict[str, Any]) -> Plan:
    return parse_plan(Path("p"), {"resource_changes": list(changes)}, has_changes=True)


def test_actions_are_counted_as_terraform_counts_them() -> None:
    made = plan(
        resource("a", "create"),
        resource("b", "update"),
        resource("c", "delete"),
        resource("d", "delete", "create"),
        resource("e", "create", "delete"),
        resource("f", "no-op"),
        resource("g", "read", mode="data"),
    )
    assert (made.add, made.change, made.destroy) == (3, 1, 3)
    assert [c.type for c in made.changes] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("kind", PROTECTED)
@pytest.mark.parametrize(
    "actions",
    [["delete"], ["delete", "create"], ["create", "delete"], ["forget"], ["create", "forget"]],
)
def test_what_cannot_be_rebuilt_is_not_destroyed_unasked(kind: str, actions: list[str]) -> None:
    made = plan(resource(kind, *actions))
    with pytest.raises(DeployError, match=rf"module\.x\.{kind}\.this"):
        protect(made, allow_destroy=False)
    protect(made, allow_destroy=True)


@pytest.mark.parametrize("kind", PROTECTED)
def test_what_an_interrupted_apply_left_half_made_may_be_replaced(kind: str) -> None:
    half = {**resource(kind, "delete", "create"), "action_reason": "replace_because_tainted"}
    protect(plan(half), allow_destroy=False)
    changed = {
        **resource(kind, "delete", "create"),
        "action_reason": "replace_because_cannot_update",
    }
    with pytest.raises(DeployError, match=rf"module\.x\.{kind}\.this"):
        protect(plan(half, changed), allow_destroy=False)


def test_a_rename_without_a_moved_block_is_a_loss_and_one_with_it_is_none() -> None:
    old, new = resource("aws_s3_bucket", "delete"), resource("aws_s3_bucket", "create")
    new["address"] = "module.renamed.aws_s3_bucket.this"
    with pytest.raises(DeployError, match="`moved` block"):
        protect(plan(old, new), allow_destroy=False)
    moved = {**resource("aws_s3_bucket", "no-op"), "previous_address": "module.x.aws_s3_bucket.y"}
    protect(plan(moved), allow_destroy=False)


def test_what_an_earlier_apply_left_over_is_lost_like_any_other() -> None:
    deposed = {**resource("aws_sagemaker_endpoint", "delete"), "deposed": "ab12"}
    with pytest.raises(DeployError, match="aws_sagemaker_endpoint"):
        protect(plan(deposed), allow_destroy=False)


def test_everything_else_passes() -> None:
    protect(
        plan(
            resource("aws_s3_bucket", "update"),
            resource("aws_kms_key", "create"),
            resource("aws_sagemaker_endpoint_configuration", "delete", "create"),
            resource("aws_s3_bucket_policy", "delete"),
        ),
        allow_destroy=False,
    )


@pytest.mark.parametrize("body", [{"resource_changes": [{}]}, {"resource_changes": 3}, []])
def test_another_format_is_an_error(body: Any) -> None:
    with pytest.raises(TerraformError, match="plan again"):
        parse_plan(Path("p"), body, has_changes=True)


def bucket(name: str, *, force_destroy: bool, action: str = "delete") -> dict[str, Any]:
    change = resource("aws_s3_bucket", action)
    change["change"]["before"] = {"bucket": name, "force_destroy": force_destroy}
    return change


@mock_aws
def test_a_bucket_that_would_be_left_over_stops_a_destroy_before_it_begins() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    for name in ("full", "empty", "emptied-by-terraform", "stays"):
        s3.create_bucket(Bucket=name)
    for name in ("full", "emptied-by-terraform", "stays"):
        s3.put_object(Bucket=name, Key="k", Body=b"")
    harmless = [
        bucket("empty", force_destroy=False),
        bucket("emptied-by-terraform", force_destroy=True),
        bucket("stays", force_destroy=False, action="update"),
        bucket("gone-already", force_destroy=False),
    ]
    require_empty_buckets(plan(*harmless), s3)
    with pytest.raises(DeployError, match=r"buckets full hold objects.*force_destroy = true"):
        require_empty_buckets(plan(*harmless, bucket("full", force_destroy=False)), s3)


@mock_aws
def test_a_deleted_object_that_a_version_keeps_counts_as_held() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="versioned", Key="k", Body=b"")
    s3.delete_object(Bucket="versioned", Key="k")
    with pytest.raises(DeployError, match="versioned"):
        require_empty_buckets(plan(bucket("versioned", force_destroy=False)), s3)


def model(name: str, artifact: str, *actions: str) -> dict[str, Any]:
    change = resource("aws_sagemaker_model", *actions)
    container = {"image": "i", "model_data_url": artifact}
    after = {"primary_container": [container]} if "create" in actions else None
    change["address"] = f"module.{name}.aws_sagemaker_model.this"
    change["change"]["after"] = after
    return change


@mock_aws
def test_a_model_whose_artifact_is_gone_is_not_deployed() -> None:
    s3, variables = boto3.client("s3", region_name="us-east-1"), Path("env.tfvars")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="model/there.tar.gz", Body=b"")
    there = model("endpoint", "s3://artifacts/model/there.tar.gz", "create")
    going = model("old", "s3://artifacts/model/old.tar.gz", "delete")
    require_artifacts(plan(there, going, resource("aws_s3_bucket", "create")), s3, variables)
    for lost in ("s3://artifacts/model/gone.tar.gz", "s3://purged/model.tar.gz"):
        with pytest.raises(DeployError, match=rf"module.demand\S+ is made of {lost}.*env.tfvars"):
            require_artifacts(plan(there, model("demand", lost, "create")), s3, variables)
