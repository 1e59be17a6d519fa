"""Saving by a running server: a disk that is full, services that are not saved, large uploads."""

import http.client
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from local_aws.control import LocalAws
from local_aws.errors import LocalAwsError
from local_aws.testing.aws import Aws
from local_aws.testing.refusals import error_response

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"lambda.amazonaws.com"}}]}'
)


def kill(local: LocalAws) -> None:
    os.kill(local.record.pid, signal.SIGKILL)
    local.stop()


def test_a_full_disk_costs_no_acknowledged_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Modules that are imported under the limit would be kept as bytecode that ends there.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        iam, s3, sqs = (aws.client(name) for name in ("iam", "s3", "sqs"))
        s3.create_bucket(Bucket="before")
        # The server's own files end at this size, as on a disk that is nearly full.
        resource.prlimit(local.record.pid, resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        answer = error_response(iam.create_role, RoleName="lost", AssumeRolePolicyDocument=TRUST)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert answer["Error"]["Code"] == "ServiceUnavailable"
        assert "could not be saved" in answer["Error"]["Message"]
        answer = error_response(s3.put_object, Bucket="before", Key="k", Body=b"x")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert answer["Error"]["Code"] == "SlowDown"
        assert (
            error_response(sqs.create_queue, QueueName="q")["Error"]["Code"] == "ServiceUnavailable"
        )
        assert s3.list_objects_v2(Bucket="before")["KeyCount"] == 0
        assert any("could not be saved" in problem for problem in local.problems())
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(local.record.pid, resource.RLIMIT_FSIZE, unlimited)
        aws.eventually(lambda: True if not local.problems() else None)
        s3.put_object(Bucket="before", Key="k", Body=b"after")
        kill(local)
    log = (tmp_path / "server.log").read_text()
    assert "could not be saved" in log and "saved again" in log and "Traceback" not in log
    with LocalAws.start(tmp_path, 0, {}) as local:
        s3 = Aws(local, "").client("s3")
        assert s3.get_object(Bucket="before", Key="k")["Body"].read() == b"after"


def test_uploads_in_parts_are_there_after_a_restart(tmp_path: Path) -> None:
    part = b"x" * 5 * 1024 * 1024
    with LocalAws.start(tmp_path, 0, {}) as local:
        s3 = Aws.of(local).client("s3")
        s3.create_bucket(Bucket="parts")
        s3.put_bucket_versioning(Bucket="parts", VersioningConfiguration={"Status": "Enabled"})
        ids = {}
        for key in ("whole", "open", "aborted"):
            made = s3.create_multipart_upload(Bucket="parts", Key=key, Metadata={"of": "mine"})
            ids[key] = {"Bucket": "parts", "Key": key, "UploadId": made["UploadId"]}
            etag = s3.upload_part(**ids[key], PartNumber=1, Body=part)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3.complete_multipart_upload(**ids["whole"], MultipartUpload=parts)
        s3.abort_multipart_upload(**ids["aborted"])
        kill(local)
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert local.problems() == []
        s3 = Aws(local, "").client("s3")
        assert s3.get_object(Bucket="parts", Key="whole")["Body"].read() == part
        s3.complete_multipart_upload(**ids["open"], MultipartUpload=parts)
        assert s3.head_object(Bucket="parts", Key="open")["Metadata"] == {"of": "mine"}


READS = [
    ("ec2", "describe_instances"),
    ("autoscaling", "describe_auto_scaling_groups"),
    ("redshift", "describe_clusters"),
    ("ssm", "describe_parameters"),
    ("glue", "get_databases"),
    ("cloudformation", "list_stacks"),
    ("cognito-idp", "list_user_pools"),
    ("apigateway", "get_rest_apis"),
    ("xray", "get_sampling_rules"),
    ("route53", "list_hosted_zones"),
]


def test_services_that_nobody_uses_are_refused_in_their_protocol_or_opened_and_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        for service, action in READS:
            given = {"MaxResults": 5} if service == "cognito-idp" else {}
            answer = error_response(getattr(aws.client(service), action), **given)
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400, service
            assert answer["Error"]["Code"] == "NotImplemented", service
            assert "LOCAL_AWS_SERVICES" in answer["Error"]["Message"], service
        scaling = aws.client("application-autoscaling")
        assert (
            scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
        )
    monkeypatch.setenv("LOCAL_AWS_SERVICES", "ec2, ssm")
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws(local, "")
        aws.client("ssm").put_parameter(Name="kept", Value="not", Type="String")
        assert aws.client("ec2").describe_instances()["Reservations"] == []
        assert local.problems() == []
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws(local, "")
        assert aws.client("ssm").describe_parameters()["Parameters"] == []
        assert [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]] != []
        assert local.problems() == []


def test_a_setting_that_names_no_service_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_AWS_SERVICES", "ec2;rm -rf")
    with pytest.raises(LocalAwsError, match="LOCAL_AWS_SERVICES names"):
        LocalAws.start(tmp_path, 0, {})


def test_the_pages_of_moto_are_not_there(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}, keep=False) as local:
        aws = Aws.of(local)
        aws.client("s3").create_bucket(Bucket="stays")
        for method, path in PAGES:
            status, headers = ask(local, method, path)
            assert status == 404, path
            assert "Access-Control-Allow-Origin" not in headers
        assert [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]] == ["stays"]


PAGES = [
    ("POST", "/moto-api/reset"),
    ("POST", "/moto-api/config"),
    ("GET", "/moto-api/data.json"),
    ("POST", "/moto-api/recorder/start-recording"),
    ("GET", "/latest/meta-data/iam/security-credentials/role"),
    ("PUT", "/latest/api/token"),
    ("GET", "/%6Doto-api/"),
]


def ask(local: LocalAws, method: str, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", local.record.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers
