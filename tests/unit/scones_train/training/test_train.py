from pathlib import Path

import pytest
from PIL import Image

from scones_core.container_folders import Container
from scones_core.errors import TrainingError
from scones_core.files import write_json
from scones_train.training import train
from scones_train.training.hyperparameters import Hyperparameters


def test_more_test_images_than_a_model_keeps_answers_for_are_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(tmp_path, {})
    settings = Hyperparameters(classes=("bus", "van"))
    write_json(tmp_path / "input/config/hyperparameters.json", settings.strings())
    for channel in ("train", "validation", "test"):
        for label, colour in (("bus", "red"), ("van", "blue")):
            folder = container.channel(channel) / label
            folder.mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (16, 16), colour).save(folder / f"{number}.png")
    monkeypatch.setattr(train, "PREDICTION_VALUES", 7)
    with pytest.raises(TrainingError, match=r"4 test images of 2 classes .* at most 3 test images"):
        train.run(container)
