import io
import json
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from local_aws.core.untrusted_images import UndecodableImage
from local_aws.sagemaker.algorithms.algorithm_images import algorithm_of
from local_aws.sagemaker.algorithms.image_classification.channels import Channels
from local_aws.sagemaker.algorithms.image_classification.classifier import Classifier
from local_aws.sagemaker.algorithms.image_classification.errors import CustomerError
from local_aws.sagemaker.algorithms.image_classification.features import (
    decode,
    features,
)
from local_aws.sagemaker.algorithms.image_classification.hyperparameters import Hyperparameters
from local_aws.sagemaker.algorithms.image_classification.recordio import MAGIC, records

REQUIRED = {"num_classes": "2", "num_training_samples": "10"}
WORD = struct.pack("<I", MAGIC)


def record(data: bytes, flag: int = 0) -> bytes:
    head = WORD + struct.pack("<I", flag << 29 | len(data))
    return head + data + b"\0" * (-len(data) % 4)


def header(label: float, flag: int = 0) -> bytes:
    return struct.pack("<IfQQ", flag, label, 0, 0)


def read(tmp_path: Path, content: bytes) -> list[tuple[int, bytes]]:
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    return list(records(path))


def test_records_are_read_with_and_without_an_array_of_labels(tmp_path: Path) -> None:
    array = header(0.0, flag=1) + struct.pack("<f", 1.0) + b"second"
    assert read(tmp_path, record(header(0.0) + b"first") + record(array)) == [
        (0, b"first"),
        (1, b"second"),
    ]


def test_a_record_that_was_split_at_the_magic_number_is_whole_again(tmp_path: Path) -> None:
    parts = [header(1.0) + b"ab", b"cd", b"ef"]
    written = b"".join(record(part, flag) for part, flag in zip(parts, (1, 2, 3), strict=True))
    assert read(tmp_path, written) == [(1, b"ab" + WORD + b"cd" + WORD + b"ef")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no record at all", "not a RecordIO file"),
        (WORD + struct.pack("<I", 100) + b"short", "ends within a record"),
        (WORD + struct.pack("<I", (1 << 29) - 1), "too large"),
        (record(b"tiny"), "without a header"),
        (record(header(0.0, flag=3) + b"\0" * 12), "several labels"),
        (record(header(0.5) + b"image"), "no class"),
        (record(header(0.0) + b"begun", flag=1), "not a RecordIO file"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CustomerError, match=message):
        read(tmp_path, content)


def test_the_defaults_are_the_documented_ones() -> None:
    found = Hyperparameters.parse({**REQUIRED, "_tuning_objective_metric": "validation:accuracy"})
    named = ("epochs", "learning_rate", "mini_batch_size", "num_layers", "optimizer", "momentum")
    assert [found[name] for name in named] == [30, 0.1, 32, 152, "sgd", 0.9]
    assert found["image_shape"] == (3, 224, 224)
    assert found["early_stopping"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "0"),
        ("epochs", "many"),
        ("momentum", "1.1"),
        ("image_shape", "1,28,28"),
        ("image_shape", "3,32"),
        ("top_k", "1"),
        ("lr_scheduler_step", "10,x"),
        ("optimizer", "lbfgs"),
        ("early_stopping", "yes"),
        ("num_classes", "-1"),
    ],
)
def test_a_value_out_of_its_range_is_named(name: str, value: str) -> None:
    with pytest.raises(CustomerError, match=f"is not valid for '{name}'"):
        Hyperparameters.parse({**REQUIRED, name: value})


def listed(tmp_path: Path, line: str) -> Channels:
    entry = {"ContentType": "application/x-image", "TrainingInputMode": "File"}
    names = ("train", "train_lst", "validation", "validation_lst")
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "inputdataconfig.json").write_text(json.dumps(dict.fromkeys(names, entry)))
    for name in names:
        (tmp_path / "input" / "data" / name).mkdir(parents=True)
    (tmp_path / "input/data/train/a.png").write_bytes(b"image")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "input/data/train_lst/train.lst").write_text(line)
    return Channels(tmp_path)


def test_a_list_names_classes_and_files(tmp_path: Path) -> None:
    assert list(listed(tmp_path, "5\t1.000\ta.png\n\n").examples("train")) == [(1, b"image")]


@pytest.mark.parametrize(
    "line",
    ["5\t1\t../../../secret.png", "5\t1\t/etc/passwd", "5 1 a.png", "5\t1.5\ta.png", "a\t1\ta.png"],
)
def test_a_list_that_is_none_or_leaves_its_channel_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(CustomerError, match="Invalid lst file in the train channel"):
        list(listed(tmp_path, line).examples("train"))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CustomerError, match=r"b\.png of the train list"):
        list(listed(tmp_path, "5\t1\tb.png").examples("train"))


def test_bytes_that_are_no_image_and_images_of_other_kinds_are_refused() -> None:
    gif = io.BytesIO()
    Image.new("RGB", (4, 4)).save(gif, "GIF")
    for data in (b"", b"no image", gif.getvalue()):
        with pytest.raises(UndecodableImage):
            decode(data)


def test_an_image_that_takes_minutes_or_gigabytes_is_refused_at_once() -> None:
    buffer, row = io.BytesIO(), io.BytesIO()
    Image.new("L", (2000, 2000)).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    assert decode(jpeg).shape == (32, 32, 3)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    exif = b"\xff\xe1\x00\x12Exif\0\0" + b"x" * 10
    Image.new("L", (70_000, 1)).save(row, "PNG")
    hostile = [jpeg[:-2] + scan * 5000 + jpeg[-2:], jpeg[:2] + exif * 100_000 + jpeg[2:]]
    before = time.thread_time()
    for data in (*hostile, row.getvalue()):
        with pytest.raises(UndecodableImage, match="too many"):
            decode(data)
    assert time.thread_time() - before < 2


def test_any_size_and_mode_becomes_the_same_features() -> None:
    made = []
    for mode, size in (("RGB", (32, 32)), ("L", (10, 200)), ("RGBA", (64, 8)), ("P", (33, 33))):
        buffer = io.BytesIO()
        Image.new(mode, size).save(buffer, "PNG")
        made.append(decode(buffer.getvalue()))
    assert features(np.stack(made)).shape == (4, 768)


def test_a_model_is_the_same_after_it_was_saved(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    given = draw.random((5, 768), dtype=np.float32)
    model = Classifier.untrained(given, 3)
    model.weights = draw.random(model.weights.shape, dtype=np.float32)
    model.save(tmp_path)
    found = Classifier.load(tmp_path).probabilities(given)
    assert found == pytest.approx(model.probabilities(given))
    assert found.sum(axis=1) == pytest.approx(np.ones(5))


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1", True),
        ("685385470294.dkr.ecr.eu-west-1.amazonaws.com/image-classification:latest", True),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/image-classification:1", False),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:2", False),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/object-detection:1", False),
        ("image-classification:1", False),
    ],
)
def test_only_awss_own_image_has_the_stand_in(image: str, known: bool) -> None:
    assert bool(algorithm_of(image)) is known
