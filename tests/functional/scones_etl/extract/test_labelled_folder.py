import hashlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.reviews import Answer, answer_line
from scones_core.reviews.answers import Action
from scones_core.settings import DatasetSettings
from scones_etl.extract.combined import Combined
from scones_etl.extract.resolve import open_source
from scones_etl.extract.source import RawDataset
from scones_etl.extract.synthetic import Synthetic
from scones_etl.image_format import ImageFormat
from scones_etl.pipeline import stage
from scones_etl.splits import MIN_NEW_CLASS
from scones_images import PHOTOS

CLASSES = LabelSet.of(["bicycle", "motorcycle"])


# Writes a list of these lines, or an answer; returns the folder.
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write pictures and a list over them; return the folder."""

    def write(*lines: str, side: int = 32, header: str = "file,guess,confidence,label") -> Path:
        folder = tmp_path / "review"
        folder.mkdir(exist_ok=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
        (folder / "labels.csv").write_text("\n".join((header, *lines)) + "\n")
        return folder

    return write


def test_labelled_images_are_read_and_the_others_passed_over(write: Write) -> None:
    folder = write("2.png,bicycle,.6,motorcycle", "0.png,bicycle,.7,bicycle", "1.png,bicycle,.8,")

    raw = open_source(folder).read(CLASSES)

    assert raw.names == ("0.png", "2.png")
    assert raw.labels.tolist() == [0, 1]
    assert set(raw.splits) == {"train"}
    np.testing.assert_array_equal(raw.images[1], np.asarray(Image.open(folder / "2.png")))


def test_the_hash_follows_label_and_content(write: Write) -> None:
    hashes = {
        open_source(write("0.png,,,bicycle")).sha256,
        open_source(write("0.png,,,motorcycle")).sha256,
        open_source(write("0.png,,,bicycle", side=16)).sha256,
    }

    assert len(hashes) == 3
    # A guess that changes is no other dataset.
    assert open_source(write("0.png,motorcycle,.9,bicycle", side=16)).sha256 in hashes


def test_a_file_that_is_no_image_is_listed_with_its_reason(write: Write) -> None:
    folder = write("0.png,,,bicycle", "1.png,,,bicycle")
    (folder / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")

    raw = open_source(folder).read(CLASSES)

    assert raw.names == ("0.png",)
    assert list(raw.ingest_stats.unreadable) == ["1.png"]


def test_a_misspelt_label_is_named_with_its_file(write: Write) -> None:
    source = open_source(write("0.png,,,bycicle"))

    with pytest.raises(UnknownLabel, match=r"labels 0\.png as 'bycicle'.*bicycle, motorcycle"):
        source.read(CLASSES)


def test_a_list_without_a_label_says_what_to_do(write: Write) -> None:
    with pytest.raises(DatasetError, match="labels no image yet"):
        open_source(write("0.png,bicycle,.7,"))


@pytest.mark.parametrize(
    "line", ["../0.png,,,bicycle", "/etc/passwd,,,bicycle", "9.png,,,bicycle", ",,,bicycle"]
)
def test_a_file_outside_of_the_folder_or_missing_is_refused_by_its_line(
    write: Write, tmp_path: Path, line: str
) -> None:
    (tmp_path / "0.png").write_bytes(b"")

    with pytest.raises(MalformedDataset, match=r"line 3: .* is not a file below"):
        open_source(write("1.png,,,bicycle", line))


def test_a_link_that_leaves_the_folder_is_refused(write: Write, tmp_path: Path) -> None:
    folder = write("link.png,,,bicycle")
    (tmp_path / "secret.png").write_bytes(b"")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")

    with pytest.raises(MalformedDataset, match="is not a file below"):
        open_source(folder)


def test_a_file_that_is_listed_twice_is_refused(write: Write) -> None:
    with pytest.raises(MalformedDataset, match="has a line already"):
        open_source(write("1.png,,,bicycle", "1.png,,,motorcycle"))


def test_added_images_are_for_training_and_leave_the_test_split_as_it_was(
    write: Write,
) -> None:
    base = Synthetic(train_per_class=10, test_per_class=3)
    before = stage(base, CLASSES, DatasetSettings()).manifest

    added = open_source(write("0.png,,,bicycle", "1.png,,,motorcycle"))
    after = stage(Combined(base, added), CLASSES, DatasetSettings()).manifest

    names = {row.source_name: row.split for row in after.rows}
    assert names.keys() - {row.source_name for row in before.rows} == {"0.png", "1.png"}
    assert {names["0.png"], names["1.png"]} <= {"train", "validation"}
    assert {row.sha256 for row in after.split("test")} == {
        row.sha256 for row in before.split("test")
    }
    assert after.version != before.version
    assert after.source["kind"] == "synthetic+labelled"


def with_trams(write: Write, count: int) -> tuple[dict[str, str], Manifest]:
    """Return the split of each image of a class that only people labelled, and the manifest."""
    folder = write()
    for number in range(count):
        pixels = np.random.default_rng([1, number]).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"t{number}.png")
    write(*(f"t{number}.png,,,cargo_tram" for number in range(count)))
    base = Synthetic(train_per_class=10, test_per_class=3)
    classes = LabelSet.of((*CLASSES, "cargo_tram"))
    manifest = stage(Combined(base, open_source(folder)), classes, DatasetSettings()).manifest
    rows = [row for row in manifest.rows if row.label == "cargo_tram"]
    return {row.source_name: row.split for row in rows}, manifest


def test_a_class_that_only_people_labelled_is_split_by_itself(write: Write) -> None:
    splits, manifest = with_trams(write, 60)

    assert Counter(splits.values()) == {"test": 12, "validation": 5, "train": 43}
    assert manifest.classes == (*CLASSES, "cargo_tram")
    assert manifest.settings["test_fraction"] == 0.2
    before = stage(Synthetic(train_per_class=10, test_per_class=3), CLASSES, DatasetSettings())
    tested = {row.sha256 for row in manifest.split("test") if row.label != "cargo_tram"}
    assert tested == {row.sha256 for row in before.manifest.split("test")}


def test_a_new_class_of_too_few_images_for_three_splits_is_named(
    write: Write,
) -> None:
    with_trams(write, MIN_NEW_CLASS)
    with pytest.raises(DatasetError, match="class 'cargo_tram' has too few images: of 2"):
        with_trams(write, 2)


def test_an_added_test_image_does_not_leak_into_training(write: Write) -> None:
    base = Synthetic(train_per_class=10, test_per_class=3)
    folder = write("0.png,,,bicycle", "1.png,,,bicycle")
    raw = base.read(CLASSES)
    Image.fromarray(raw.images[raw.splits.index("test")]).save(folder / "0.png")

    staged = stage(Combined(base, open_source(folder)), CLASSES, DatasetSettings())

    assert staged.removed.leaked == 1
    assert "0.png" not in {row.source_name for row in staged.manifest.rows}


def test_images_of_two_sizes_need_a_side(write: Write) -> None:
    source = Combined(Synthetic(), open_source(write("0.png,,,bicycle", side=16)))

    with pytest.raises(DatasetError, match=r"images of 32x32 and 16x16; set dataset.image_side"):
        source.read(CLASSES)
    assert source.read(CLASSES, ImageFormat(16)).images.shape[1:] == (16, 16, 3)


LINES = "file,guess,confidence,label\n2.png,bicycle,0.6,motorcycle\n0.png,bicycle,0.7,bicycle\n"


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.replace(",", ";").replace("\n", "\r\n").encode(),
        LINES.replace(",", "\t").encode("utf-16"),
        b"sep=;\r\n" + LINES.replace(",", ";").encode(),
        LINES.replace("file", " File ").replace("label", "LABEL").encode(),
        LINES.replace("\n2.png", '\n\n"2.png"').encode(),
        LINES.replace("2.png,bicycle", '2.png,"a, b\nc"').encode(),
        b"sep=;\r" + LINES.replace(",", ";").replace("\n", "\r").encode(),
        LINES.replace(",", "\t").encode("utf-16-le"),
        LINES.encode("utf-32"),
        LINES.replace(",", "|").encode(),
        LINES.replace(",", ", ").encode(),
        LINES.replace("2.png,", '2.png, "x",').replace("bicycle,0.6", "0.6").encode(),
        LINES.replace("cle\n", "cle,,\n").encode(),
        b"\r\n\n" + LINES.encode(),
        LINES.replace("2.png", ".\\2.png").encode(),
        (LINES + "0.png,bicycle,0.7,bicycle\n").encode(),
    ],
    ids=[
        "plain",
        "semicolons",
        "utf-16 tabs",
        "sep",
        "case",
        "empty line",
        "quotes",
        "old Mac",
        "utf-16 without a mark",
        "utf-32",
        "bars",
        "spaces",
        "space and quote",
        "empty columns",
        "empty lines first",
        "backslash",
        "a line twice",
    ],
)
def test_a_list_is_read_however_a_spreadsheet_saved_it(write: Write, content: bytes) -> None:
    folder = write()
    (folder / "labels.csv").write_bytes(content)

    raw = open_source(folder).read(CLASSES)

    assert raw.names == ("0.png", "2.png")
    assert raw.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,breed\n1,van\n", "needs the columns file and label; its header has id, breed"),
        (b"", "needs the columns file and label"),
        (b"file,label\n0.png,bicycle,x\n", "line 2: it has 3 columns, the header 2"),
        (b'file,label\n"0.png,bicycle\n', "line 2 is not valid CSV"),
        ("file,label\nü.png,bicycle\n".encode("latin1"), "is not UTF-8.*Save it as `CSV UTF-8`"),
        (b"file,label,label\n0.png,bicycle,\n", "has two columns 'label'; remove one"),
        (b"# mine\nfile,label\n0.png,bicycle\n", "file and label; its header has # mine"),
        (b"file,label\n0.png\0,bicycle\n", "line 2: .* is not a file below"),
        (
            b"file,label\n\n0.png,bicycle\n./0.png,motorcycle\n",
            "line 4: './0.png' has a line already",
        ),
    ],
)
def test_a_list_that_is_not_understood_is_refused_with_its_place(
    write: Write, content: bytes, message: str
) -> None:
    folder = write()
    (folder / "labels.csv").write_bytes(content)

    with pytest.raises(MalformedDataset, match=message):
        open_source(folder)


def test_a_list_names_files_and_classes_in_any_form_of_unicode(write: Write) -> None:
    folder = write()
    for name, number in (("e\u0301", 0), ("\u00fc", 1), ("a\u2028", 2)):
        (folder / f"{number}.png").rename(folder / f"{name}.png")
    lines = ("file,label", "\u00e9.png,cafe\u0301", "u\u0308.png,caf\u00e9", "a\u2028.png,bus")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")

    source = open_source(folder)

    assert source.class_names() == ("bus", "caf\u00e9")
    assert len(source.read(LabelSet.of(source.class_names()))) == 3


def test_added_images_that_the_dataset_has_already_are_counted(write: Write) -> None:
    base = Synthetic(train_per_class=20, test_per_class=5)
    images = base.read(CLASSES)
    folder = write("0.png,,,bicycle", "1.png,,,bicycle")
    Image.fromarray(images.images[-1]).save(folder / "1.png")
    (folder / "labels.csv").write_text("file,label\n0.png,bicycle\n1.png,motorcycle\n")

    staged = stage(Combined(base, open_source(folder)), CLASSES, DatasetSettings())

    assert (staged.added, staged.added_kept) == (2, 1)


@pytest.fixture
def answer(write: Write, tmp_path: Path) -> Callable[..., Path]:
    """Have a reviewer answer the image of a number; return the folder."""
    folder: Path = write(header="file,label")
    (folder / "labels.csv").unlink()
    (folder / "images").mkdir()
    (folder / "answers").mkdir()
    given: dict[str, int] = {}

    def answer(reviewer: str, number: int, label: str, action: Action = "label") -> Path:
        body = (folder / f"{number}.png").read_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        (folder / "images" / f"{sha256}.png").write_bytes(body)
        given[reviewer] = given.get(reviewer, 0) + 1
        line = answer_line(
            Answer(
                session="s",
                sequence=given[reviewer],
                reviewer=reviewer,
                action=action,
                sha256=sha256,
                file=f"{sha256}.png",
                at="2026-01-01T00:00:00+00:00",
                label=label,
            )
        )
        with (folder / "answers" / f"{reviewer}.jsonl").open("ab") as file:
            file.write(line)
        return folder

    return answer


def reasons(raw: RawDataset) -> list[str]:
    return sorted(raw.ingest_stats.passed_over.values())


def test_answers_of_the_review_page_are_labels(answer: Write) -> None:
    answer("ana", 0, "bicycle")
    folder = answer("ben", 1, "motorcycle")

    raw = open_source(folder).read(CLASSES)

    assert sorted(raw.labels.tolist()) == [0, 1]
    assert all(name.startswith("images/") for name in raw.names)
    assert set(raw.splits) == {"train"}


def test_a_pipe_among_the_answers_is_not_waited_for(answer: Write) -> None:
    answer("ana", 0, "bicycle")
    folder = answer("ben", 1, "motorcycle")
    os.mkfifo(folder / "answers" / "eve.jsonl")
    (folder / "answers" / "zoe.jsonl").mkdir()
    assert len(open_source(folder).read(CLASSES)) == 2


def test_reviewers_that_disagree_leave_an_image_out_until_a_third_decides(
    answer: Write,
) -> None:
    answer("ana", 0, "bicycle")
    answer("ana", 1, "bicycle")
    folder = answer("ben", 0, "motorcycle")

    raw = open_source(folder).read(CLASSES)
    assert len(raw) == 1
    assert reasons(raw) == ["its reviewers disagree (ana: bicycle, ben: motorcycle)"]

    answer("eve", 0, "motorcycle")
    raw = open_source(folder).read(CLASSES)
    assert sorted(raw.labels.tolist()) == [0, 1]
    assert reasons(raw) == []


def test_a_list_filled_in_by_hand_is_one_reviewer_more(answer: Write) -> None:
    answer("ana", 0, "bicycle")
    folder = answer("ana", 1, "bicycle")
    (folder / "labels.csv").write_text("file,label\n0.png,motorcycle\n2.png,motorcycle\n")

    raw = open_source(folder).read(CLASSES)

    assert sorted(raw.labels.tolist()) == [0, 1]
    assert "2.png" in raw.names
    assert reasons(raw) == ["its reviewers disagree (ana: bicycle, labels.csv: motorcycle)"]


def test_listed_files_without_a_hash_are_passed_over_one_by_one_next_to_answers(
    answer: Write,
) -> None:
    folder = answer("ana", 0, "bicycle")
    for number in (1, 2):
        os.truncate(folder / f"{number}.png", PHOTOS.max_bytes + 1)
    lines = "file,label\n1.png,motorcycle\n2.png,bicycle\n3.png,motorcycle\n"
    (folder / "labels.csv").write_text(lines)

    raw = open_source(folder).read(CLASSES)

    assert sorted(raw.labels.tolist()) == [0, 1]
    assert dict(raw.ingest_stats.passed_over) == dict.fromkeys(
        ("1.png", "2.png"), "it is too large, or cannot be read"
    )


def test_answers_that_cannot_be_used_are_passed_over_with_their_reasons(
    answer: Write,
) -> None:
    answer("ana", 0, "bicycle")
    answer("ana", 1, "bicycle")
    answer("ana", 2, "bicycle")
    folder = answer("ana", 3, "bus")
    names = [hashlib.sha256((folder / f"{n}.png").read_bytes()).hexdigest() for n in range(4)]
    (folder / "images" / f"{names[1]}.png").unlink()
    (folder / "images" / f"{names[2]}.png").write_bytes((folder / "0.png").read_bytes())
    with (folder / "answers" / "ana.jsonl").open("ab") as file:
        file.write(b"torn")

    raw = open_source(folder).read(CLASSES)

    assert raw.labels.tolist() == [0]
    assert reasons(raw) == [
        "1 of its lines are no answers: the line is not JSON (1)",
        "it is labelled 'bus', which is none of the classes",
        "its image is gone",
        "its image is not the one that was answered",
    ]


def test_answers_that_are_all_skips_say_so(answer: Write) -> None:
    folder = answer("ana", 0, "", action="skip")

    with pytest.raises(DatasetError, match="no image that they give a label"):
        open_source(folder)
