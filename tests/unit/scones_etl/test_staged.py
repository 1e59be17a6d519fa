from dataclasses import replace

import pytest

from scones_core.errors import ChecksumMismatch
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow
from scones_etl.listfiles import list_files
from scones_etl.staged import content_version, require_intact

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


def version(**changes) -> str:
    given = {"classes": CLASSES, "source": SOURCE, "settings": SETTINGS, "rows": ROWS, **changes}
    return content_version(**given)


def test_the_version_is_twelve_hex_digits_and_always_the_same():
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
def test_the_version_follows_everything_in_the_manifest(change):
    assert version(**change) != version()


def test_keys_hold_the_version_so_they_are_no_part_of_it():
    assert version(rows=[replace(each, key="") for each in ROWS]) == version()


def test_an_altered_manifest_is_noticed():
    manifest = Manifest(version(), CLASSES, SOURCE, SETTINGS, ROWS)
    require_intact(Manifest.loads(manifest.dumps()), "x")

    with pytest.raises(ChecksumMismatch, match=f"x says version {version()}"):
        require_intact(replace(manifest, rows=ROWS[1:]), "x")


def test_each_split_has_a_list_with_tabs_class_index_and_path_in_the_channel():
    lists = list_files(Manifest("V", LabelSet(CLASSES).names, SOURCE, SETTINGS, ROWS))

    assert lists == {
        "dataset/V/train_lst/train.lst": (
            b"0\t1\tbicycle/1111111111111111.png\n1\t0\tmotorcycle/2222222222222222.png\n"
        ),
        "dataset/V/validation_lst/validation.lst": b"0\t1\tbicycle/3333333333333333.png\n",
        "dataset/V/test_lst/test.lst": b"0\t0\tmotorcycle/4444444444444444.png\n",
    }
