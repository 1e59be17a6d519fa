import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from PIL import Image

from scones_core.events import Inference, Result
from scones_images import ImageError
from scones_monitor.review.images import ImageFolder
from scones_monitor.review.journal import AnswerJournal
from scones_monitor.review.server import ReviewApplication, review_page
from scones_monitor.review.session import ReviewSession
from scones_monitor.review.sources import (
    Candidate,
    Images,
    ReviewQueue,
    SourceUnavailable,
    of_results,
)
from scones_monitor.review.uploads import Uploads
from tests.functional.scones_monitor.review.conftest import LABELS, Page

Clients = dict[str, Any]
# Its clients share the descriptions of the services, which take long to read.
SESSION = boto3.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients = {name: SESSION.client(name) for name in ("s3", "sqs")}
        clients["s3"].create_bucket(Bucket="data")
        yield clients


@pytest.fixture
def queue(aws: Clients) -> str:
    url: str = aws["sqs"].create_queue(QueueName="scones-local-review")["QueueUrl"]
    return url


def put(aws: Clients, key: str, shade: int) -> dict[str, str]:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(out, "PNG")
    etag = aws["s3"].put_object(Bucket="data", Key=key, Body=out.getvalue())["ETag"]
    return {"bucket": "data", "key": key, "etag": etag}


def send(aws: Clients, queue: str, image: Any, inference_id: str) -> None:
    body = {
        "image": image,
        "label": "bicycle",
        "confidence": 0.6,
        "threshold": 0.9,
        "inference_id": inference_id,
        "reason": "below the threshold",
    }
    aws["sqs"].send_message(QueueUrl=queue, MessageBody=json.dumps(body))


def counts(aws: Clients, queue: str) -> tuple[int, int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws["sqs"].get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def over_queue(aws: Clients, queue: str, journal: AnswerJournal, tmp_path: Path) -> ReviewSession:
    """Return a session over the images of a queue, which is not started yet."""
    return ReviewSession(
        journal,
        ImageFolder(tmp_path / "images"),
        ReviewQueue(aws.__getitem__, queue),
        Images(aws.__getitem__, "data", "labels/images/"),
        LABELS,
    )


def test_a_message_is_deleted_once_its_answer_is_in_s3_and_the_others_go_back(
    aws: Clients, queue: str, tmp_path: Path
) -> None:
    for number in range(3):
        send(aws, queue, put(aws, f"{number} ä+.png", number), f"id{number}")
    journal = AnswerJournal.open(tmp_path / "answers", "ana")
    images = ImageFolder(tmp_path / "images")
    uploads = Uploads(aws.__getitem__, "data", "labels/", images, gather_seconds=0)
    session = ReviewSession(
        journal,
        images,
        ReviewQueue(aws.__getitem__, queue),
        Images(aws.__getitem__, "data", "labels/images/"),
        LABELS,
        on_answer=uploads.add,
    )
    uploads.on_stored = session.stored
    server = review_page(ReviewApplication(session))
    for part in (server, uploads, session):
        part.start()
    try:
        page = Page(server.url)
        page.label("bicycle")
        skipped = page.state()["item"]["id"]
        page.post("skip", item=skipped, seconds=1)
    finally:
        with server:
            pass
        assert uploads.close(10) == 0
        session.close()
        journal.close()

    assert counts(aws, queue) == (2, 0)


def test_an_image_that_is_gone_is_shown_as_gone_until_it_is_closed(
    aws: Clients, queue: str, tmp_path: Path
) -> None:
    gone, there = put(aws, "gone.png", 1), put(aws, "there.png", 2)
    send(aws, queue, gone, "one")
    send(aws, queue, there, "two")
    aws["s3"].delete_object(Bucket="data", Key="gone.png")
    journal = AnswerJournal.open(tmp_path / "answers", "ana")
    session = over_queue(aws, queue, journal, tmp_path)
    server = review_page(ReviewApplication(session))
    for part in (server, session):
        part.start()
    try:
        page = Page(server.url)
        # Until both were taken: in which order the queue gives them is its own.
        while not (state := page.state())["progress"]["unusable"] or not state["item"]:
            pass
        (shown,) = state["unusable"]
        assert (shown["place"], shown["guess"]) == ("s3://data/gone.png", "bicycle")
        assert shown["reason"] == "the image was deleted or replaced since"
        closed = page.post("close")
    finally:
        with server:
            pass
        session.close()
        journal.close()

    assert (closed["progress"]["unusable"], closed["progress"]["closed"]) == (0, 1)
    assert "closed, as it could not be shown: 1" in closed["left_out"]
    assert [one.candidate.image["key"] for one in session.closed] == ["gone.png"]
    assert counts(aws, queue) == (1, 0), "the other one is back, the gone one is not"


def test_a_message_of_an_image_that_was_answered_before_is_deleted_unseen(
    aws: Clients, queue: str, tmp_path: Path
) -> None:
    image = put(aws, "a.png", 1)
    send(aws, queue, image, "one")
    journal = AnswerJournal.open(tmp_path / "answers", "ana")
    journal.append(
        "label", sha256="a" * 64, file=f"{'a' * 64}.png", label="bicycle", inference_id="one"
    )
    session = over_queue(aws, queue, journal, tmp_path)
    session.start()
    try:
        while (state := session.state(10))["loading"]:
            pass
    finally:
        session.close()
        journal.close()

    assert state["item"] is None
    assert counts(aws, queue) == (0, 0)


def test_messages_that_name_no_image_are_counted_and_stay(aws: Clients, queue: str) -> None:
    for body in (" ", "nonsense", "[]", "{}", '{"image": {"bucket": "data"}}', "1"):
        aws["sqs"].send_message(QueueUrl=queue, MessageBody=body)
    source = ReviewQueue(aws.__getitem__, queue)

    assert source.take(10) == []
    assert source.faults() == {"a message of the queue names no image": 6}
    assert sum(counts(aws, queue)) == 6


@pytest.mark.parametrize("confidence", ["NaN", "1e999", "2", '"high"', "[]", "1" + "0" * 400])
def test_a_confidence_that_is_none_is_left_out_or_is_no_message(
    aws: Clients, queue: str, confidence: str
) -> None:
    image = json.dumps(put(aws, "a.png", 1))
    body = f'{{"image": {image}, "confidence": {confidence}}}'
    aws["sqs"].send_message(QueueUrl=queue, MessageBody=body)
    source = ReviewQueue(aws.__getitem__, queue)

    assert [one.confidence for one in source.take(10)] in ([], [None])


def refuse(aws: Clients, key: str, code: str, status: int) -> None:
    """Have S3 refuse to give an object."""

    def refuse_it(params: dict[str, Any], **_: Any) -> None:
        if params["url_path"].endswith(key):
            error: Any = {
                "Error": {"Code": code, "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(error, "GetObject")

    aws["s3"].meta.events.register("before-call.s3.GetObject", refuse_it)


def test_an_image_that_the_reviewer_may_not_read_is_set_aside_and_stays_in_the_queue(
    aws: Clients, queue: str, tmp_path: Path
) -> None:
    """Another reviewer may read it."""
    secret, there = put(aws, "secret.png", 1), put(aws, "there.png", 2)
    send(aws, queue, secret, "one")
    send(aws, queue, there, "two")
    refuse(aws, "secret.png", "AccessDenied", 403)
    journal = AnswerJournal.open(tmp_path / "answers", "ana")
    session = over_queue(aws, queue, journal, tmp_path)
    server = review_page(ReviewApplication(session))
    for part in (server, session):
        part.start()
    try:
        page = Page(server.url)
        while not (state := page.state())["progress"]["unusable"] or not state["item"]:
            pass
        (shown,) = state["unusable"]
        assert shown["place"] == "s3://data/secret.png"
        assert "AccessDenied" in shown["reason"]
        assert state["progress"]["closable"] == 0
        closed = page.post("close")
    finally:
        with server:
            pass
        session.close()
        journal.close()

    assert (closed["progress"]["unusable"], closed["progress"]["closed"]) == (1, 0)
    assert counts(aws, queue) == (2, 0), "both are back in the queue"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("AllAccessDisabled", 403),
        ("KMS.DisabledException", 400),
        ("InvalidRequest", 400),
        ("PermanentRedirect", 301),
    ],
)
def test_what_s3_refuses_of_one_image_does_not_keep_the_others_waiting(
    aws: Clients, code: str, status: int
) -> None:
    image = put(aws, "a.png", 1)
    refuse(aws, "a.png", code, status)
    with pytest.raises(ImageError, match=code):
        Images(aws.__getitem__, "data", "labels/images/")(Candidate(image))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ExpiredToken", 400),
        ("InvalidAccessKeyId", 403),
        ("SignatureDoesNotMatch", 403),
        ("RequestTimeTooSkewed", 403),
        ("RequestTimeout", 400),
        ("SlowDown", 503),
        ("ThrottlingException", 400),
        ("InternalError", 500),
    ],
)
def test_what_s3_refuses_of_every_image_is_tried_again(
    aws: Clients, code: str, status: int
) -> None:
    image = put(aws, "a.png", 1)
    refuse(aws, "a.png", code, status)
    with pytest.raises(SourceUnavailable, match=code):
        Images(aws.__getitem__, "data", "labels/images/")(Candidate(image))


def test_an_empty_queue_says_what_other_sessions_hold(aws: Clients, queue: str) -> None:
    ours, theirs = ReviewQueue(aws.__getitem__, queue), ReviewQueue(aws.__getitem__, queue)
    assert ours.note() == ""
    send(aws, queue, put(aws, "a.png", 1), "one")
    assert len(theirs.take(10)) == 1

    assert ours.take(10) == []
    assert ours.note().startswith("1 more of the queue are open in another session")
    assert theirs.note() == ""


def test_a_queue_that_is_gone_is_a_sentence(aws: Clients, queue: str) -> None:
    source = ReviewQueue(aws.__getitem__, queue)
    aws["sqs"].delete_queue(QueueUrl=queue)

    with pytest.raises(SourceUnavailable, match="The review queue refuses"):
        source.take(1)


def test_an_image_that_was_deleted_or_replaced_is_not_another_image(aws: Clients) -> None:
    load = Images(aws.__getitem__, "data", "labels/images/")
    image = put(aws, "a.png", 1)
    assert load(Candidate(image)).startswith(b"\x89PNG")

    put(aws, "a.png", 2)
    with pytest.raises(ImageError, match="deleted or replaced"):
        load(Candidate(image))
    with pytest.raises(ImageError, match="deleted or replaced"):
        load(Candidate({**image, "key": "b.png"}))


@pytest.mark.parametrize(
    "image",
    [
        {"bucket": "no such", "key": "a.png"},
        {"bucket": "elsewhere", "key": "a.png"},
        {"bucket": "data", "key": "a.png", "version": "none"},
        {"bucket": "data"},
        {},
    ],
    ids=str,
)
def test_a_place_that_has_no_image_does_not_keep_the_others_waiting(
    aws: Clients, image: dict[str, str]
) -> None:
    put(aws, "a.png", 1)
    with pytest.raises(ImageError):
        Images(aws.__getitem__, "data", "labels/images/")(Candidate(image))


def test_an_answer_can_be_read_again_whatever_its_message_said(
    aws: Clients, queue: str, tmp_path: Path
) -> None:
    image = put(aws, "a.png", 1)
    long = {**put(aws, "b.png", 2), "version": "x" * 70_000}
    for each in (image, long):
        body = {"image": each, "label": "x" * 70_000, "inference_id": "one"}
        aws["sqs"].send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    journal = AnswerJournal.open(tmp_path / "answers", "ana")
    session = over_queue(aws, queue, journal, tmp_path)
    session.start()
    try:
        while not (state := session.state(10))["progress"]["unusable"] or not state["item"]:
            pass
        session.answer(state["item"]["id"], "bicycle", 1.0)
    finally:
        session.close()
        journal.close()

    assert state["unusable"][0]["reason"] == "its location is longer than any of S3"
    again = AnswerJournal.open(tmp_path / "answers", "ana")
    again.close()
    assert [(one.label, one.image["key"]) for one in again.answers] == [("bicycle", "a.png")]
    assert not again.faults.total


def test_a_runs_images_under_review_come_with_the_least_confident_first() -> None:
    def result(key: str, decision: Literal["accepted", "review"], confidence: float) -> Result:
        inference: Inference = {
            "label": "bicycle",
            "confidence": confidence,
            "probabilities": {"bicycle": confidence},
            "inference_id": key,
            "variant": "AllTraffic",
        }
        return {"image": {"bucket": "b", "key": key}, "decision": decision, "inference": inference}

    results = [
        result("a", "review", 0.8),
        result("b", "accepted", 0.1),
        result("c", "review", 0.6),
        cast(Result, {"image": "nonsense", "decision": "failed"}),
    ]

    assert [one.image["key"] for one in of_results(results)] == ["c", "a"]
    assert [one.image["key"] for one in of_results(results, "accepted")] == ["b"]
