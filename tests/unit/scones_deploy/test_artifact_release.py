import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import ReleaseError
from scones_core.golden_samples import GoldenSample, dumps
from scones_core.settings import EndpointSettings
from scones_deploy.artifact_release import artifact_release, missing_models, released_images
from scones_deploy.release import Release

URL = "s3://artifacts/model/job/output/model.tar.gz"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-model:1.0"
CARD = {
    "schema": 1,
    "labels": ["bicycle", "motorcycle"],
    "image": {"height": 32, "width": 32, "channels": 3},
    "normalisation": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    "temperature": 1.0,
    "threshold": 0.97,
    "target_precision": 0.99,
    "metrics": {"accuracy": 0.955, "n_test": 200, "by_class": {"bicycle": 1}, "precision": None},
    "confusion_matrix": [],
    "settings": {},
    "dataset_version": "2f1c",
    "manifest_sha256": "ab" * 32,
}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="artifacts")
        yield s3


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def archive(card: object = CARD, *more: tarfile.TarInfo, name: str = "model.json") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        text = json.dumps(card).encode()
        for info, content in [(member("model.onnx"), b"onnx"), (member(name), text)]:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return buffer.getvalue()


def release(s3: Any, content: bytes, **options: Any) -> Release:
    s3.put_object(Bucket="artifacts", Key="model/job/output/model.tar.gz", Body=content)
    now = datetime(2026, 11, 20, 14, 32, tzinfo=UTC)
    settings = EndpointSettings("ml.c5.large", 2)
    return artifact_release(s3, URL, image=IMAGE, endpoint=settings, now=now, **options)


def test_a_release_records_what_the_artifact_holds(s3: Any) -> None:
    content = archive()
    digest = hashlib.sha256(content).hexdigest()
    assert release(s3, content) == Release(
        id=f"20261120-143200-{digest[:4]}",
        image=IMAGE,
        model_data_url=URL,
        model_sha256=digest,
        instance_type="ml.c5.large",
        instance_count=2,
        threshold=0.97,
        labels=("bicycle", "motorcycle"),
        dataset_version="2f1c",
        metrics={"accuracy": 0.955, "n_test": 200},
    )


def test_a_threshold_and_an_environment_can_be_given(s3: Any) -> None:
    made = release(s3, archive(), threshold=0.5, environment={"LOG_LEVEL": "DEBUG"})
    assert (made.threshold, made.environment) == (0.5, {"LOG_LEVEL": "DEBUG"})


def test_a_model_is_missed_with_its_object_or_its_bucket(s3: Any) -> None:
    there = release(s3, archive())
    elsewhere = replace(there, id="b", model_data_url="s3://no-bucket/model.tar.gz")
    other_key = replace(there, id="k", model_data_url="s3://artifacts/other.tar.gz")
    assert missing_models(s3, [there, elsewhere, other_key]) == ["b", "k"]


def test_members_may_be_named_from_the_current_folder(s3: Any) -> None:
    root = member(".", tarfile.DIRTYPE)
    assert release(s3, archive(CARD, root, name="./model.json")).threshold == 0.97


@pytest.mark.parametrize(
    "url", ["s3://artifacts/never/model.tar.gz", "s3://no-such-bucket/model.tar.gz"]
)
def test_a_missing_artifact_is_named(s3: Any, url: str) -> None:
    with pytest.raises(ReleaseError, match=f"no model artifact at {url}"):
        artifact_release(
            s3, url, image=IMAGE, endpoint=EndpointSettings(), now=datetime.now(tz=UTC)
        )


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", archive()[:60], archive()[:-20], gzip.compress(b"not a tar" * 100)],
    ids=["empty", "text", "cut", "cut at the end", "no tar"],
)
def test_what_is_no_archive_is_refused(s3: Any, content: bytes) -> None:
    with pytest.raises(ReleaseError, match=URL):
        release(s3, content)


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/passwd"),
        member("../outside"),
        member("a/../../outside"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "model.onnx"),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_a_member_that_leads_outside_is_refused(s3: Any, bad: tarfile.TarInfo) -> None:
    with pytest.raises(
        ReleaseError, match=rf"member '{bad.name}' (points outside|is not a file or folder)"
    ):
        release(s3, archive(CARD, bad))


def test_two_descriptions_are_one_too_many(s3: Any) -> None:
    with pytest.raises(ReleaseError, match=r"has 'model\.json' twice"):
        release(s3, archive(CARD, member("./model.json")))


def test_none_is_one_too_few(s3: Any) -> None:
    with pytest.raises(ReleaseError, match=r"has no model\.json"):
        release(s3, archive(name="other.json"))


def test_a_description_of_any_size_is_not_read(s3: Any) -> None:
    with pytest.raises(ReleaseError, match="bytes"):
        release(s3, archive({"text": "x" * (1 << 24)}))


def test_an_archive_of_many_members_is_refused(s3: Any) -> None:
    with pytest.raises(ReleaseError, match="more than 1,000 members"):
        release(s3, archive(CARD, *(member(f"m{n}") for n in range(1001))))


def test_what_unpacks_to_too_much_is_refused(s3: Any) -> None:
    content = archive({**CARD, "settings": {"padding": "x" * 50_000}})
    assert release(s3, content, max_unpacked_bytes=100_000)
    with pytest.raises(ReleaseError, match="at most 40,000 are accepted"):
        release(s3, content, max_unpacked_bytes=40_000)


def test_a_header_of_a_gigabyte_is_refused_before_it_is_read(s3: Any) -> None:
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    info.size = 1 << 30
    content = gzip.compress(info.tobuf() + bytes(1 << 20))
    with pytest.raises(ReleaseError, match="a header of 1,073,741,824 bytes"):
        release(s3, content)


def test_damage_after_the_last_member_is_noticed(s3: Any) -> None:
    content = bytearray(archive())
    content[-6] ^= 1
    with pytest.raises(ReleaseError, match="not a model archive: it is damaged"):
        release(s3, bytes(content))


@pytest.mark.parametrize("key", sorted(CARD))
def test_an_incomplete_description_names_what_it_lacks(s3: Any, key: str) -> None:
    with pytest.raises(ReleaseError, match=key):
        release(s3, archive({k: v for k, v in CARD.items() if k != key}))


@pytest.mark.parametrize("card", [[], "text", {**CARD, "labels": 3}, {**CARD, "threshold": "x"}])
def test_a_description_of_another_form_is_refused(s3: Any, card: object) -> None:
    with pytest.raises(ReleaseError):
        release(s3, archive(card))


def test_the_golden_samples_are_those_of_the_very_artifact_that_was_released(s3: Any) -> None:
    known = (GoldenSample(b"png", "image/png", (0.9, 0.1)),)
    text = dumps(known).encode()
    info = member("golden_samples.json")
    info.size = len(text)
    buffer = io.BytesIO(archive())
    whole = io.BytesIO()
    with tarfile.open(fileobj=buffer) as old, tarfile.open(fileobj=whole, mode="w:gz") as new:
        for item in old:
            new.addfile(item, old.extractfile(item))
        new.addfile(info, io.BytesIO(text))
    made = release(s3, whole.getvalue())
    assert released_images(s3, made) == known
    assert released_images(s3, release(s3, archive())) == ()
    with pytest.raises(ReleaseError, match="replaced since"):
        released_images(s3, made)
