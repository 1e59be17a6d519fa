from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.model import OperationModel

from scones_core.errors import ChecksumMismatch, DatasetError, MalformedDataset
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_core.uris import manifest_key
from scones_etl.extract.synthetic import Synthetic
from scones_etl.load import UploadReport, read_manifest, upload
from scones_etl.pipeline import StagedDataset, stage

BUCKET = "scones-data"


@pytest.fixture(scope="module")
def dataset() -> StagedDataset:
    source = Synthetic(train_per_class=10, test_per_class=4)
    return stage(source, LabelSet.of(["bicycle", "motorcycle"]), DatasetSettings())


@pytest.fixture
def proof(dataset: StagedDataset) -> str:
    return manifest_key(dataset.manifest.version)


class Wire:
    """Notes the requests of a client, cuts the line after some puts, and hides ETags as KMS."""

    def __init__(self, client: Any) -> None:
        self.calls: list[tuple[str, str]] = []
        self.puts_left = 10_000
        self.kms = False
        self._events = client.meta.events
        self._handlers = {
            "before-parameter-build.s3": self._note,
            "before-call.s3.PutObject": self._cut,
            "after-call.s3.ListObjectsV2": self._hide,
        }
        for event, handler in self._handlers.items():
            self._events.register(event, handler)

    def release(self) -> None:
        for event, handler in self._handlers.items():
            self._events.unregister(event, handler)

    def _note(self, params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        self.calls.append((model.name, params.get("Key", "")))

    def _cut(self, **_: Any) -> None:
        self.puts_left -= 1
        if self.puts_left < 0:
            raise EndpointConnectionError(endpoint_url="https://s3")

    def _hide(self, parsed: dict[str, Any], **_: Any) -> None:
        if self.kms:
            for item in parsed.get("Contents", []):
                item["ETag"] = '"' + item["ETag"].strip('"')[::-1] + '"'

    def keys(self, operation: str) -> list[str]:
        return [key for name, key in self.calls if name == operation]


@pytest.fixture
def wire(s3: Any) -> Iterator[Wire]:
    wire = Wire(s3)
    yield wire
    wire.release()


def stored(s3: Any) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def body_of(s3: Any, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


def put(s3: Any, dataset: StagedDataset, **options: Any) -> UploadReport:
    return upload(dataset, s3, BUCKET, **{"workers": 4, **options})


def test_all_objects_arrive_and_the_manifest_is_the_last(
    s3: Any, wire: Wire, dataset: StagedDataset, proof: str
) -> None:
    report = put(s3, dataset)

    assert (report.uploaded, report.skipped) == (len(dataset.objects) + 1, 0)
    assert wire.keys("PutObject")[-1] == proof
    assert stored(s3) == {*dataset.objects, proof}
    assert all(body_of(s3, key) == body for key, body in dataset.objects.items())
    assert read_manifest(s3, BUCKET, dataset.manifest.version) == dataset.manifest


def test_objects_carry_type_and_checksum(s3: Any, dataset: StagedDataset, proof: str) -> None:
    put(s3, dataset)

    image = dataset.manifest.rows[0]
    head = s3.head_object(Bucket=BUCKET, Key=image.key, ChecksumMode="ENABLED")
    assert head["ContentType"] == "image/png"
    assert len(head["ChecksumSHA256"]) == 44
    assert s3.head_object(Bucket=BUCKET, Key=proof)["ContentType"] == "application/json"


def test_a_second_run_puts_nothing_and_says_so(s3: Any, wire: Wire, dataset: StagedDataset) -> None:
    put(s3, dataset)
    wire.calls.clear()

    report = put(s3, dataset)

    assert report.unchanged
    assert report.skipped == len(dataset.objects) + 1
    assert {name for name, _ in wire.calls} == {"ListObjectsV2"}


def test_a_failure_leaves_no_manifest_and_the_next_run_goes_on(
    s3: Any, wire: Wire, dataset: StagedDataset, proof: str
) -> None:
    wire.puts_left = 9
    with pytest.raises(DatasetError, match=r"cannot be written: .*AWS_ENDPOINT_URL"):
        put(s3, dataset)
    assert proof not in stored(s3)
    there = len(stored(s3))
    assert there == 9

    wire.puts_left = 10_000
    report = put(s3, dataset)

    assert (report.uploaded, report.skipped) == (len(dataset.objects) + 1 - there, there)
    assert stored(s3) == {*dataset.objects, proof}


def test_a_failure_at_the_manifest_leaves_the_images_for_the_next_run(
    s3: Any, wire: Wire, dataset: StagedDataset
) -> None:
    wire.puts_left = len(dataset.objects)
    with pytest.raises(DatasetError, match="manifest"):
        put(s3, dataset)
    assert stored(s3) == set(dataset.objects)

    wire.puts_left = 1
    assert put(s3, dataset).uploaded == 1


def test_a_missing_image_under_a_manifest_is_uploaded_and_verified_again(
    s3: Any, wire: Wire, dataset: StagedDataset, proof: str
) -> None:
    put(s3, dataset)
    gone = dataset.manifest.rows[0].key
    s3.delete_object(Bucket=BUCKET, Key=gone)
    wire.puts_left = 0
    with pytest.raises(DatasetError):
        put(s3, dataset)
    assert proof not in stored(s3)

    wire.puts_left = 10_000
    wire.calls.clear()
    put(s3, dataset)

    assert wire.keys("PutObject") == [gone, proof]


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1])])
def test_an_object_of_other_content_is_replaced(
    s3: Any, dataset: StagedDataset, change: Callable[[bytes], bytes]
) -> None:
    put(s3, dataset)
    key = dataset.manifest.rows[3].key
    s3.put_object(Bucket=BUCKET, Key=key, Body=change(dataset.objects[key]))

    assert put(s3, dataset).uploaded == 2
    assert body_of(s3, key) == dataset.objects[key]


def test_an_altered_manifest_is_replaced(
    s3: Any, wire: Wire, dataset: StagedDataset, proof: str
) -> None:
    put(s3, dataset)
    s3.put_object(Bucket=BUCKET, Key=proof, Body=b"{}")
    wire.calls.clear()

    assert put(s3, dataset).uploaded == 1
    assert wire.keys("PutObject") == [proof]


def test_a_key_of_kms_is_used_for_every_object(s3: Any, dataset: StagedDataset, proof: str) -> None:
    put(s3, dataset, kms_key_id="alias/scones")

    for key in (*dataset.objects, proof):
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/scones")


def test_where_the_etag_is_no_md5_the_stored_checksum_decides(
    s3: Any, wire: Wire, dataset: StagedDataset, proof: str
) -> None:
    put(s3, dataset)
    wire.kms = True
    wire.calls.clear()

    assert put(s3, dataset).unchanged
    assert set(wire.keys("HeadObject")) == {*dataset.objects, proof}

    key = dataset.manifest.rows[0].key
    s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(len(dataset.objects[key])))
    assert put(s3, dataset).uploaded == 2


def test_progress_starts_after_what_is_there_and_ends_with_all(
    s3: Any, wire: Wire, dataset: StagedDataset
) -> None:
    wire.puts_left = 9
    with pytest.raises(DatasetError):
        put(s3, dataset)
    wire.puts_left, seen = 10_000, []

    put(s3, dataset, progress=lambda *step: seen.append(step))

    total = len(dataset.objects) + 1
    assert seen == [(done, total) for done in range(10, total + 1)]


def test_a_bucket_that_is_not_there_is_named(s3: Any, dataset: StagedDataset) -> None:
    with pytest.raises(DatasetError, match="the bucket nowhere does not exist; apply"):
        upload(dataset, s3, "nowhere", workers=2)


def test_an_s3_that_cannot_be_reached_is_told(dataset: StagedDataset) -> None:
    client = boto3.client(
        "s3",
        "us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    with pytest.raises(DatasetError, match="Check the network"):
        upload(dataset, client, BUCKET, workers=2)


def test_a_version_that_is_not_there_is_named(s3: Any) -> None:
    with pytest.raises(DatasetError, match=r"holds no dataset 'abc'.*Run the ETL first"):
        read_manifest(s3, BUCKET, "abc")


def test_a_manifest_of_a_missing_bucket_is_reported(s3: Any) -> None:
    with pytest.raises(DatasetError, match="the bucket nowhere does not exist"):
        read_manifest(s3, "nowhere", "abc")


def test_a_manifest_that_is_none_is_refused(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=manifest_key("abc"), Body=b"not json")

    with pytest.raises(MalformedDataset):
        read_manifest(s3, BUCKET, "abc")


def test_an_altered_manifest_is_not_believed(s3: Any, dataset: StagedDataset, proof: str) -> None:
    fewer = replace(dataset.manifest, rows=dataset.manifest.rows[1:])
    s3.put_object(Bucket=BUCKET, Key=proof, Body=fewer.dumps().encode())

    with pytest.raises(ChecksumMismatch, match="altered"):
        read_manifest(s3, BUCKET, dataset.manifest.version)


def test_a_manifest_of_another_version_is_not_taken_for_this_one(
    s3: Any, dataset: StagedDataset
) -> None:
    s3.put_object(Bucket=BUCKET, Key=manifest_key("abc"), Body=dataset.manifest.dumps().encode())

    with pytest.raises(DatasetError, match="is the manifest of"):
        read_manifest(s3, BUCKET, "abc")
