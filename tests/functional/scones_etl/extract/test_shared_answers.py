import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.reviews import Answer, answer_line, read_answers
from scones_core.uris import S3Uri
from scones_etl.extract.resolve import open_source
from scones_etl.extract.shared_answers import fetch_answers

# Its clients share the descriptions of the services, which take long to read.
SESSION = boto3.Session("test", "test", region_name="us-east-1")

CLASSES = LabelSet.of(["bicycle", "motorcycle"])
LABELS = S3Uri("data", "labels")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = SESSION.client("s3")
        client.create_bucket(Bucket="data")
        yield client


def answer(s3: Any, reviewer: str, shade: int, label: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(out, "PNG")
    sha256 = hashlib.sha256(out.getvalue()).hexdigest()
    s3.put_object(Bucket="data", Key=f"labels/images/{sha256}.png", Body=out.getvalue())
    given = Answer(
        session="s",
        sequence=shade + 1,
        reviewer=reviewer,
        action="label",
        sha256=sha256,
        file=f"{sha256}.png",
        at="2026-01-01T00:00:00+00:00",
        label=label,
    )
    key = f"labels/{reviewer}/s/{shade + 1:06}-{shade + 1:06}.jsonl"
    s3.put_object(Bucket="data", Key=key, Body=answer_line(given))
    return f"labels/images/{sha256}.png"


def test_answers_of_several_hosts_are_one_source(s3: Any, tmp_path: Path) -> None:
    answer(s3, "ana", 0, "bicycle")
    gone = answer(s3, "ana", 1, "bicycle")
    answer(s3, "ben", 2, "motorcycle")
    s3.delete_object(Bucket="data", Key=gone)

    raw = open_source(fetch_answers(s3, LABELS, tmp_path)).read(CLASSES)

    assert sorted(raw.labels.tolist()) == [0, 1]
    assert list(raw.ingest_stats.passed_over.values()) == ["its image is gone"]


def test_one_reviewers_answers_are_a_source(s3: Any, tmp_path: Path) -> None:
    answer(s3, "ana", 0, "bicycle")
    answer(s3, "ben", 0, "motorcycle")

    folder = fetch_answers(s3, S3Uri("data", "labels/ben/"), tmp_path)

    assert open_source(folder).read(CLASSES).labels.tolist() == [1]


def test_what_was_fetched_stays_and_what_is_gone_from_s3_goes(s3: Any, tmp_path: Path) -> None:
    answer(s3, "ana", 0, "bicycle")
    folder = fetch_answers(s3, LABELS, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    answer(s3, "ana", 1, "motorcycle")

    assert fetch_answers(s3, LABELS, tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(open_source(folder).read(CLASSES)) == 2

    s3.delete_object(Bucket="data", Key="labels/ana/s/000002-000002.jsonl")
    fetch_answers(s3, LABELS, tmp_path)
    assert len(open_source(folder).read(CLASSES)) == 1


def test_a_prefix_without_answers_is_a_sentence(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="data", Key="labels/readme.txt", Body=b"")

    with pytest.raises(DatasetError, match="holds no answers of reviewers"):
        fetch_answers(s3, LABELS, tmp_path)


def test_a_bucket_that_is_not_there_is_a_sentence(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        fetch_answers(s3, S3Uri("elsewhere", "labels"), tmp_path)


def test_a_key_that_leaves_the_folder_is_refused(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="data", Key="labels/../../000001-000001.jsonl", Body=b"x")

    with pytest.raises(DatasetError, match="leaves its folder"):
        fetch_answers(s3, LABELS, tmp_path)


def test_who_may_write_below_one_name_cannot_answer_in_another(s3: Any, tmp_path: Path) -> None:
    image = answer(s3, "ana", 0, "bicycle")
    sha256 = Path(image).stem
    for reviewer in ("ana", "ben"):
        forged = Answer(
            session="s",
            sequence=1,
            reviewer=reviewer,
            action="label",
            sha256=sha256,
            file=f"{sha256}.png",
            at="2026-01-02T00:00:00+00:00",
            label="motorcycle",
        )
        key = f"labels/mallory/{reviewer}/s/000001-000001.jsonl"
        s3.put_object(Bucket="data", Key=key, Body=answer_line(forged))
    s3.put_object(Bucket="data", Key="labels/mallory/000001-000001.jsonl", Body=answer_line(forged))

    assert [one.label for one in read_answers(s3, "data", "labels/").answers] == ["bicycle"]
    raw = open_source(fetch_answers(s3, LABELS, tmp_path)).read(CLASSES)
    assert raw.labels.tolist() == [0]
    with pytest.raises(DatasetError, match="holds no answers of reviewers"):
        fetch_answers(s3, S3Uri("data", "labels/mallory"), tmp_path)
