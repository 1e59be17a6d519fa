import json

import pytest

from scones_core.errors import MalformedDataset
from scones_core.manifest import Manifest, ManifestRow


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
