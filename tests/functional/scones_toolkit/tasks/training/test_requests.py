import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import TrainingError
from scones_core.settings import TrainingSettings
from scones_toolkit.tasks.training.requests import (
    place_weights,
    stage_weights,
    weights_hyperparameters,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="data")
        yield client


@pytest.fixture
def settings(tmp_path: Path) -> TrainingSettings:
    path = tmp_path / "resnet18.pth"
    path.write_bytes(b"weights")
    return TrainingSettings(weights=str(path))


def test_weights_are_uploaded_once_and_become_a_channel(
    s3: Any, settings: TrainingSettings
) -> None:
    said: list[str] = []
    channel = stage_weights(settings, s3, "data", KEY, said.append)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert channel == {"weights": (f"dataset/weights/{digest[:16]}/", "")}
    key = f"dataset/weights/{digest[:16]}/resnet18.pth"
    found = s3.get_object(Bucket="data", Key=key)
    assert (found["Body"].read(), found["SSEKMSKeyId"]) == (b"weights", KEY)
    assert stage_weights(settings, s3, "data", KEY, said.append) == channel
    assert len(said) == 1


def test_a_file_that_is_no_weights_is_refused_before_it_is_staged(
    settings: TrainingSettings,
) -> None:
    with pytest.raises(TrainingError, match=r"resnet18\.pth is not read"):
        weights_hyperparameters(settings)


def test_without_weights_there_is_no_channel_and_nothing_is_asked(tmp_path: Path) -> None:
    assert stage_weights(TrainingSettings(), None, "data", KEY, print) == {}
    place_weights(TrainingSettings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_here_the_weights_take_the_place_of_others(
    tmp_path: Path, settings: TrainingSettings
) -> None:
    folder = tmp_path / "base" / "input" / "data" / "weights"
    folder.mkdir(parents=True)
    (folder / "older.pt").write_bytes(b"")
    place_weights(settings, tmp_path / "base")
    assert [path.name for path in folder.iterdir()] == ["resnet18.pth"]
