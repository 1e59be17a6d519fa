import re

from scones_train.sagemaker.metric_lines import (
    RECORDED,
    metric_definitions,
    metric_line,
    parse_line,
)


def test_a_line_is_read_back() -> None:
    line = metric_line({"epoch": "3/24", "train_loss": 0.41, "seconds_left": 31})
    assert line == "epoch=3/24 train_loss=0.4100 seconds_left=31"
    assert parse_line(line) == {"epoch": 3, "epochs": 24, "train_loss": 0.41, "seconds_left": 31}


def test_other_lines_and_broken_values_give_nothing() -> None:
    line = "loading x=abc threshold=0.9.7 epoch= Accuracy=1 nan=nan a test_accuracy=0.5000 b"
    assert parse_line(line) == {"test_accuracy": 0.5}


def test_the_definitions_find_each_recorded_metric_and_only_that() -> None:
    values = {name: index / 16 for index, name in enumerate(RECORDED)}
    line = metric_line(values)
    for definition in metric_definitions():
        found = re.findall(definition["Regex"], line)
        assert [float(text) for text in found] == [values[definition["Name"]]]
