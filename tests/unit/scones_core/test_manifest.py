import json
from dataclasses import replace
from typing import Any

import pytest

from scones_core.errors import ChecksumMismatch, MalformedDataset
from scones_core.manifest import Manifest, ManifestRow, content_version, require_intact


def manifest() -> Manifest:
    rows = (
        ManifestRow("dataset/v/train/bicycle/00.png", "train", "bicycle", "00" * 32, 4, "bike.png"),
        ManifestRow("dataset/v/test/motorcycle/01.png", "test", "motorcycle", "01" * 32, 5, "m"),
    )
    return Manifest("v", ("bicycle", "motorcycle"), {"kind": "cifar100"}, {"seed": 0}, rows)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    assert Manifest.loads(manifest().dumps()) == manifest()


def test_counts_name_every_split_and_class_even_the_empty_ones() -> None:
    assert manifest().counts() == {
        "train": {"bicycle": 1, "motorcycle": 0},
        "validation": {"bicycle": 0, "motorcycle": 0},
        "test": {"bicycle": 0, "motorcycle": 1},
    }


def test_split_gives_only_its_own_rows() -> None:
    assert [row.label for row in manifest().split("test")] == ["motorcycle"]


@pytest.mark.parametrize("change", [{"schema": 99}, {"rows": [{"key": "x"}]}, {"classes": None}])
def test_another_shape_is_refused(change: dict[str, object]) -> None:
    body = {**json.loads(manifest().dumps()), **change}
    with pytest.raises(MalformedDataset, match="run the ETL again"):
        Manifest.loads(json.dumps(body))


@pytest.mark.parametrize("text", ["", "[]", "null", b"\xff\xfe{"])
def test_what_is_no_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedDataset):
        Manifest.loads(text)


CLASSES = ("motorcycle", "bicycle")
SOURCE = {"kind": "cifar100", "name": "x.tar.gz", "sha256": "0" * 64}
SETTINGS = {"seed": 0, "validation_fraction": 0.1}


def row(split: str, label: str, digit: str) -> ManifestRow:
    key = f"dataset/V/{split}/{label}/{digit * 16}.png"
    return ManifestRow(key, split, label, digit * 64, int(digit), f"{digit}.png")


ROWS = (
    row("train", "bicycle", "1"),
    row("train", "motorcycle", "2"),
    row("validation", "bicycle", "3"),
    row("test", "motorcycle", "4"),
)


def version(**changes: Any) -> str:
    given = {"classes": CLASSES, "source": SOURCE, "settings": SETTINGS, "rows": ROWS, **changes}
    return content_version(**given)


def test_the_version_is_twelve_hex_digits_and_always_the_same() -> None:
    assert version() == version(source=dict(reversed(SOURCE.items()))) == "bf58dd9965d7"


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ("bicycle", "motorcycle")},
        {"source": {**SOURCE, "sha256": "1" * 64}},
        {"settings": {**SETTINGS, "seed": 1}},
        {"rows": ROWS[:3]},
        {"rows": (replace(ROWS[0], label="motorcycle"), *ROWS[1:])},
        {"rows": (replace(ROWS[0], split="test"), *ROWS[1:])},
    ],
    ids=["classes", "source", "settings", "rows", "label", "split"],
)
def test_the_version_follows_everything_in_the_manifest(change: dict[str, Any]) -> None:
    assert version(**change) != version()


def test_keys_hold_the_version_so_they_are_no_part_of_it() -> None:
    assert version(rows=[replace(each, key="") for each in ROWS]) == version()


def test_an_altered_manifest_is_noticed() -> None:
    found = Manifest(version(), CLASSES, SOURCE, SETTINGS, ROWS)
    require_intact(Manifest.loads(found.dumps()), "x")

    with pytest.raises(ChecksumMismatch, match=f"x says version {version()}"):
        require_intact(replace(found, rows=ROWS[1:]), "x")
