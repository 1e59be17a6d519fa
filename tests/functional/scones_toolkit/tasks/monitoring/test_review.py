import hashlib
import io
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scones_core.errors import MonitorError, SettingsError
from scones_core.reviews import read_answers
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.joined_results import Joined
from scones_toolkit.tasks.monitoring.review import _classes, _table, print_agreement, review
from tests.functional.scones_monitor.review.conftest import Page
from tests.functional.scones_toolkit.tasks.conftest import LocalProject


def under_review(number: int) -> Joined:
    record = CapturedRecord(
        f"event-{number}", f"id{number}", datetime.now(UTC), "image/png", b"x", (0.6, 0.4), "main"
    )
    return Joined(f"k{number}", "van", 0.6, record)


ROWS = [under_review(number) for number in range(3)]


def test_labels_that_a_spreadsheet_saved_with_semicolons_survive_another_fetch(
    tmp_path: Path,
) -> None:
    listed = tmp_path / "labels.csv"
    header, *lines = _table(tmp_path, ROWS).splitlines()
    edited = [header, *(f"{line}bus" for line in lines)]
    listed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(edited).replace(",", ";").encode())

    assert _table(tmp_path, ROWS).count("bus") == 3


@pytest.mark.parametrize("content", [b"id,breed\n1,bus\n", b"file,label\nid0.png,bus,x\n", b"\xff"])
def test_a_list_that_is_not_understood_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)

    with pytest.raises(MonitorError, match="move it away"):
        _table(tmp_path, ROWS)
    assert (tmp_path / "labels.csv").read_bytes() == content


def under_review_in_s3(project: LocalProject, count: int) -> list[str]:
    """Have the last run send images to review; return their SHA-256."""
    digests, results = [], []
    for number in range(count):
        out = io.BytesIO()
        Image.new("RGB", (4, 4), (number, 0, 0)).save(out, "PNG")
        etag = project.client("s3").put_object(
            Bucket="data", Key=f"{number}.png", Body=out.getvalue()
        )["ETag"]
        inference = {
            "label": "bicycle",
            "confidence": 0.5 + number / 10,
            "inference_id": f"{number}",
        }
        image = {"bucket": "data", "key": f"{number}.png", "etag": etag}
        results.append({"image": image, "decision": "review", "inference": inference})
        digests.append(hashlib.sha256(out.getvalue()).hexdigest())
    project.records.write("execution", {"executions": [], "started_at": "", "results": results})
    return digests


def answered(project: LocalProject, labels: list[str], **options: Any) -> None:
    """Open the page, answer its images in their order, and end it."""
    until, before = threading.Event(), len(project.printed)
    task = threading.Thread(
        target=review,
        args=(project,),
        kwargs={"in_browser": False, "until": until, **options},
        daemon=True,
    )
    task.start()
    found = None
    while task.is_alive() and not (found := re.search(r"http://\S+", project.printed[before:])):
        task.join(0.05)
    assert found is not None, "the task ended before it served a page"
    page = Page(found[0])
    for label in labels:
        page.label(label)
    until.set()
    task.join(30)


def test_answers_are_in_s3_when_the_task_ends_and_a_second_reviewer_is_compared(
    project: LocalProject, tmp_path: Path
) -> None:
    digests = under_review_in_s3(project, 3)

    answered(project, ["bicycle", "motorcycle", "bicycle"], reviewer="ana")
    # Another host: nothing of the first one's files is there.
    other = replace(project, root=tmp_path / "other")
    answered(other, ["bicycle", "bicycle"], reviewer="ben", of="answered")

    found = read_answers(project.client("s3"), "data", "labels/").answers
    assert [(a.reviewer, a.sha256, a.label) for a in sorted(found, key=lambda a: a.at)] == [
        ("ana", digests[0], "bicycle"),
        ("ana", digests[1], "motorcycle"),
        ("ana", digests[2], "bicycle"),
        ("ben", digests[0], "bicycle"),
        ("ben", digests[1], "bicycle"),
    ]
    assert "3 images answered, median 1.2 s each" in project.printed
    print_agreement(project)
    assert re.search(r"ana, ben +2 +1 +0.00", project.printed)
    assert f"{digests[1]}.png  ana: motorcycle, ben: bicycle" in project.printed


def test_an_empty_queue_is_a_sentence_and_opens_no_page(project: LocalProject) -> None:
    project.client("sqs").create_queue(QueueName="scones-local-review")

    review(project, reviewer="ana", in_browser=False)

    assert "No image waits for review." in project.printed
    assert "http://" not in project.printed


def test_an_environment_without_a_queue_says_what_to_do(project: LocalProject) -> None:
    with pytest.raises(MonitorError, match="local has no review queue; give --of run"):
        review(project, reviewer="ana", of="queue", in_browser=False)


def test_a_reviewers_name_that_cannot_be_a_key_is_refused_before_anything(
    project: LocalProject,
) -> None:
    with pytest.raises(SettingsError, match="'Ana Silva' cannot be a reviewer's name"):
        review(project, reviewer="Ana Silva", in_browser=False)


def test_the_keys_are_the_models_classes_and_then_new_ones(project: LocalProject) -> None:
    settings = project.settings.override("dataset", classes=("bus", "bicycle"))

    assert _classes(replace(project, settings=settings), None) == ["bicycle", "motorcycle", "bus"]
    assert _classes(project, "van, bus,van") == ["van", "bus"]
