"""Whose a request is, and what it must be allowed: keys, presigned URLs, forms, parameters."""

import http.client
import json
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT, REGION, Aws, new_client, policy, unique
from local_aws.testing.callers import Caller, allow, denied, refusal
from local_aws.testing.clock import Clock
from local_aws.testing.refusals import error_code

IAM_ARN = f"arn:aws:iam::{ACCOUNT}"


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = unique("requests")
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_object(Bucket=name, Key="k", Body=b"x")
    return name


def send(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Return status and body of a plain request."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"{parts.path}?{parts.query}", body, named)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def with_signature(client: Any, version: str) -> Any:
    client.meta.config.signature_version = version
    client.meta.events.register(
        "choose-signer.s3.*", lambda **_: {"s3v4": "s3v4-query", "s3": "s3-query"}[version]
    )
    return client


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_has_its_signers_rights(aws: Aws, bucket: str, version: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""
    idle, reader = Caller(aws), Caller(aws, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/k"))
    for caller, status in ((idle, 403), (reader, 200)):
        s3 = with_signature(caller.client("s3"), version)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        assert send(url)[0] == status
        named = {"Bucket": bucket, "Key": "new"}
        put = s3.generate_presigned_url("put_object", Params=named)
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert send(put, "PUT", b"X-Amz-Credential=test/20260101/us-east-1/s3/a", **form)[0] == 403
        assert send(put, "PUT", b"body")[0] == 403


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_ends_by_the_clock(aws: Aws, bucket: str, version: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    s3 = with_signature(new_client(aws.local.endpoint_url, "s3"), version)
    asked = {"Params": {"Bucket": bucket, "Key": "k"}, "ExpiresIn": 3600}
    url = s3.generate_presigned_url("get_object", **asked)
    assert send(url) == (200, "x")
    aws.advance(3601)
    status, body = send(url)
    assert status == 403
    assert "<Code>AccessDenied</Code>" in body
    assert "Request has expired" in body


@pytest.mark.parametrize("lifetime", ["-1", "604801", "many", ""])
def test_a_presigned_url_without_a_valid_lifetime_is_refused(
    aws: Aws, bucket: str, lifetime: str
) -> None:
    query = (
        f"X-Amz-Credential=test/20260101/{REGION}/s3/aws4_request"
        f"&X-Amz-Date=20991231T000000Z&X-Amz-Expires={lifetime}&X-Amz-Signature=0"
    )
    assert send(f"{aws.local.endpoint_url}/{bucket}/k?{query}")[0] == 403


def form_of(fields: dict[str, str], content: str) -> tuple[bytes, str]:
    """Return the body of a form that a browser posts, and its content type."""
    edge = uuid.uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = f"{''.join(parts)}{file}{content}\r\n--{edge}--\r\n"
    return body.encode(), f"multipart/form-data; boundary={edge}"


@pytest.mark.parametrize(
    ("content", "changed", "answer"),
    [
        ("content", {}, (204, "")),
        ("content", {"key": "in/b"}, (403, "Policy Condition failed")),
        ("content", {"x-amz-meta-a": "b"}, (403, "Extra input fields: x-amz-meta-a")),
        ("much more content", {}, (400, "EntityTooLarge")),
    ],
)
def test_a_posted_form_is_bounded_by_its_policy(
    aws: Aws, bucket: str, content: str, changed: dict[str, str], answer: tuple[int, str]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html"""
    own = Caller(aws, allow("s3:*")).client("s3")
    size = ["content-length-range", 1, 10]
    post = own.generate_presigned_post(bucket, "in/a", Conditions=[size])
    body, kind = form_of({**post["fields"], **changed}, content)
    status, text = send(post["url"], "POST", body, Content_Type=kind)
    assert status == answer[0] and answer[1] in text


def test_a_posted_form_has_its_signers_rights(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html"""
    writer = Caller(aws, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/in/*"))
    own = writer.client("s3")
    for key, status in (("in/a", 204), ("out/a", 403)):
        post = own.generate_presigned_post(bucket, key)
        body, kind = form_of(post["fields"], "content")
        url = f"{aws.local.endpoint_url}/{bucket}"
        found = send(url, "POST", body, Content_Type=kind)
        assert found[0] == status, found
    assert aws.client("s3").get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"content"
    body, kind = form_of({"key": "in/b"}, "content")
    assert send(f"{aws.local.endpoint_url}/{bucket}", "POST", body, Content_Type=kind)[0] == 403


def unsigned(aws: Aws, service: str) -> Any:
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return get_session().create_client(
        service, region_name=REGION, endpoint_url=aws.local.endpoint_url, config=config
    )


def test_an_unsigned_request_to_s3_gets_only_what_is_public(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html"""
    anyone, admin = unsigned(aws, "s3"), aws.client("s3")
    for call in (
        lambda: anyone.put_object(Bucket=bucket, Key="n", Body=b""),
        lambda: anyone.list_objects_v2(Bucket=bucket),
        anyone.list_buckets,
        lambda: anyone.delete_object(Bucket=bucket, Key="k"),
        lambda: anyone.create_bucket(Bucket=unique("anyone")),
    ):
        assert denied(call)
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    admin.put_object(Bucket=bucket, Key="public/by-policy", Body=b"p")
    admin.put_object(Bucket=bucket, Key="by-acl", Body=b"a", ACL="public-read")
    resource = f"arn:aws:s3:::{bucket}/public/*"
    admin.put_bucket_policy(Bucket=bucket, Policy=policy({**public, "Resource": resource}))
    for key, content in (("public/by-policy", b"p"), ("by-acl", b"a")):
        assert anyone.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    assert (
        refusal(anyone.get_object, Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"]
        == 403
    )
    admin.delete_bucket_policy(Bucket=bucket)


UNSIGNED_CALLS = {
    "lambda": ("invoke", {"FunctionName": "any"}),
    "sqs": ("list_queues", {}),
    "iam": ("list_users", {}),
    "sagemaker": ("list_models", {}),
    "stepfunctions": ("list_state_machines", {}),
}


@pytest.mark.parametrize("service", UNSIGNED_CALLS)
def test_an_unsigned_request_to_another_service_is_refused(aws: Aws, service: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""
    operation, arguments = UNSIGNED_CALLS[service]
    found = refusal(getattr(unsigned(aws, service), operation), **arguments)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 403
    if service == "lambda":
        assert found["Error"]["Code"] == "MissingAuthenticationTokenException"


class User:
    """An IAM user with a key."""

    def __init__(self, aws: Aws, *statements: dict[str, str], **more: Any) -> None:
        self.name, self._iam = unique("user"), aws.client("iam")
        self._url = aws.local.endpoint_url
        self._iam.create_user(UserName=self.name, **more)
        if statements:
            self._iam.put_user_policy(
                UserName=self.name, PolicyName="own", PolicyDocument=policy(*statements)
            )
        self.key = self._iam.create_access_key(UserName=self.name)["AccessKey"]

    def client(self, service: str) -> Any:
        return new_client(
            self._url,
            service,
            aws_access_key_id=self.key["AccessKeyId"],
            aws_secret_access_key=self.key["SecretAccessKey"],
        )


def test_a_users_key_has_the_users_rights_and_those_of_its_groups(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""
    iam = aws.client("iam")
    user = User(aws, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/home/${{aws:username}}/*"))
    s3 = user.client("s3")
    s3.put_object(Bucket=bucket, Key=f"home/{user.name}/a", Body=b"")
    assert user.name in denied(s3.put_object, Bucket=bucket, Key="home/a", Body=b"")["Message"]
    denied(s3.get_object, Bucket=bucket, Key="k")
    denied(user.client("lambda").invoke, FunctionName="any")
    denied(user.client("iam").list_users)
    group = unique("readers")
    iam.create_group(GroupName=group)
    reads = policy(allow(["s3:GetObject", "s3:ListBucket"], "*"))
    iam.put_group_policy(GroupName=group, PolicyName="reads", PolicyDocument=reads)
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    iam.remove_user_from_group(GroupName=group, UserName=user.name)
    denied(s3.get_object, Bucket=bucket, Key="k")


def test_a_permissions_boundary_bounds_a_user(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
    iam = aws.client("iam")
    document = policy(allow("s3:ListBucket"))
    boundary = iam.create_policy(PolicyName=unique("bound"), PolicyDocument=document)
    arn = boundary["Policy"]["Arn"]
    user = User(aws, allow("*"), PermissionsBoundary=arn)
    s3 = user.client("s3")
    s3.list_objects_v2(Bucket=bucket)
    assert "permissions boundary" in denied(s3.get_object, Bucket=bucket, Key="k")["Message"]
    shown = iam.get_user(UserName=user.name)["User"]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == arn
    iam.delete_user_permissions_boundary(UserName=user.name)
    assert "PermissionsBoundary" not in iam.get_user(UserName=user.name)["User"]
    s3.get_object(Bucket=bucket, Key="k")
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
    denied(s3.get_object, Bucket=bucket, Key="k")


def test_who_may_change_bounded_users_alone_changes_no_other(aws: Aws) -> None:
    iam = aws.client("iam")
    arn = iam.create_policy(PolicyName=unique("bound"), PolicyDocument=policy(allow("s3:List*")))
    arn = arn["Policy"]["Arn"]
    only = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    admin = Caller(aws, allow(["iam:CreateUser", "iam:PutUserPolicy"], Condition=only))
    given = {"PolicyName": "own", "PolicyDocument": policy(allow("*"))}
    free, bound = User(aws), User(aws, PermissionsBoundary=arn)
    client = admin.client("iam")
    denied(client.create_user, UserName=unique("user"))
    client.create_user(UserName=unique("user"), PermissionsBoundary=arn)
    denied(client.put_user_policy, UserName=free.name, **given)
    client.put_user_policy(UserName=bound.name, **given)


def test_a_key_that_is_nobodys_or_inactive_is_refused(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    user = User(aws, allow("*"))
    s3 = user.client("s3")
    s3.head_object(Bucket=bucket, Key="k")
    named = {"UserName": user.name, "AccessKeyId": user.key["AccessKeyId"]}
    aws.client("iam").update_access_key(**named, Status="Inactive")
    assert denied(s3.list_objects_v2, Bucket=bucket)["Code"] == "InvalidAccessKeyId"
    for key in ("AKIAIOSFODNN7EXAMPLE", "admin"):
        keys = {"aws_access_key_id": key, "aws_secret_access_key": "x"}
        s3 = new_client(aws.local.endpoint_url, "s3", **keys)
        sts = new_client(aws.local.endpoint_url, "sts", **keys)
        assert denied(s3.list_objects_v2, Bucket=bucket)["Code"] == "InvalidAccessKeyId"
        assert denied(sts.get_caller_identity)["Code"] == "InvalidClientTokenId"


def test_a_user_takes_a_role_only_where_both_policies_allow_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_permissions-to-switch.html"""
    role = Caller(aws)
    asked = {"RoleArn": role.arn, "RoleSessionName": "one"}
    denied(User(aws).client("sts").assume_role, **asked)
    User(aws, allow("sts:AssumeRole", role.arn)).client("sts").assume_role(**asked)
    service = Caller(aws, principal={"Service": "lambda.amazonaws.com"})
    able = User(aws, allow("sts:AssumeRole")).client("sts")
    denied(able.assume_role, RoleArn=service.arn, RoleSessionName="one")


def add_parameter(client: Any, operation: str, **more: str) -> Any:
    """Have requests of a client carry parameters that the operation does not have."""

    def add(request: AWSPreparedRequest, **_: Any) -> None:
        assert isinstance(request.body, bytes)
        request.body = json.dumps({**json.loads(request.body), **more}).encode()
        request.headers["Content-Length"] = str(len(request.body))

    client.meta.events.register(f"before-send.{operation}", add)
    return client


@pytest.fixture
def with_ssm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """A server with a service whose operations take one name or several."""
    monkeypatch.setenv("LOCAL_AWS_SERVICES", "ssm")
    with LocalAws.start(tmp_path / "aws", 0, {}, keep=False) as local:
        yield Aws.of(local)


def test_a_parameter_of_another_operation_is_not_believed(with_ssm: Aws) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html"""
    aws = with_ssm
    ssm = aws.client("ssm")
    for name in ("public", "secret"):
        ssm.put_parameter(Name=f"/asked/{name}", Value="v", Type="String", Overwrite=True)
    start = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/asked"
    reader = Caller(aws, allow("ssm:GetParameters", f"{start}/public"))
    own = add_parameter(reader.client("ssm"), "ssm.GetParameters", Name="/asked/public")
    denied(own.get_parameters, Names=["/asked/secret"])
    denied(own.get_parameters, Names=["/asked/public", "/asked/secret"])
    assert own.get_parameters(Names=["/asked/public"])["Parameters"]


def test_an_execution_is_stopped_only_by_who_may_stop_that_one(aws: Aws) -> None:
    mine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:mine"
    caller = Caller(aws, allow("states:StopExecution", mine))
    states = add_parameter(
        caller.client("stepfunctions"), "sfn.StopExecution", stateMachineArn=mine
    )
    other = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:other:one"
    assert other in denied(states.stop_execution, executionArn=other)["Message"]


def test_an_endpoint_is_made_only_with_a_configuration_that_is_allowed(aws: Aws) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html"""
    start = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    for operation in ("CreateEndpoint", "UpdateEndpoint"):
        caller = Caller(aws, allow(f"sagemaker:{operation}", f"{start}:endpoint/mine"))
        call = getattr(caller.client("sagemaker"), operation.replace("E", "_e").lower())
        found = denied(call, EndpointName="mine", EndpointConfigName="other")
        assert f"{start}:endpoint-config/other" in found["Message"]


def test_tags_of_an_endpoint_are_not_those_of_its_configuration(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html"""
    start = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    caller = Caller(
        aws,
        allow("sagemaker:CreateEndpoint", [f"{start}:endpoint/mine", f"{start}:endpoint-config/*"]),
        allow("sagemaker:AddTags", f"{start}:endpoint/mine"),
    )
    found = refusal(
        caller.client("sagemaker").create_endpoint,
        EndpointName="mine",
        EndpointConfigName="none",
        Tags=[{"Key": "Project", "Value": "x"}],
    )
    assert found["Error"]["Code"] == "ValidationException"


PASSING: dict[str, tuple[str, dict[str, Any], str]] = {
    "events": ("put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, "RoleArn"),
    "application-autoscaling": (
        "register_scalable_target",
        {
            "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/e/variant/v",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        },
        "RoleARN",
    ),
    "sagemaker-notebook": (
        "create_notebook_instance",
        {"NotebookInstanceName": "n", "InstanceType": "ml.t3.medium"},
        "RoleArn",
    ),
    "sagemaker-pipeline": (
        "create_pipeline",
        {"PipelineName": "p", "ClientRequestToken": "x" * 32, "PipelineDefinition": "{}"},
        "RoleArn",
    ),
    "sagemaker-config": (
        "create_endpoint_config",
        {
            "EndpointConfigName": "c",
            "ProductionVariants": [{"VariantName": "v", "ModelName": "m"}],
        },
        "ExecutionRoleArn",
    ),
}


@pytest.mark.parametrize("case", PASSING)
def test_a_role_is_handed_over_only_by_who_may_pass_it(aws: Aws, case: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    operation, arguments, named = PASSING[case]
    service = case.partition("-")[0] if case.startswith("sagemaker") else case
    other = Caller(aws).arn
    client = Caller(aws, allow(f"{service}:*")).client(service)
    found = denied(getattr(client, operation), **arguments, **{named: other})
    assert f"iam:PassRole on resource: {other}" in found["Message"]


def test_a_bucket_replicates_only_with_a_role_that_its_caller_may_pass(
    aws: Aws, bucket: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html"""
    role, s3 = Caller(aws).arn, aws.client("s3")
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    rule = {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"}}
    asked = {
        "Bucket": bucket,
        "ReplicationConfiguration": {"Role": role, "Rules": [rule]},
    }
    found = denied(Caller(aws, allow("s3:*")).client("s3").put_bucket_replication, **asked)
    assert f"iam:PassRole on resource: {role}" in found["Message"]
    may = Caller(aws, allow("s3:*"), allow("iam:PassRole", role)).client("s3")
    may.put_bucket_replication(**asked)


def test_a_role_comes_into_an_instance_profile_only_by_who_may_pass_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html"""
    role, profile = Caller(aws).arn, unique("profile")
    aws.client("iam").create_instance_profile(InstanceProfileName=profile)
    asked = {"InstanceProfileName": profile, "RoleName": role.rpartition("/")[2]}
    own = allow("iam:AddRoleToInstanceProfile")
    found = denied(Caller(aws, own).client("iam").add_role_to_instance_profile, **asked)
    assert f"iam:PassRole on resource: {role}" in found["Message"]
    may = Caller(aws, own, allow("iam:PassRole", role)).client("iam")
    may.add_role_to_instance_profile(**asked)


def test_a_monitoring_schedules_new_role_is_passed_as_well(aws: Aws) -> None:
    role = Caller(aws).arn
    job = {
        "MonitoringInputs": [
            {"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/in"}}
        ],
        "MonitoringOutputConfig": {
            "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/o", "LocalPath": "/opt/o"}}]
        },
        "MonitoringResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 5,
            }
        },
        "MonitoringAppSpecification": {"ImageUri": "toy-1"},
        "RoleArn": role,
    }
    sagemaker = Caller(aws, allow("sagemaker:*")).client("sagemaker")
    found = denied(
        sagemaker.update_monitoring_schedule,
        MonitoringScheduleName="s",
        MonitoringScheduleConfig={"MonitoringJobDefinition": job},
    )
    assert f"iam:PassRole on resource: {role}" in found["Message"]


def test_the_managed_policies_of_a_session_bound_it(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    role = Caller(aws, allow("*"))
    queues = [{"arn": "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"}]
    bound = role.client("s3", PolicyArns=queues)
    assert "session policy" in denied(bound.get_object, Bucket=bucket, Key="k")["Message"]
    reads = policy(allow("s3:GetObject"))
    both = role.client("s3", PolicyArns=queues, Policy=reads)
    assert both.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    role.client("sqs", PolicyArns=queues).list_queues()


@pytest.mark.parametrize("given", [{"ACL": "private"}, {"GrantRead": 'id="1"'}])
def test_an_object_gets_an_acl_only_from_who_may_set_it(
    aws: Aws, bucket: str, given: dict[str, str]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    arn = f"arn:aws:s3:::{bucket}/*"
    s3 = Caller(aws, allow("s3:PutObject", arn)).client("s3")
    s3.put_object(Bucket=bucket, Key="acl", Body=b"")
    found = denied(s3.put_object, Bucket=bucket, Key="acl", Body=b"", **given)
    assert "s3:PutObjectAcl" in found["Message"]
    started = denied(s3.create_multipart_upload, Bucket=bucket, Key="acl", **given)
    assert "s3:PutObjectAcl" in started["Message"]


def test_a_prefix_is_a_key_of_listings_only(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html"""
    where = {"StringLike": {"s3:prefix": "in/*"}}
    s3 = Caller(aws, allow("s3:*", "*", Condition=where)).client("s3")
    s3.list_objects_v2(Bucket=bucket, Prefix="in/")
    s3.meta.events.register(
        "before-sign.s3.GetObject", lambda request, **_: request.params.update(prefix="in/a")
    )
    denied(s3.get_object, Bucket=bucket, Key="k")


def test_dates_in_policies_are_compared_with_the_driven_clock(
    aws: Aws, bucket: str, clock: Clock
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    soon = clock.now().timestamp() + 1000
    until = {"NumericLessThan": {"aws:EpochTime": str(int(soon))}}
    s3 = Caller(aws, allow("s3:*", "*", Condition=until), MaxSessionDuration=43_200).client(
        "s3", DurationSeconds=43200
    )
    s3.head_object(Bucket=bucket, Key="k")
    aws.advance(1001)
    denied(s3.list_objects_v2, Bucket=bucket)


def test_a_batch_of_messages_needs_what_one_message_needs(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html"""
    url, arn = aws.queue()
    sqs = Caller(aws, allow("sqs:SendMessage", arn)).client("sqs")
    entries = [{"Id": "0", "MessageBody": "x"}]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 1
    taken = [{"Id": "0", "ReceiptHandle": "x"}]
    assert error_code(sqs.delete_message_batch, QueueUrl=url, Entries=taken) == "AccessDenied"


def test_an_event_bus_is_authorised_by_its_own_arn(aws: Aws) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html"""
    name = unique("bus")
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}"
    actions = [f"events:{verb}EventBus" for verb in ("Create", "Describe", "Delete")]
    actions.append("events:TagResource")
    events = Caller(aws, allow(actions, arn), allow("events:ListTagsForResource", arn)).client(
        "events"
    )
    assert error_code(events.create_event_bus, Name=f"{name}-other") == "AccessDeniedException"
    events.create_event_bus(Name=name, Tags=[{"Key": "k", "Value": "v"}])
    assert events.describe_event_bus(Name=name)["Name"] == name
    events.list_tags_for_resource(ResourceARN=arn)
    events.delete_event_bus(Name=name)


def test_an_event_source_mapping_is_authorised_by_its_arn_and_its_function(aws: Aws) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html"""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{unique('f')}"
    absent, other = str(uuid.uuid4()), str(uuid.uuid4())
    mapping = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{absent}"
    condition = {"Condition": {"ArnLike": {"lambda:FunctionArn": f"{function}*"}}}
    client = Caller(
        aws,
        allow("lambda:GetEventSourceMapping", mapping),
        {**allow("lambda:CreateEventSourceMapping", "*"), **condition},
        allow("lambda:TagResource", mapping.replace(absent, "*")),
    ).client("lambda")
    assert error_code(client.get_event_source_mapping, UUID=absent) == "ResourceNotFoundException"
    assert error_code(client.get_event_source_mapping, UUID=other) == "AccessDeniedException"
    source = {"EventSourceArn": aws.queue()[1], "Tags": {"k": "v"}}
    make = client.create_event_source_mapping
    assert error_code(make, FunctionName=f"{function}:live", **source) != "AccessDeniedException"
    assert error_code(make, FunctionName="another", **source) == "AccessDeniedException"


def test_a_query_reads_its_object(aws: Aws, bucket: str) -> None:
    asked = {
        "Bucket": bucket,
        "Key": "k",
        "Expression": "SELECT * FROM s3object",
        "ExpressionType": "SQL",
        "InputSerialization": {"CSV": {}},
        "OutputSerialization": {"CSV": {}},
    }
    everything = allow("s3:*", f"arn:aws:s3:::{bucket}/*")
    unread = {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/k"), "Effect": "Deny"}
    reader = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/k")
    Caller(aws, reader).client("s3").select_object_content(**asked)
    error = denied(Caller(aws, everything, unread).client("s3").select_object_content, **asked)
    assert "s3:GetObject" in error["Message"]


@pytest.mark.parametrize(
    "written", ["{}?x=1", "{}?x=1&versionId={}", "{}#x", "{}?versionId={}&x=1"]
)
def test_a_copy_reads_what_policies_were_asked_about(aws: Aws, written: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    name, admin = unique("copied"), aws.client("s3")
    admin.create_bucket(Bucket=name)
    admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = admin.put_object(Bucket=name, Key="secret", Body=b"x")["VersionId"]
    unread = {**allow("s3:Get*", f"arn:aws:s3:::{name}/secret"), "Effect": "Deny"}
    s3 = Caller(aws, allow("s3:*"), unread).client("s3")
    source = written.format(f"{name}/secret", version)
    add_header(s3, "CopyObject", "x-amz-copy-source", source)
    denied(s3.copy_object, Bucket=name, Key="copy", CopySource="replaced/by-the-header")


def add_header(client: Any, operation: str, name: str, value: str) -> None:
    def replace(params: dict[str, Any], **_: Any) -> None:
        params["headers"][name] = value

    client.meta.events.register(f"before-call.s3.{operation}", replace)


def test_an_upload_takes_parts_under_its_own_key_only(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""
    upload = aws.client("s3").create_multipart_upload(Bucket=bucket, Key="in/a")["UploadId"]
    s3 = Caller(aws, allow("s3:*", f"arn:aws:s3:::{bucket}/out/*")).client("s3")
    named = {"Bucket": bucket, "Key": "out/a", "UploadId": upload}
    parts = {"Parts": [{"ETag": "any", "PartNumber": 1}]}
    assert error_code(s3.upload_part, PartNumber=1, Body=b"x", **named) == "NoSuchUpload"
    assert (
        error_code(s3.complete_multipart_upload, MultipartUpload=parts, **named) == "NoSuchUpload"
    )
    assert error_code(s3.list_parts, **named) == "NoSuchUpload"
    assert error_code(s3.abort_multipart_upload, **named) == "NoSuchUpload"


@pytest.mark.parametrize(
    ("action", "operation", "given"),
    [
        ("s3:PutObjectTagging", "put_object_tagging", {"Tagging": {"TagSet": []}}),
        ("s3:DeleteObjectTagging", "delete_object_tagging", {}),
        ("s3:PutObjectAcl", "put_object_acl", {"ACL": "private"}),
    ],
)
def test_a_version_is_changed_by_an_action_of_its_own(
    aws: Aws, bucket: str, action: str, operation: str, given: dict[str, Any]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html"""
    call = getattr(Caller(aws, allow(action)).client("s3"), operation)
    found = denied(call, Bucket=bucket, Key="k", VersionId="null", **given)
    assert action.replace("Object", "ObjectVersion") in found["Message"]


def test_an_empty_version_in_a_batch_deletes_the_object(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
    s3 = Caller(aws, allow("s3:DeleteObjectVersion")).client("s3")
    objects = {"Objects": [{"Key": "k", "VersionId": ""}]}
    answer = s3.delete_objects(Bucket=bucket, Delete=objects)
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


def test_a_service_has_one_name_in_policies_by_whatever_name_it_is_signed_for(aws: Aws) -> None:
    unlisted = {**allow("sqs:*"), "Effect": "Deny"}
    sqs = Caller(aws, allow("*"), unlisted).client("sqs")
    sqs.meta.events.register("choose-signer.sqs", lambda **_: None)
    sqs._request_signer._signing_name = "queue"  # by which moto finds it too
    denied(sqs.list_queues)


def test_the_keys_of_tags_can_be_bounded(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    ours = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    sqs = Caller(aws, allow("sqs:*", Condition=ours)).client("sqs")
    sqs.create_queue(QueueName=unique("q"), tags={"team": "a"})
    denied(sqs.create_queue, QueueName=unique("q"), tags={"team": "a", "cost": "b"})


@pytest.mark.parametrize("address", [None, ["http://127.0.0.1/open"]], ids=["none", "a list"])
def test_a_queue_that_only_the_path_names_is_not_read(aws: Aws, address: list[str] | None) -> None:
    url, queue = aws.queue()
    closed = {**allow("sqs:*", queue), "Effect": "Deny"}
    sqs = Caller(aws, allow("sqs:*"), closed).client("sqs")

    def replace(params: dict[str, Any], **_: Any) -> None:
        params.update(url=url, body=json.dumps({"QueueUrl": address}).encode())

    sqs.meta.events.register("before-call.sqs.ReceiveMessage", replace)
    with pytest.raises(ClientError, match=r"MissingParameter|SerializationException"):
        sqs.receive_message(QueueUrl=url)


@pytest.mark.parametrize("place", ["eu-west-1:123456789012", "us-east-1:111111111111"])
def test_an_arn_of_another_place_is_authorised_as_what_is_found_by_it(aws: Aws, place: str) -> None:
    own, group = f"{REGION}:{ACCOUNT}", unique("group")
    function, bus = aws.function("def handler(event, context): pass"), unique("bus")
    aws.client("events").create_event_bus(Name=bus)
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    arns = [
        f"arn:aws:lambda:{own}:function:{function.rpartition(':')[2]}",
        f"arn:aws:events:{own}:event-bus/{bus}",
        f"arn:aws:sagemaker:{own}:model-package-group/{group}",
    ]
    caller = Caller(aws, allow("*"), {**allow("*", arns), "Effect": "Deny"})
    function, bus, group = (arn.replace(own, place) for arn in arns)
    denied(caller.client("lambda").get_function, FunctionName=function)
    denied(caller.client("lambda").delete_function, FunctionName=function)
    denied(caller.client("lambda").list_tags, Resource=function)
    event = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": bus}
    denied(caller.client("events").put_events, Entries=[event])
    sagemaker = caller.client("sagemaker")
    denied(sagemaker.list_model_packages, ModelPackageGroupName=group)


@pytest.mark.parametrize(
    "hidden", ["function:mine:function:{}", "function:mine:1:function:{}", "mine:function:{}"]
)
def test_a_function_is_not_found_behind_another_ones_name(aws: Aws, hidden: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html"""
    name = aws.function("def handler(event, context): pass").rpartition(":")[2]
    start = f"arn:aws:lambda:{REGION}:{ACCOUNT}:"
    arn = f"{start}function:{name}"
    given = ("" if hidden.startswith("mine") else start) + hidden.format(name)
    some = Caller(aws, allow("lambda:*", f"{start}function:mine*"))
    others = Caller(aws, allow("lambda:*"), {**allow("lambda:*", f"{arn}*"), "Effect": "Deny"})
    for caller in (some, others):
        client = caller.client("lambda")
        for call, more in (
            (client.get_function, {}),
            (client.get_policy, {}),
            (client.update_function_configuration, {"Description": "changed"}),
            (client.delete_function, {}),
        ):
            assert error_code(call, FunctionName=given, **more) == "ValidationException"


def test_tags_are_those_of_the_arn_that_policies_were_asked_about(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""
    own, name = f"{REGION}:{ACCOUNT}", unique("group")
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    aws.client("events").put_rule(Name=name, ScheduleExpression="rate(1 day)")
    mine = [f"arn:aws:sagemaker:{own}:model/mine*", f"arn:aws:events:{own}:rule/mine*"]
    caller = Caller(aws, allow("*", mine))
    hidden = f"arn:aws:sagemaker:{own}:model/mine:model-package-group/{name}"
    tags = [{"Key": "team", "Value": "b"}]
    found = refusal(caller.client("sagemaker").add_tags, ResourceArn=hidden, Tags=tags)
    assert found["Error"]["Code"] == "ValidationException"
    mine[0] = f"arn:aws:sagemaker:{own}:model-package-group/mine*"
    client = Caller(aws, allow("*", mine)).client("sagemaker")
    for hidden in (f"mine/{name}", f"arn:aws:sagemaker:{own}:model-package-group/mine/{name}"):
        found = refusal(client.list_model_packages, ModelPackageGroupName=hidden)
        assert found["Error"]["Code"] == "ValidationException"
    hidden = f"arn:aws:events:{own}:rule/mine/{name}"
    found = refusal(caller.client("events").tag_resource, ResourceARN=hidden, Tags=tags)
    assert found["Error"]["Code"] == "ResourceNotFoundException"


def test_a_schedule_is_not_named_by_the_query_of_an_address(aws: Aws) -> None:
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""
    _, queue = aws.queue()
    name, role = unique("schedule"), Caller(aws, principal={"Service": "scheduler.amazonaws.com"})
    mine = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}"
    caller = Caller(aws, allow("scheduler:*", mine), allow("iam:PassRole", role.arn))
    client = caller.client("scheduler")

    def add_query(params: dict[str, Any], **_: Any) -> None:
        params["url"] += f"?a=/{name}-other"

    client.meta.events.register("before-call.scheduler.CreateSchedule", add_query)
    made = client.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue, "RoleArn": role.arn},
    )
    assert made["ScheduleArn"] == mine
    aws.client("scheduler").delete_schedule(Name=name)


def test_tags_of_a_schedule_group_are_not_named_by_the_query_of_an_address(aws: Aws) -> None:
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html"""
    admin, mine, other = aws.client("scheduler"), unique("mine"), unique("other")
    arns = [admin.create_schedule_group(Name=n)["ScheduleGroupArn"] for n in (mine, other)]
    client = Caller(aws, allow("scheduler:*", arns[0])).client("scheduler")

    def add_query(params: dict[str, Any], **_: Any) -> None:
        params["url"] += "?a=/tags/" + urllib.parse.quote(arns[1], safe="")

    client.meta.events.register("before-call.scheduler", add_query)
    client.tag_resource(ResourceArn=arns[0], Tags=[{"Key": "team", "Value": "b"}])
    tags = [admin.list_tags_for_resource(ResourceArn=arn)["Tags"] for arn in arns]
    assert tags == [[{"Key": "team", "Value": "b"}], []]


def test_what_is_decrypted_needs_the_key_that_it_is_under(aws: Aws) -> None:
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html"""
    kms = aws.client("kms")
    own, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    under_own, under_other = (
        kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for key in (own, other)
    )
    some = Caller(aws, allow("kms:*", own)).client("kms")
    others = {**allow("kms:*", other), "Effect": "Deny"}
    all_but_one = Caller(aws, allow("kms:*"), others).client("kms")
    for client in (some, all_but_one):
        assert client.decrypt(CiphertextBlob=under_own)["Plaintext"] == b"x"
        denied(client.decrypt, CiphertextBlob=under_other)
        moved = client.re_encrypt(CiphertextBlob=under_own, DestinationKeyId=own)
        assert moved["SourceKeyId"] == own
        found = denied(client.re_encrypt, CiphertextBlob=under_other, DestinationKeyId=own)
        assert "kms:ReEncryptFrom" in found["Message"]
        found = denied(client.re_encrypt, CiphertextBlob=under_own, DestinationKeyId=other)
        assert "kms:ReEncryptTo" in found["Message"]


def test_code_in_a_bucket_is_taken_only_for_who_may_read_it(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html"""
    place = {"S3Bucket": bucket, "S3Key": "code.zip"}
    code = aws.package({"app.py": "def handler(event, context): return 1"})
    aws.client("s3").put_object(Bucket=bucket, Key="code.zip", Body=code)
    function = aws.function("def handler(event, context): pass")
    may = allow(["lambda:*", "iam:PassRole"])
    made = {"Runtime": "python3.12", "Role": aws.role, "Handler": "app.handler", "Code": place}
    idle = Caller(aws, may).client("lambda")
    for call, arguments in (
        (idle.create_function, {"FunctionName": unique("f"), **made}),
        (idle.update_function_code, {"FunctionName": function, **place}),
        (idle.publish_layer_version, {"LayerName": unique("layer"), "Content": place}),
    ):
        found = denied(call, **arguments)
        assert found["Message"].startswith("Your access has been denied by S3"), found
        assert f"GetObject for {bucket}/code.zip." in found["Message"]
    reads = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/code.zip")
    reader = Caller(aws, may, reads).client("lambda")
    reader.update_function_code(FunctionName=function, **place)
    reader.create_function(FunctionName=unique("f"), **made)


def test_a_tag_whose_key_is_there_in_two_cases_meets_no_condition(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    ours = {"StringEquals": {"aws:RequestTag/team": "a"}}
    maker = Caller(aws, allow(["sqs:CreateQueue", "sqs:TagQueue"], Condition=ours)).client("sqs")
    maker.create_queue(QueueName=unique("q"), tags={"TEAM": "a"})
    denied(maker.create_queue, QueueName=unique("q"), tags={"team": "b", "TEAM": "a"})
    held = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    reader = Caller(aws, allow("sqs:*", Condition=held)).client("sqs")
    for tags, is_met in (({"Team": "a"}, True), ({"team": "b", "Team": "a"}, False)):
        url = aws.client("sqs").create_queue(QueueName=unique("q"), tags=tags)["QueueUrl"]
        if is_met:
            reader.receive_message(QueueUrl=url)
        else:
            denied(reader.receive_message, QueueUrl=url)
