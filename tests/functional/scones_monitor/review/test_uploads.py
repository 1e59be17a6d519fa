import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from scones_core.reviews import IMAGES, Answer, current_answers, read_answers
from scones_monitor.review.images import ImageFolder
from scones_monitor.review.journal import AnswerJournal
from scones_monitor.review.uploads import Uploads

# Its clients share the descriptions of the services, which take long to read.
SESSION = boto3.Session("test", "test", region_name="us-east-1")

SHA = "a" * 64


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = SESSION.client("s3")
        client.create_bucket(Bucket="data")
        yield client


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[AnswerJournal]:
    opened = AnswerJournal.open(tmp_path / "answers", "ana")
    yield opened
    opened.close()


@pytest.fixture
def images(tmp_path: Path) -> ImageFolder:
    (tmp_path / IMAGES).mkdir()
    (tmp_path / IMAGES / f"{SHA}.png").write_bytes(b"image")
    return ImageFolder(tmp_path / IMAGES)


def label(journal: AnswerJournal, name: str = "bus") -> Answer:
    return journal.append("label", sha256=SHA, file=f"{SHA}.png", label=name)


def keys(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="data").get("Contents", [])]


def test_answers_and_their_image_are_in_s3_before_they_count_as_stored(
    s3: Any, journal: AnswerJournal, images: ImageFolder
) -> None:
    stored: list[Answer] = []
    uploads = Uploads(lambda _: s3, "data", "labels/", images, gather_seconds=0)
    uploads.on_stored = stored.extend
    uploads.start()
    given = [label(journal), label(journal, "van")]
    for answer in given:
        uploads.add(answer)

    assert uploads.close(10) == 0
    assert stored == given
    assert list(read_answers(s3, "data", "labels/").answers) == given
    assert s3.get_object(Bucket="data", Key=f"labels/images/{SHA}.png")["Body"].read() == b"image"


def test_what_a_killed_process_left_is_uploaded_by_the_next_and_nothing_twice(
    s3: Any, journal: AnswerJournal, images: ImageFolder
) -> None:
    first, second, third = label(journal), label(journal), label(journal)
    before = Uploads(lambda _: s3, "data", "labels/", images, gather_seconds=0)
    before.start()
    before.add(second)
    assert before.close(10) == 0

    after = Uploads(lambda _: s3, "data", "labels/", images, earlier=[first, second, third])
    after.start()
    assert after.close(10) == 0

    parts = [key.rpartition("/")[2] for key in keys(s3) if key.endswith(".jsonl")]
    assert parts == [f"{n:06}-{n:06}.jsonl" for n in (1, 2, 3)]
    assert current_answers(read_answers(s3, "data", "labels/").answers).revised == 0


def test_answers_wait_while_s3_is_gone_and_reach_it_under_its_new_address(
    s3: Any, journal: AnswerJournal, images: ImageFolder
) -> None:
    asked, failing = threading.Event(), [True]

    def connect(_service: str) -> Any:
        asked.set()
        if failing[0]:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return s3

    uploads = Uploads(connect, "data", "labels/", images, gather_seconds=0)
    uploads.start()
    uploads.add(label(journal))
    assert asked.wait(10)
    assert uploads.pending == 1
    failing[0] = False

    assert uploads.close(10) == 0
    assert len(read_answers(s3, "data", "labels/").answers) == 1


def test_an_end_without_s3_says_how_many_answers_are_only_here(
    journal: AnswerJournal, images: ImageFolder
) -> None:
    def connect(_service: str) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    uploads = Uploads(connect, "data", "labels/", images, gather_seconds=0)
    uploads.start()
    uploads.add(label(journal))

    assert uploads.close(0) == 1


def test_answers_in_another_reviewers_name_are_left_out_and_counted(
    s3: Any, journal: AnswerJournal, images: ImageFolder
) -> None:
    uploads = Uploads(lambda _: s3, "data", "labels/", images, gather_seconds=0)
    uploads.start()
    uploads.add(label(journal))
    assert uploads.close(10) == 0
    (key,) = [key for key in keys(s3) if key.endswith(".jsonl")]
    copied = key.replace("/ana/", "/ben/")
    s3.copy_object(Bucket="data", Key=copied, CopySource={"Bucket": "data", "Key": key})
    s3.put_object(Bucket="data", Key=copied.replace("000001", "000002"), Body=b"nonsense\n")

    found = read_answers(s3, "data", "labels/")

    assert [answer.reviewer for answer in found.answers] == ["ana"]
    assert found.faults.counts == {
        "it is in another reviewer's name": 1,
        "the line is not JSON": 1,
    }
