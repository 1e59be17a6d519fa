"""No statement and no action is superfluous: without it, what it is for no longer works.

Each statement of each policy, of the roles and of the resources, is taken away in turn, the
shortest piece of the workflow that needs it is run against the embedded AWS, and the policy is put
back.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.environments.environment import PNG, Environment
from tests.support.permissions.probes import Probes
from tests.support.permissions.resource_probes import BUCKETS, ResourceProbes, bucket_name
from tests.support.permissions.resource_probes import without as less
from tests.support.permissions.workflow_probes import DATA, PREFIX, ROLES

# What the embedded AWS does not do with a role, and why AWS needs the statement all the same.
NOT_EXERCISED = {
    ("serialize_image", "Trace"): "no traces are sent here",
    ("classify_image", "Trace"): "no traces are sent here",
    ("filter_inferences", "Trace"): "no traces are sent here",
    ("classify_batch", "Trace"): "no traces are sent here",
    ("record_results", "Trace"): "no traces are sent here",
    ("collect_inbox", "Trace"): "no traces are sent here",
    ("workflow", "Trace"): "no traces are sent here",
    ("workflow", "StopBatches"): "a Map Run ends its children by itself here",
    ("filter_inferences", "ReadEncrypted"): "variables are decrypted by the grant that Lambda "
    "makes for a role; the statement serves a role that was recreated",
    ("workflow", "DeliverLogs"): "log deliveries belong to the account and are not made here",
    ("endpoint", "EncryptVolumes"): "instances have no volumes here",
    ("endpoint", "PutMetrics"): "metrics of instances are not made here",
    ("training", "EncryptVolumes"): "instances have no volumes here",
    ("training", "PutMetrics"): "metrics of instances are not made here",
    ("off_hours", "EncryptVolumes"): "instances have no volumes here",
    (
        "off_hours",
        "TagEndpoint",
    ): "tags that come with a creation are not decided for themselves here",
    ("off_hours", "UseKey"): "the input of a schedule and the queue are not encrypted here",
    ("report_machine", "Trace"): "no traces are sent here",
    ("report_machine", "DeliverLogs"): "log deliveries belong to the account and are not made here",
    **{
        (f"{name}_machine", "FollowJobs"): "a job's end is followed without a rule here"
        for name in ("report", "retrain", "demand")
    },
    ("report_jobs", "EncryptVolumes"): "instances have no volumes here",
    ("report_jobs", "PutMetrics"): "metrics of instances are not made here",
    ("report_starter", "UseKey"): "the input of a schedule is not encrypted here",
    ("retrain_machine", "Trace"): "no traces are sent here",
    ("retrain_machine", "DeliverLogs"): "log deliveries belong to the account and are not made "
    "here",
    ("retrain_jobs", "EncryptVolumes"): "instances have no volumes here",
    ("retrain_jobs", "PutMetrics"): "metrics of instances are not made here",
    ("retrain_starter", "UseKey"): "the input of a schedule is not encrypted here",
    ("demand_machine", "Trace"): "no traces are sent here",
    ("demand_machine", "DeliverLogs"): "log deliveries belong to the account and are not made here",
    ("demand_jobs", "EncryptVolumes"): "instances have no volumes here",
    ("demand_jobs", "PutMetrics"): "metrics of instances are not made here",
    ("demand_starter", "UseKey"): "the input of a schedule is not encrypted here",
}
# The same of the policies on resources.
NOT_EXERCISED_ON_RESOURCES = {
    ("key", "BudgetPublishes"): "no bills come here, so that no budget notifies anybody",
    ("topic", "BudgetPublishes"): "no bills come here, so that no budget notifies anybody",
}
# Single actions that no probe needs, of statements that one needs: why AWS needs each, and where.
NEVER_ASKED = {
    "logs:DescribeLogStreams": (
        "SageMaker's agent looks for its stream first; here the line is written at once",
        {
            *(("endpoint", "Log"), ("training", "Log")),
            *((f"{name}_jobs", "WriteLogs") for name in ("report", "retrain", "demand")),
        },
    ),
    "s3:AbortMultipartUpload": (
        "an upload in parts that fails is ended by it, and none fails here",
        {
            *(("report_jobs", "WriteReport"), ("demand_jobs", "WriteForecasts")),
            *(("retrain_jobs", "WriteDataset"), ("retrain_jobs", "WriteResults")),
            *(("training", "WriteModels"), ("training", "KeepCheckpoints")),
            ("workflow", "WriteMapRuns"),
        },
    ),
    "s3:ListMultipartUploadParts": (
        "a large result of a Map Run is written in parts",
        {("workflow", "WriteMapRuns")},
    ),
    "s3:GetObjectVersion": (
        "an image of an event has a version, and the probe's manifest names none",
        {("classify_batch", "ReadImages")},
    ),
    "dynamodb:BatchGetItem": (
        "rows are read again where a delivery is repeated, and the probes deliver once",
        {("classify_batch", "WriteRows"), ("record_results", "WriteRows")},
    ),
    "kms:Decrypt": (
        "messages of the encrypted queue are decrypted; they are not encrypted here",
        {("collect_inbox", "UseKey")},
    ),
    "kms:GenerateDataKey": (
        "the proposal that the last states write is encrypted, and the probe ends before them",
        {("retrain_machine", "UseKey")},
    ),
    "kms:GenerateDataKeyWithoutPlaintext": (
        "instances have no volumes here",
        {("endpoint", "UseKey"), ("training", "UseKey")},
    ),
    "kms:DescribeKey": (
        "SageMaker and DynamoDB look the key up before they use it, and do not here",
        {
            *(("endpoint", "UseKey"), ("training", "UseKey"), ("retrain_machine", "UseKey")),
            *(("classify_batch", "UseKey"), ("record_results", "UseKey")),
            *((f"{name}_jobs", "UseKey") for name in ("report", "retrain", "demand")),
        },
    ),
    "s3:PutObject": (
        "the stand-in trains in no time and leaves no checkpoint; no probe gets to a proposal",
        {("training", "KeepCheckpoints"), ("retrain_machine", "ExchangeSummaries")},
    ),
    **{
        f"sagemaker:{action}ProcessingJob": (
            "the probe's one job is a training; the rehearsal of a retraining runs all",
            {("retrain_machine", "RunJobs")},
        )
        for action in ("Create", "Describe", "Stop")
    },
    **{
        f"sagemaker:Stop{kind}Job": (
            "a job is stopped where its execution is while it runs, and a probe's may have ended",
            {(f"{name}_machine", "RunJobs")},
        )
        for kind, name in (("Training", "retrain"), ("Transform", "demand"))
    },
}


def statements(environment: Environment) -> list[tuple[str, str]]:
    """Return role and Sid of every statement that Terraform attached."""
    return [
        (role, statement["Sid"])
        for role in ROLES
        for statement in policy(environment, role)["Statement"]
    ]


def policy(environment: Environment, role: str) -> dict[str, Any]:
    """Return the document of a role's one policy."""
    iam, name = environment.client("iam"), ROLES[role]
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["access"]
    document: dict[str, Any] = iam.get_role_policy(RoleName=name, PolicyName="access")[
        "PolicyDocument"
    ]
    return document


def actions(environment: Environment) -> set[tuple[str, str, str]]:
    """Return role, Sid and action of all that Terraform's policies allow."""
    return {
        (role, statement["Sid"], action)
        for role in ROLES
        for statement in policy(environment, role)["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }


def never_asked(environment: Environment) -> set[tuple[str, str, str]]:
    """Return role, Sid and action of what no role asked for, of the statements that were used."""
    names = {name: role for role, name in ROLES.items()}
    uses = [
        (names.get(use["role"].rpartition("/")[2], ""), use) for use in environment.aws.access()
    ]
    return {
        (role, use["sid"], action)
        for role, use in uses
        if role and (role, use["sid"]) not in NOT_EXERCISED
        for action in use["unused"]
    }


@contextmanager
def without(environment: Environment, role: str, sid: str) -> Iterator[None]:
    """Take one statement out of a role's policy, and put it back at the end."""
    iam, where = environment.client("iam"), {"RoleName": ROLES[role], "PolicyName": "access"}
    document = iam.get_role_policy(**where)["PolicyDocument"]
    less = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(less) == len(document["Statement"]) - 1
    iam.put_role_policy(**where, PolicyDocument=json.dumps({**document, "Statement": less}))
    try:
        yield
    finally:
        iam.put_role_policy(**where, PolicyDocument=json.dumps(document))


@pytest.fixture(scope="module")
def probes(served: Environment) -> Probes:
    served.client("s3").put_object(
        Bucket=DATA, Key="dataset/probe/bicycle/a.png", Body=PNG, ContentType="image/png"
    )
    return Probes(served)


@pytest.mark.slow
def test_without_any_statement_what_it_is_for_fails(served: Environment, probes: Probes) -> None:
    found = statements(served)
    assert len(found) == len(set(found)), "each statement has a Sid of its own in its policy"
    needed = {pair: probes.of(*pair) for pair in found if pair not in NOT_EXERCISED}
    # What many statements are for is run once with all of them.
    works = {probe: probe() for probe in dict.fromkeys(needed.values())}
    broken = [pair for pair, probe in needed.items() if not works[probe]]
    assert not broken, f"these do not work even with every statement: {broken}"
    listed = {(*pair, action) for action, (_, where) in NEVER_ASKED.items() for pair in where}
    assert not never_asked(served) - listed
    assert listed <= actions(served), "the list names actions that no policy has"
    idle = []
    for (role, sid), probe in needed.items():
        with without(served, role, sid):
            if probe():
                idle.append((role, sid))
    assert probes.serves(), "the endpoint is back"
    assert not idle, f"nothing fails without these: {idle}"


@pytest.mark.slow
def test_every_role_that_terraform_made_is_looked_at(served: Environment) -> None:
    roles = served.client("iam").list_roles()["Roles"]
    assert {r["RoleName"] for r in roles if r["RoleName"].startswith(PREFIX)} == {*ROLES.values()}


@pytest.mark.slow
def test_the_list_of_what_is_not_exercised_holds_no_statement_that_is_gone(
    served: Environment,
) -> None:
    assert set(NOT_EXERCISED) <= set(statements(served))
    assert all(NOT_EXERCISED.values())


@pytest.mark.slow
def test_without_any_statement_on_a_resource_what_it_is_for_fails(
    served: Environment, probes: Probes
) -> None:
    on = ResourceProbes(served, probes)
    found = [
        (resource, statement["Sid"])
        for resource, held in on.policies.items()
        for statement in held.document()["Statement"]
    ]
    assert len(found) == len(set(found))
    assert set(NOT_EXERCISED_ON_RESOURCES) <= set(found)
    needed = {pair: on.of(*pair) for pair in found if pair not in NOT_EXERCISED_ON_RESOURCES}
    broken = [pair for pair, probe in needed.items() if not probe()]
    assert not broken, f"these do not work even with every statement: {broken}"
    idle = []
    for (resource, sid), probe in needed.items():
        held = on.policies[resource]
        whole = held.read()
        held.write(less(held.document(), sid))
        try:
            if probe():
                idle.append((resource, sid))
        finally:
            held.write(whole)
    assert not idle, f"nothing fails without these: {idle}"


@pytest.mark.slow
def test_every_policy_on_a_resource_is_looked_at(served: Environment) -> None:
    s3, sqs = served.client("s3"), served.client("sqs")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    own = {name for name in buckets if name.startswith(PREFIX)}
    assert own - {f"{PREFIX}terraform-state"} == set(map(bucket_name, BUCKETS))
    for url in sqs.list_queues().get("QueueUrls", []):
        if url.endswith(f"/{PREFIX}inbox"):
            continue
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        assert "Policy" not in asked.get("Attributes", {})
    names = [f["FunctionName"] for f in served.client("lambda").list_functions()["Functions"]]
    for name in names:
        with pytest.raises(ClientError, match="ResourceNotFound"):
            served.client("lambda").get_policy(FunctionName=name)
