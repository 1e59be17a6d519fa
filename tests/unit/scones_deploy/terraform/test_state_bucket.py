import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from scones_core.errors import DeployError
from scones_deploy.terraform.state_bucket import (
    backend_bucket,
    backend_settings,
    ensure_state_bucket,
    state_lock,
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_bucket_is_made_once_and_versioned(region: str) -> None:
    s3: Any = boto3.client("s3", region_name=region)
    assert ensure_state_bucket(s3, "state")
    assert not ensure_state_bucket(s3, "state")
    assert s3.get_bucket_versioning(Bucket="state")["Status"] == "Enabled"


@pytest.mark.usefixtures("aws")
def test_a_refusal_is_a_sentence() -> None:
    s3: Any = boto3.client("s3", region_name="us-east-1")
    with Stubber(s3) as stubber, pytest.raises(DeployError, match="state bucket state cannot be"):
        stubber.add_client_error("head_bucket", "403", http_status_code=403)
        ensure_state_bucket(s3, "state")


LOCK = {
    "ID": "0d2b",
    "Operation": "OperationTypeApply",
    "Who": "ann@laptop",
    "Created": "2026-11-20T14:32:00Z",
}


@pytest.mark.usefixtures("aws")
def test_a_lock_says_who_holds_it_and_none_is_free() -> None:
    s3: Any = boto3.client("s3", region_name="us-east-1")
    assert state_lock(s3, "state", "dev/t.tfstate") is None
    s3.create_bucket(Bucket="state")
    assert state_lock(s3, "state", "dev/t.tfstate") is None
    s3.put_object(Bucket="state", Key="dev/t.tfstate.tflock", Body=json.dumps(LOCK))
    found = state_lock(s3, "state", "dev/t.tfstate")
    assert found is not None
    assert (found.id, found.who) == ("0d2b", "ann@laptop")
    assert (found.operation, found.created) == ("OperationTypeApply", "2026-11-20T14:32:00Z")


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("body", ["", "[]", "{}", "x"])
def test_what_is_not_a_lock_is_named(body: str) -> None:
    s3: Any = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="state")
    s3.put_object(Bucket="state", Key="t.tflock", Body=body)
    with pytest.raises(DeployError, match=r"s3://state/t\.tflock is not a lock"):
        state_lock(s3, "state", "t")


def test_backend_settings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "backend.hcl"
    path.write_text(
        '# state\nbucket = "scones-state" # here\n\n'
        '  use_path_style=true\nkey    = "dev/t.tfstate"\n'
    )
    assert backend_settings(path) == {
        "bucket": "scones-state",
        "use_path_style": "true",
        "key": "dev/t.tfstate",
    }
    assert backend_bucket(path) == "scones-state"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('key = "a"\n', "names no bucket"),
        ('bucket = ""\n', "names no bucket"),
        ("bucket = var.bucket\n", "backend.hcl:1"),
        ('bucket = "${x}"\n', "backend.hcl:1"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "backend.hcl"
    path.write_text(text)
    with pytest.raises(DeployError, match=message):
        backend_bucket(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"backend\.hcl cannot be read"):
        backend_settings(tmp_path / "backend.hcl")
