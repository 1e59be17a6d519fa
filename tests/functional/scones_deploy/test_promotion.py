import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import ReleaseError
from scones_deploy.promotion import chosen, fetch, place, promoted
from scones_deploy.release import Release, Releases

MODEL = b"a model"
KEY = "model/job/output/model.tar.gz"
RELEASE = Release(
    id="20261120-1432-ab12",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1.0",
    model_data_url=f"s3://dev-artifacts/{KEY}",
    model_sha256=hashlib.sha256(MODEL).hexdigest(),
    instance_type="ml.m5.large",
    instance_count=1,
    threshold=0.97,
    labels=("bicycle", "motorcycle"),
    dataset_version="2f1c",
    environment={},
    metrics={"accuracy": 0.955},
)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("dev-artifacts", "prod-artifacts"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="dev-artifacts", Key=KEY, Body=MODEL)
        yield client


def test_the_active_release_is_chosen_unless_one_is_named() -> None:
    other = replace(RELEASE, id="other")
    known = Releases(RELEASE.id, {RELEASE.id: RELEASE, "other": other})
    assert chosen(known, None, "dev") == RELEASE
    assert chosen(known, "other", "dev") == other


def test_an_unknown_release_lists_the_known_ones() -> None:
    with pytest.raises(ReleaseError, match=f"no release 'x' in dev; it has {RELEASE.id}"):
        chosen(Releases(None, {RELEASE.id: RELEASE}), "x", "dev")
    with pytest.raises(ReleaseError, match="Nothing was released in dev yet"):
        chosen(Releases(), None, "dev")


def test_a_promoted_release_differs_in_its_bucket_alone() -> None:
    copy = promoted(RELEASE, "prod-artifacts")
    assert copy == replace(RELEASE, model_data_url=f"s3://prod-artifacts/{KEY}")


def test_an_artifact_is_carried_over_byte_for_byte(s3: Any, tmp_path: Path) -> None:
    copy = promoted(RELEASE, "prod-artifacts")
    assert place(s3, fetch(s3, RELEASE, tmp_path), copy)
    assert s3.get_object(Bucket="prod-artifacts", Key=KEY)["Body"].read() == MODEL
    assert not place(s3, fetch(s3, RELEASE, tmp_path), copy)


def test_a_fetched_artifact_needs_no_source(s3: Any, tmp_path: Path) -> None:
    path = fetch(s3, RELEASE, tmp_path)
    s3.delete_object(Bucket="dev-artifacts", Key=KEY)
    assert fetch(s3, RELEASE, tmp_path) == path


def test_a_damaged_copy_in_the_cache_is_fetched_again(s3: Any, tmp_path: Path) -> None:
    path = fetch(s3, RELEASE, tmp_path)
    path.write_bytes(b"half a mod")
    assert fetch(s3, RELEASE, tmp_path).read_bytes() == MODEL


def test_bytes_that_are_not_the_release_are_refused_and_not_kept(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="dev-artifacts", Key=KEY, Body=b"another model")
    with pytest.raises(ReleaseError, match=r"nothing was promoted"):
        fetch(s3, RELEASE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_fetch_writes_into_no_file_that_another_one_may_have_open(
    s3: Any, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"theirs")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / f"{RELEASE.model_sha256}.part").symlink_to(foreign)

    assert fetch(s3, RELEASE, cache).read_bytes() == MODEL
    assert foreign.read_bytes() == b"theirs"


def test_another_artifact_in_the_target_is_left_as_it_is(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="prod-artifacts", Key=KEY, Body=b"another model")
    with pytest.raises(ReleaseError, match="it was left as it is"):
        place(s3, fetch(s3, RELEASE, tmp_path), promoted(RELEASE, "prod-artifacts"))
    assert s3.get_object(Bucket="prod-artifacts", Key=KEY)["Body"].read() == b"another model"


def test_a_bucket_that_is_not_there_is_named(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="s3://nowhere/"):
        place(s3, fetch(s3, RELEASE, tmp_path), promoted(RELEASE, "nowhere"))
