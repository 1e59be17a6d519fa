import contextlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from scones_core.errors import MonitorError
from scones_core.uris import S3Uri
from scones_monitor.capture_files import FolderCaptures, S3Captures
from scones_monitor.period_summary import Query, Summary, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.release_history import History, Stretch

LABELS = ("bicycle", "motorcycle")
DAY = "scones/AllTraffic/2026/11/20"
Line = Callable[..., str]


class Captures:
    """A folder of captured records, and the archive that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.archive = folder / "captures", Archive(folder / "archive", "scones")
        self.folder.mkdir()

    def put(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def read(self, labels: tuple[str, ...] = LABELS, **query: Any) -> Summary:
        source = FolderCaptures(self.folder, "scones")
        files = source.list().files
        self.archive.update(source, files)
        return summarise(self.archive, files, Query(labels=labels, threshold=0.97, **query))


@pytest.fixture
def captures(tmp_path: Path) -> Captures:
    return Captures(tmp_path)


def excluded(summary: Summary) -> dict[str, int]:
    return {each.reason.partition(":")[0]: each.count for each in summary.excluded}


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_record_is_of_the_release_that_answered_at_its_time(
    captures: Captures, line: Line
) -> None:
    """Its threshold decides, and its order of the classes says which one was answered."""
    hours = (11, 13, 15, 17)
    for hour in hours:
        time, name = f"2026-11-20T{hour}:00:05Z", f"e{hour}"
        answer = line(name, inference_id=name, time=time, probabilities=(0.98, 0.02))
        captures.put(f"{DAY}/{hour}/00-05-000-a.jsonl", answer)
    history = History(
        (
            Stretch(at(12), "reordered", 0.99, LABELS[::-1]),
            Stretch(at(14), "foreign", 0.5, ("bicycle", "tram")),
            Stretch(at(16), "active", 0.97, LABELS),
        )
    )

    found = captures.read(history=history, truth={f"e{h}": "bicycle" for h in hours})

    order = np.argsort(found.time)
    assert found.label[order].tolist() == [0, 1, 0]
    assert found.accepted[order].tolist() == [False, False, True]
    named = {place.time.hour: place.label for place in found.least_confident}
    assert named == {11: "bicycle", 13: "motorcycle", 17: "bicycle"}
    mean = np.nanmean(found.sample.probabilities[found.sample.label == 1], axis=0)
    assert mean.tolist() == pytest.approx([0.02, 0.98])
    assert excluded(found)["answers of a release with other classes"] == 1
    assert found.decided_by() == (0.97, 0.99)


def test_only_new_files_are_read_and_the_rest_comes_from_the_archive(
    captures: Captures, line: Line
) -> None:
    first = captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    captures.read()
    first.unlink()
    captures.put(f"{DAY}/15/00-05-000-b.jsonl", line("b", time="2026-11-20T15:00:05Z"))

    assert len(captures.read()) == 2
    assert sum(part.rows for part in captures.archive.parts()) == 2


def test_a_file_that_was_replaced_counts_as_it_is_now(captures: Captures, line: Line) -> None:
    name = f"{DAY}/14/32-05-000-a.jsonl"
    captures.put(name, line("a"), line("b"))
    assert len(captures.read()) == 2
    captures.put(name, line("a"), line("b"), line("c"))

    found = captures.read()

    assert (len(found), found.files, excluded(found)) == (3, 1, {})


def test_parts_lie_by_endpoint_variant_and_date(captures: Captures, line: Line) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    captures.read()

    (part,) = captures.archive.folder.rglob("*.parquet")
    folder = part.parent.relative_to(captures.archive.folder).as_posix()
    assert folder == "endpoint=scones/variant=AllTraffic/date=2026-11-20"


def test_a_half_written_part_is_not_read_and_its_files_are_read_again(
    captures: Captures, line: Line
) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    captures.read()
    (part,) = captures.archive.folder.rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-100])
    shutil.copy(part, part.with_name(".part-left-behind.1"))

    assert len(captures.read()) == 1


@pytest.mark.parametrize(
    "metadata",
    [b"[" * 100_000, b'{"first": 1e300}', b'{"files": [[["a"], "b"]]}', b"[]", b"\xff"],
    ids=["deep", "no time", "a list", "no object", "no text"],
)
def test_a_part_whose_description_is_damaged_is_written_again(
    captures: Captures, line: Line, metadata: bytes
) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    captures.read()
    (part,) = captures.archive.folder.rglob("*.parquet")
    table = pq.read_table(part, partitioning=None)
    described = json.loads(table.schema.metadata[b"scones"])
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        metadata = json.dumps({**described, **json.loads(metadata)}).encode()
    pq.write_table(table.replace_schema_metadata({b"scones": metadata}), part)

    assert len(captures.read()) == 1


def test_an_interrupted_write_leaves_no_part(
    captures: Captures, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))

    def full(table: Any, path: Path, **options: Any) -> None:
        path.write_bytes(b"PAR1")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.write_table", full)
        with pytest.raises(OSError, match="no space"):
            captures.read()

    assert [path for path in captures.archive.root.rglob("*") if path.is_file()] == []
    assert len(captures.read()) == 1


def test_a_file_that_goes_before_it_is_read_is_counted(captures: Captures, line: Line) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    gone = captures.put(f"{DAY}/14/33-05-000-b.jsonl", line("b"))
    source = FolderCaptures(captures.folder, "scones")
    files = source.list().files
    gone.unlink()

    captures.archive.update(source, files)

    found = summarise(captures.archive, files, Query(labels=LABELS, threshold=0.97))
    assert (len(found), excluded(found)) == (1, {"the file was gone before it could be read": 1})


def test_repeated_events_and_retries_are_counted_once_and_said(
    captures: Captures, line: Line
) -> None:
    captures.put(
        f"{DAY}/14/32-05-000-a.jsonl",
        line("a", inference_id="one", probabilities=(0.6, 0.4)),
        line("b", inference_id="one", time="2026-11-20T14:32:07Z", probabilities=(0.99, 0.01)),
        line("c"),
        line("c"),
    )
    captures.put(f"{DAY}/15/00-05-000-b.jsonl", line("c", time="2026-11-20T14:59:59Z"))

    found = captures.read()

    assert sorted(found.confidence.tolist()) == pytest.approx([0.99, 0.99])
    assert excluded(found) == {
        "captured twice": 2,
        "answers of a request that was retried": 1,
    }


def test_an_event_that_was_delivered_again_on_the_next_day_counts_once(
    captures: Captures, line: Line
) -> None:
    captures.put(f"{DAY}/23/59-00-000-a.jsonl", line("a", time="2026-11-20T23:59:00Z"))
    captures.put(
        "scones/AllTraffic/2026/11/21/00/00-01-000-b.jsonl",
        line("a", time="2026-11-21T00:00:01Z"),
    )

    assert excluded(captures.read()) == {"captured twice": 1}


def test_lines_that_are_no_records_are_counted_by_reason_with_the_first(
    captures: Captures, line: Line
) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"), "broken", "broken", line("b")[:80])
    path = captures.folder / f"{DAY}/14/32-05-000-a.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))

    for _ in range(2):  # from the files, then from the archive
        found = captures.read()
        assert {each.reason: (each.count, each.first) for each in found.excluded} == {
            "the line is not JSON": (2, f"{DAY}/14/32-05-000-a.jsonl:2"),
            "the file's last line is half-written": (1, f"{DAY}/14/32-05-000-a.jsonl:4"),
        }


def test_clocks_that_disagree_are_counted_and_the_files_time_is_used(
    captures: Captures, line: Line
) -> None:
    captures.put(
        f"{DAY}/14/32-05-000-a.jsonl",
        line("early", time="2026-11-20T09:00:00Z"),
        line("late", time="2026-11-25T09:00:00Z"),
        line("right", time="2026-11-20T14:33:00Z"),
    )

    found = captures.read(since=at(14), until=at(15))

    assert (len(found), found.other_clock) == (3, 2)
    assert found.span == (at(14, 32).replace(second=5), at(14, 33))


def test_the_period_is_half_open(captures: Captures, line: Line) -> None:
    for hour in (9, 12, 16):
        time = f"2026-11-20T{hour:02}:00:00Z"
        captures.put(f"{DAY}/{hour:02}/00-00-000-x.jsonl", line(str(hour), time=time))

    assert len(captures.read(since=at(9), until=at(16))) == 2
    assert len(captures.read(since=at(9, 1))) == 2
    assert len(captures.read(until=at(9))) == 0


def test_another_models_answers_are_left_out_and_named(captures: Captures, line: Line) -> None:
    captures.put(
        f"{DAY}/14/32-05-000-a.jsonl",
        line("a"),
        line("b", probabilities=(0.2, 0.3, 0.5)),
        line("golden", inference_id="golden-1"),
    )

    found = captures.read()

    assert [(each.reason, each.count) for each in found.excluded] == [
        ("golden samples, which an apply sent to verify the endpoint", 1),
        ("answers of another model: 3 classes", 1),
    ]
    assert len(found) == 1


def test_top_k_answers_are_counted_by_their_label(captures: Captures, line: Line) -> None:
    lines = [
        line(name, answer=[{"label": label, "probability": 0.8}])
        for name, label in (("a", "motorcycle"), ("b", "tram"))
    ]
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", *lines, line("c"))

    found = captures.read()

    assert sorted(found.label.tolist()) == [0, 1]
    assert excluded(found) == {"answers of a class that the model does not have": 1}
    assert np.isnan(found.sample.probabilities).sum() == 2


def test_truth_is_joined_and_labels_without_a_record_are_counted(
    captures: Captures, line: Line
) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a", inference_id="one"), line("b"))

    found = captures.read(truth={"one": "motorcycle", "gone": "bicycle", "odd": "tram"})

    assert sorted(found.truth.tolist()) == [-1, 1]
    assert [(p.truth, p.label, p.inference_id) for p in found.wrong] == [
        ("motorcycle", "bicycle", "one")
    ]
    assert excluded(found) == {"labels of images that have no record in this period": 2}
    assert found.other_classes == ()


def test_a_label_that_the_model_does_not_know_makes_its_answer_wrong(
    captures: Captures, line: Line
) -> None:
    named = [line(name, inference_id=name) for name in "abc"]
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", *named)

    found = captures.read(truth={"a": "bicycle", "b": "tram", "gone": "scooter"})
    assert found.span is not None
    more = found.with_answers([(found.span[0], "bicycle", 0.9, "van")])

    assert found.truth_names == (*LABELS, "tram")
    assert sorted(found.truth.tolist()) == [-1, 0, 2]
    assert [(p.truth, p.inference_id) for p in found.wrong] == [("tram", "b")]
    assert more.other_classes == ("tram", "van")
    assert more.truth.tolist()[-1] == 3


def test_a_thousand_classes_are_read(captures: Captures, line: Line) -> None:
    labels = tuple(f"class {i}" for i in range(1_000))
    answer = [0.5 if i == 700 else 0.5 / 999 for i in range(1_000)]
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a", probabilities=tuple(answer)))

    found = captures.read(labels)

    assert found.label.tolist() == [700]
    assert found.sample.probabilities.shape == (1, 1_000)


def test_the_least_confident_images_can_be_found_again(captures: Captures, line: Line) -> None:
    captures.put(
        f"{DAY}/14/32-05-000-a.jsonl",
        line("sure", probabilities=(0.99, 0.01)),
        line("unsure", probabilities=(0.4, 0.6)),
    )

    found = captures.read()

    place = found.least_confident[0]
    assert (place.label, place.confidence) == ("motorcycle", pytest.approx(0.6))
    read = b"".join(FolderCaptures(captures.folder).read(place.key, place.start, place.length))
    assert read.decode() == line("unsure", probabilities=(0.4, 0.6))


def test_other_endpoints_and_other_files_are_named(captures: Captures, line: Line) -> None:
    captures.put(f"{DAY}/14/32-05-000-a.jsonl", line("a"))
    captures.put("other/AllTraffic/2026/11/20/14/32-05-000-a.jsonl", line("b"))
    captures.put("notes.txt", "nothing")

    listing = FolderCaptures(captures.folder, "scones").list()

    assert [file.endpoint for file in listing.files] == ["scones"]
    assert [sentence.partition(";")[0] for sentence in listing.left_out] == [
        "1 other endpoint(s) in the same place were not read: other",
        "1 object(s) are not capture files",
    ]


def test_a_bucket_is_read_as_a_folder_is(
    s3: Any, put: Callable[..., None], line: Line, tmp_path: Path
) -> None:
    put(f"capture/{DAY}/14/32-05-000-a.jsonl", line("a"), line("b"))
    put("capture/other/AllTraffic/2026/11/20/14/32-05-000-a.jsonl", line("b"))
    put(f"capture/{DAY}/14/notes.txt", "nothing")
    source = S3Captures(s3, S3Uri.parse("s3://captures/capture"), "scones")
    archive = Archive(tmp_path, "scones")

    listing = source.list(at(14), at(15))
    archive.update(source, listing.files)
    found = summarise(archive, listing.files, Query(labels=LABELS, threshold=0.97))

    assert len(found) == 2
    assert len(listing.left_out) == 2
    place = found.least_confident[0]
    assert b"".join(source.read(place.key, place.start, place.length)).startswith(b"{")
    s3.delete_object(Bucket="captures", Key=place.key)
    with pytest.raises(FileNotFoundError):
        list(source.read(place.key))


def test_waiting_ends_with_the_last_expected_record(
    s3: Any, put: Callable[..., None], line: Line, tmp_path: Path
) -> None:
    source = S3Captures(s3, S3Uri.parse("s3://captures/capture"), "scones")
    put(f"capture/{DAY}/14/32-05-000-a.jsonl", line("a", inference_id="other"))
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        name = f"capture/{DAY}/14/32-0{int(now[0])}-000-b.jsonl"
        put(name, line(f"b{now[0]}", inference_id=f"id{int(now[0])}"))

    archive = Archive(tmp_path, "scones")
    archive.wait_for(source, ["id1", "id2"], at(14), 60, clock=lambda: now[0], sleep=sleep)

    assert now[0] == 2
    with pytest.raises(MonitorError, match="takes minutes"):
        archive.wait_for(source, ["never"], at(14), 0, clock=lambda: now[0], sleep=sleep)


def test_requests_within_the_second_of_the_beginning_are_found(
    s3: Any, put: Callable[..., None], line: Line, tmp_path: Path
) -> None:
    source = S3Captures(s3, S3Uri.parse("s3://captures/capture"), "scones")
    put(f"capture/{DAY}/14/32-05-525-a.jsonl", line("a", inference_id="only"))
    began = at(14, 32).replace(second=5, microsecond=485_840)
    archive = Archive(tmp_path, "scones")

    listing = archive.wait_for(source, ["only"], began, 0)

    query = Query(labels=LABELS, threshold=0.97, since=began, inference_ids=["only"])
    assert len(summarise(archive, listing.files, query)) == 1


def test_a_folder_that_is_not_there_is_an_error_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="is not a folder of captured records"):
        FolderCaptures(tmp_path / "absent").list()
