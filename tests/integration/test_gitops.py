"""A change's whole way: proposed, planned, merged, applied, found altered, taken back.

All of it is done with the roles that GitHub's jobs take, as `terraform/bootstrap` makes them.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT
from scones_train.sagemaker.model_package import APPROVED, PENDING, Training, package_request
from tests.support.environments.checkout import copy_checkout
from tests.support.environments.environment import BICYCLE, model_archive, stand_ins
from tests.support.environments.repository import Repository

LOG_GROUP = "/aws/lambda/scones-dev-filter-inferences"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:0.1.0"
ARTIFACTS = f"scones-dev-artifacts-{ACCOUNT}"
MODEL = f"s3://{ARTIFACTS}/model/any/output/model.tar.gz"
SERVED = f"""
serving = {{
  additional_modes = ["async"]
  async            = {{ autoscaling = {{ min = 0, max = 2, target = 5 }} }}
}}
limits = {{ function_concurrency = 5 }}
monitoring = {{ image = "{IMAGE}" }}
retraining = {{ training_image = "{IMAGE}", schedule = {{ expression = "cron(0 0 1 1 ? 2199)" }} }}
demand = {{
  model    = {{ image = "{IMAGE}", model_data_url = "{MODEL}" }}
  schedule = {{ expression = "cron(0 0 1 1 ? 2199)" }}
}}
"""
# What the embedded AWS asks no role for, or what the rehearsal has no part in.
NOT_EXERCISED = {
    "DeliverLogs": "log deliveries belong to the account and are not made here",
    "GrantKeyToServices": "services take a key without a grant here",
    "LinkScalingRole": "the account's role for scaling is not made here",
    "PromoteModels": "promotion is to another environment, whose roles these are not",
}


def retention(repository: Repository) -> int:
    groups = repository.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)
    days: int = groups["logGroups"][0]["retentionInDays"]
    return days


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    checkout = copy_checkout(tmp_path / "checkout")
    with LocalAws.start(tmp_path / "aws", 0, stand_ins()) as local:
        yield Repository.create(checkout, local)


@pytest.mark.slow
def test_a_change_is_planned_merged_applied_watched_and_reverted(repository: Repository) -> None:
    assert repository.inv("build").code == 0
    assert re.match(r"### dev: \d+ to add, 0 to change, 0 to destroy\n", repository.plan())
    repository.applied()
    assert retention(repository) == 30

    repository.propose("log_days          = 30", "log_days          = 14")
    comment = repository.plan()
    assert re.search(r" 0 to add, \d to change, 0 to destroy", comment)
    assert "retention_in_days" in comment
    planner = repository.client("logs", role="plan")
    with pytest.raises(ClientError, match="not authorized to perform: logs:PutRetentionPolicy"):
        planner.put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=14)
    repository.git("switch", "--quiet", "main")
    repository.apply().says("made from another configuration", "Plan again")
    repository.git("switch", "--quiet", "branch-14")
    repository.merge()
    repository.applied()
    assert retention(repository) == 14

    assert repository.inv("drift", "--env", "dev").code == 0
    repository.client("logs").put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=3)
    found = repository.inv("drift", "--env", "dev", "--summary", "summary/drift.md")
    assert found.code == 2, found
    drift = (repository.checkout.root / "summary" / "drift.md").read_text()
    assert drift.startswith("### dev: 0 to add, 1 to change, 0 to destroy")
    assert retention(repository) == 3

    repository.git("revert", "--no-edit", "--mainline", "1", "HEAD")
    assert re.search(r" 0 to add, \d to change, 0 to destroy", repository.plan())
    serve_and_take_down(repository)
    superfluous = [use["sid"] for use in uses(repository) if not use["alone"]]
    assert sorted(set(superfluous)) == sorted(NOT_EXERCISED)


def serve_and_take_down(repository: Repository) -> None:
    """Have all that an environment can have, and then nothing any more, with the apply role.

    The same apply takes back what the last commit reverted.
    """
    repository.release(model_archive(str(BICYCLE)))
    repository.add(SERVED)
    repository.edit("alarms = {", 'alarms = {\n  email = "team@example.com"')
    repository.plan()
    assert "golden samples answered as in training" in repository.applied()
    assert retention(repository) == 30
    assert not beyond_the_boundary(repository)
    tag_keys(repository)
    release_a_proposal(repository)
    gone = repository.inv("destroy", "--env", "dev", "--yes", role="apply")
    assert gone.code == 0, gone.out[-4000:] + gone.err[-4000:]


def tag_keys(repository: Repository) -> None:
    """Tag the environment's key once more, and try to take another's key by tags, as its own."""
    everybody, applier = repository.client("kms"), repository.client("kms", role="apply")
    aliases = {each["AliasName"]: each for each in everybody.list_aliases()["Aliases"]}
    own = aliases["alias/scones-dev"]["TargetKeyId"]
    given = {"Project": "scones", "Environment": "dev"}
    tags = [{"TagKey": key, "TagValue": value} for key, value in given.items()]
    applier.tag_resource(KeyId=own, Tags=tags)
    other = everybody.create_key()["KeyMetadata"]["KeyId"]
    everybody.create_alias(AliasName="alias/payroll", TargetKeyId=other)
    with pytest.raises(ClientError, match="not authorized to perform: kms:TagResource"):
        applier.tag_resource(KeyId=other, Tags=tags)


def beyond_the_boundary(repository: Repository) -> list[tuple[str, str, str]]:
    """Return what the roles that Terraform made are allowed and the boundary does not allow."""
    iam, arn = repository.client("iam"), repository.bootstrap.outputs["permissions_boundary_arn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    bounds = [pair for statement in document["Statement"] for pair in pairs(statement)]
    found, roles = [], [role for role in iam.list_roles()["Roles"] if role["Path"] == "/"]
    for name in (role["RoleName"] for role in roles):
        bounded = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]
        assert bounded["PermissionsBoundaryArn"] == arn, name
        policy = iam.get_role_policy(RoleName=name, PolicyName="access")["PolicyDocument"]
        for action, resource in (pair for each in policy["Statement"] for pair in pairs(each)):
            if not any(action == a and fnmatchcase(resource, r) for a, r in bounds):
                found.append((name, action, resource))
    assert roles
    return found


def pairs(statement: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each action of a statement with each of its resources."""
    named = (statement[key] for key in ("Action", "Resource"))
    return [*product(*([each] if isinstance(each, str) else each for each in named))]


def release_a_proposal(repository: Repository) -> None:
    """Have the apply role release what a retraining proposes, as far as the gate lets it."""
    training = Training("job-2", IMAGE, MODEL, {}, "v", "h", "", data_source="folder")
    sagemaker = repository.client("sagemaker")
    candidate = sagemaker.create_model_package(
        **package_request("scones-dev-candidates", training)
    )["ModelPackageArn"]
    proposal = {"schema": 1, "run": "run-1", "reason": "the schedule", "candidate": candidate}
    repository.client("s3").put_object(
        Bucket=ARTIFACTS,
        Key="retraining/proposals/run-1.json",
        Body=json.dumps({**proposal, "new_images": 1, "test_images": 1, "figures": {}}).encode(),
    )
    # The stand-in has no model that the gate could judge; what it refuses is not approved.
    ended = repository.inv("release", "--env", "dev", "--proposed", role="apply")
    ended.says("model.onnx")
    found = sagemaker.describe_model_package(ModelPackageName=candidate)
    assert found["ModelApprovalStatus"] == PENDING
    # So the role's right to approve is used by itself.
    repository.client("sagemaker", role="apply").update_model_package(
        ModelPackageArn=candidate, ModelApprovalStatus=APPROVED
    )


def uses(repository: Repository) -> list[dict[str, Any]]:
    """Return what became of each statement of the apply role, which has the plan role's too."""
    role = repository.bootstrap.outputs["apply_role_arn"]
    return [use for use in repository.local.access() if use["role"] == role]
