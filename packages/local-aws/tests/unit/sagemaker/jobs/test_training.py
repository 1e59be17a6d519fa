import json
from pathlib import Path

import pytest

from local_aws.sagemaker.jobs.channels import Channel, DownloadFailed
from local_aws.sagemaker.jobs.training import JobFolder


def channel(name: str = "train", **source: str) -> Channel:
    return Channel.parse(
        {
            "ChannelName": name,
            "ContentType": "application/x-image",
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/", **source}
            },
        },
        "File",
    )


def read(base: Path, name: str) -> object:
    return json.loads((base / "input/config" / f"{name}.json").read_text())


def test_the_configuration_files_are_those_of_the_container_contract(tmp_path: Path) -> None:
    JobFolder(tmp_path).prepare({"epochs": "3"}, [channel()], "ml.m5.large")

    assert read(tmp_path, "hyperparameters") == {"epochs": "3"}
    assert read(tmp_path, "inputdataconfig") == {
        "train": {
            "ContentType": "application/x-image",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert read(tmp_path, "resourceconfig") == {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "current_instance_type": "ml.m5.large",
        "network_interface_name": "lo",
    }


def test_every_hyperparameter_is_a_text(tmp_path: Path) -> None:
    JobFolder(tmp_path).prepare({"epochs": 3}, [], "")  # type: ignore[dict-item]

    assert read(tmp_path, "hyperparameters") == {"epochs": "3"}


def test_the_environment_names_every_channel_folder(tmp_path: Path) -> None:
    environment = JobFolder(tmp_path).environment(
        {"epochs": "3"}, [channel("train"), channel("train-lst")]
    )

    assert environment["SAGEMAKER_BASE_DIR"] == str(tmp_path)
    assert environment["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert environment["SM_CHANNEL_TRAIN"] == str(tmp_path / "input/data/train")
    assert environment["SM_CHANNEL_TRAIN_LST"] == str(tmp_path / "input/data/train-lst")
    assert json.loads(environment["SM_HPS"]) == {"epochs": "3"}


def test_a_failure_file_is_cut_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    assert folder.failure() == ""

    (tmp_path / "output").mkdir()
    (tmp_path / "output/failure").write_text("x" * 5000)

    assert folder.failure() == "x" * 1024


def test_a_channel_without_s3_data_is_refused() -> None:
    with pytest.raises(DownloadFailed, match="train has no S3DataSource"):
        Channel.parse({"ChannelName": "train", "DataSource": {}}, "File")
