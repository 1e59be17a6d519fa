import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from scones_core.labels import LabelSet
from scones_core.model_card import ModelCard
from scones_core.settings import DatasetSettings
from scones_etl.extract.resolve import open_source
from scones_etl.pipeline import StagedDataset, stage
from scones_toolkit.console import Console
from scones_toolkit.tasks.training.local import confused, print_confusions, write_channels
from scones_train.channels import load_channel
from tests.support.photos import draw_photos

CARD = ModelCard(
    labels=("bicycle", "motorcycle", "van"),
    image={"height": 32, "width": 32},
    normalisation={},
    temperature=1.0,
    threshold=0.9,
    target_precision=0.99,
    metrics={},
    confusion_matrix=((9, 1, 0), (4, 6, 0), (0, 2, 8)),
    settings={},
    dataset_version="v1",
    manifest_sha256="",
)


def _printed(card: ModelCard) -> str:
    out = io.StringIO()
    print_confusions(Console(RichConsole(file=out, highlight=False, soft_wrap=True)), card)
    return out.getvalue()


def _many(wrong: int) -> ModelCard:
    names = tuple(f"kind-{number:02d}" for number in range(50))
    matrix = [[10 if i == j else 0 for j in range(50)] for i in range(50)]
    matrix[3][41] = wrong
    return replace(CARD, labels=names, confusion_matrix=tuple(map(tuple, matrix)))


def test_few_classes_are_shown_whole() -> None:
    assert [line.split() for line in _printed(CARD).splitlines()[-3:]] == [
        ["bicycle", "9", "1", "0"],
        ["motorcycle", "4", "6", "0"],
        ["van", "0", "2", "8"],
    ]


def test_of_many_classes_the_most_frequent_confusions_are_shown() -> None:
    lines = _printed(_many(wrong=7)).splitlines()
    assert lines[-1].split() == ["kind-03", "kind-41", "7"]
    assert len(lines) < 5
    assert "no test image was confused" in _printed(_many(wrong=0))


@pytest.mark.parametrize("most", [1, 5])
def test_confusions_come_in_order_of_their_number(most: int) -> None:
    found = confused(CARD.labels, CARD.confusion_matrix, most)
    expected = [
        ("motorcycle", "bicycle", 4),
        ("van", "motorcycle", 2),
        ("bicycle", "motorcycle", 1),
    ]
    assert found == expected[:most]


def _staged(folder: Path, names: tuple[str, str]) -> StagedDataset:
    draw_photos(folder)
    for before, name in zip(("bicycle", "motorcycle"), names, strict=True):
        (folder / before).rename(folder / name)
    return stage(open_source(folder), LabelSet.of(names), DatasetSettings())


def test_channels_of_other_classes_leave_nothing_of_those_before(tmp_path: Path) -> None:
    data = tmp_path / "training" / "input" / "data"
    write_channels(_staged(tmp_path / "digits", ("six", "nine")), tmp_path / "training")
    (data / "train" / "six" / ".ipynb_checkpoints").mkdir()
    (data / "train" / "six" / ".ipynb_checkpoints" / "0-checkpoint.png").write_bytes(b"x")
    (data / "test" / "nine" / "older").symlink_to(tmp_path / "digits")

    second = _staged(tmp_path / "vehicles", ("tram", "nine"))
    write_channels(second, tmp_path / "training")

    images = load_channel(data / "train", second.manifest.classes)
    assert len(images) == sum(second.manifest.counts()["train"].values())
    assert {path.name for path in data.glob("*/*")} == {"tram", "nine"}
    assert len([*data.glob("*/*/*")]) == len(second.manifest.rows)
    assert [*(tmp_path / "digits" / "six").iterdir()]
