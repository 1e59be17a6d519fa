"""What is stopped and removed is the environment's own: tags decide, never a name alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import DeployError
from scones_deploy.pause import running, stop
from scones_deploy.removal import (
    Arn,
    Owner,
    empty_bucket,
    empty_repository,
    in_order,
    list_remaining,
    remove,
    remove_roles,
)

DEV = Owner("scones", "dev")
ROLE = "arn:aws:iam::123456789012:role/any"


def tags(project: str = "scones", environment: str = "dev") -> list[dict[str, str]]:
    return [
        {"Key": "Project", "Value": project},
        {"Key": "Environment", "Value": environment},
        {"Key": "Other", "Value": "x"},
    ]


# Whose each resource is, by its name here: only the first two are this environment's.
OWNERS = {
    "scones-dev-own": tags(),
    "by-hand": tags(),
    "scones-dev-2-other": tags(environment="dev-2"),
    "scones-dev-theirs": tags(project="scones-two"),
    "scones-dev-untagged": [],
}
OWN, OTHERS = {"scones-dev-own", "by-hand"}, set(list(OWNERS)[2:])


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def client(service: str) -> Any:
        return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]

    with mock_aws():
        yield client


def notebooks(clients: Any) -> dict[str, str]:
    found = clients("sagemaker").list_notebook_instances()["NotebookInstances"]
    return {n["NotebookInstanceName"]: n["NotebookInstanceStatus"] for n in found}


def endpoints(clients: Any) -> set[str]:
    return {e["EndpointName"] for e in clients("sagemaker").list_endpoints()["Endpoints"]}


def make_running(clients: Any) -> None:
    sagemaker = clients("sagemaker")
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
    )
    for name, owner in OWNERS.items():
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="c", Tags=owner)
        sagemaker.create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE, Tags=owner
        )


def test_only_the_environments_own_endpoints_and_notebooks_are_stopped(clients: Any) -> None:
    make_running(clients)
    found = running(clients("sagemaker"), DEV)
    assert {(r.kind.label, r.name) for r in found} == {
        (kind, name) for kind in ("endpoint", "notebook") for name in OWN
    }
    for item in found:
        stop(clients("sagemaker"), item)
    assert endpoints(clients) == OTHERS
    states = notebooks(clients)
    assert {name for name, state in states.items() if state == "Stopped"} == OWN
    assert running(clients("sagemaker"), DEV) == []


def make_rest(clients: Any) -> None:
    for name, owner in OWNERS.items():
        clients("logs").create_log_group(
            logGroupName=f"/aws/{name}", tags={t["Key"]: t["Value"] for t in owner}
        )
        s3 = clients("s3")
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if owner:
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": owner})
        s3.put_object(Bucket=name, Key="k", Body=b"1")
        s3.delete_object(Bucket=name, Key="k")
        clients("kms").create_key(
            Tags=[{"TagKey": t["Key"], "TagValue": t["Value"]} for t in owner]
        )


def test_orphans_are_removed_by_tag_and_others_stay(clients: Any) -> None:
    make_running(clients)
    make_rest(clients)
    arns = DEV.tagged_arns(clients("resourcegroupstaggingapi"))
    for arn in in_order(arns):
        remove(clients, arn)
    assert endpoints(clients) == OTHERS
    groups = clients("logs").describe_log_groups()["logGroups"]
    assert {g["logGroupName"].removeprefix("/aws/") for g in groups} == OTHERS
    assert {b["Name"] for b in clients("s3").list_buckets()["Buckets"]} == OTHERS
    keys = [k["KeyId"] for k in clients("kms").list_keys()["Keys"]]
    states = [clients("kms").describe_key(KeyId=k)["KeyMetadata"]["KeyState"] for k in keys]
    assert states.count("PendingDeletion") == 2
    assert states.count("Enabled") == 3
    left = list_remaining(clients, [arn for arn in arns if ":kms:" in arn])
    assert len(left) == 2
    assert all("cancel-key-deletion" in line for line in left)


def test_a_notebook_is_stopped_before_it_is_deleted(clients: Any) -> None:
    make_running(clients)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/by-hand"
    assert remove(clients, Arn.parse(arn))
    assert "by-hand" not in notebooks(clients)


def test_what_is_gone_already_is_no_error(clients: Any) -> None:
    for arn in (
        "arn:aws:s3:::none",
        "arn:aws:logs:us-east-1:123456789012:log-group:/none",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/none",
        "arn:aws:lambda:us-east-1:123456789012:function:none",
    ):
        assert not remove(clients, Arn.parse(arn))


def test_what_uses_goes_before_what_is_used() -> None:
    kinds = ["kms:::key/1", "s3:::b", "sagemaker:r:a:model/m", "sagemaker:r:a:endpoint/e"]
    arns = ["arn:aws:kms:r:a:key/1", "arn:aws:s3:::b", *(f"arn:aws:{k}" for k in kinds[2:])]
    assert [arn.name for arn in in_order([*arns, "arn:aws:glue:r:a:table/t"])] == [
        "e",
        "m",
        "b",
        "1",
    ]


def test_an_arn_is_taken_apart() -> None:
    for text, parts in {
        "arn:aws:s3:::b": ("s3", "", "b"),
        "arn:aws:logs:r:1:log-group:/aws/x:*": ("logs", "log-group", "/aws/x"),
        "arn:aws:sagemaker:r:1:endpoint-config/c": ("sagemaker", "endpoint-config", "c"),
        "arn:aws:states:r:1:stateMachine:m": ("states", "stateMachine", "m"),
        "arn:aws:sns:r:1:topic": ("sns", "", "topic"),
    }.items():
        arn = Arn.parse(text)
        assert (arn.service, arn.kind, arn.name) == parts


def test_roles_of_the_environment_go_and_those_that_deploy_it_stay(clients: Any) -> None:
    iam = clients("iam")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name, owner in OWNERS.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=owner)
    iam.create_role(
        RoleName="scones-dev-apply", Path="/ci/", AssumeRolePolicyDocument=trust, Tags=tags()
    )
    iam.put_role_policy(RoleName="scones-dev-own", PolicyName="p", PolicyDocument=trust)
    assert remove_roles(iam, DEV) == ["scones-dev-own"]
    left = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    assert left == set(OWNERS) - {"scones-dev-own"} | {"scones-dev-apply"}


def test_a_bucket_is_emptied_of_every_version(clients: Any) -> None:
    make_rest(clients)
    assert empty_bucket(clients("s3"), "by-hand") == 2
    clients("s3").delete_bucket(Bucket="by-hand")


def test_a_repository_is_emptied(clients: Any) -> None:
    ecr = clients("ecr")
    ecr.create_repository(repositoryName="rr")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config = {"mediaType": "application/json", "size": 1, "digest": f"sha256:{'0' * 64}"}
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}
    ecr.put_image(repositoryName="rr", imageManifest=json.dumps(manifest), imageTag="1")
    assert empty_repository(ecr, "rr") == 1
    assert empty_repository(ecr, "rr") == 0


def test_the_owner_is_read_from_the_environments_variables(tmp_path: Path) -> None:
    file = tmp_path / "env.tfvars"
    file.write_text('# project = "no"\n  project = "fleet"\nregion = "us-east-1"\n')
    assert Owner.of(file, "dev") == Owner("fleet", "dev")
    file.write_text('environment = "dev"\n')
    assert Owner.of(file, "dev") == Owner("scones", "dev")
    with pytest.raises(DeployError, match=r"none\.tfvars"):
        Owner.of(tmp_path / "none.tfvars", "dev")


def test_a_bucket_of_more_versions_than_a_page_is_emptied(clients: Any) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket="many")
    s3.put_bucket_versioning(Bucket="many", VersioningConfiguration={"Status": "Enabled"})
    for number in range(1204):
        s3.put_object(Bucket="many", Key=f"dataset/{number:04}.png", Body=b"x")
    assert empty_bucket(s3, "many") == 1204
    assert "Versions" not in s3.list_object_versions(Bucket="many")
    s3.delete_bucket(Bucket="many")
