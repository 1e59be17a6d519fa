import importlib.util

import botocore.session
import pytest

from scones_core.errors import SettingsError
from scones_train.sagemaker.sdk_core import SdkSageMaker, snake_cased
from scones_train.sagemaker.sdk_trainer import TrainerSageMaker
from scones_train.sagemaker.training_job_request import Compute, TrainingRequest, job_request

WITHOUT_SDK = importlib.util.find_spec("sagemaker") is None


def test_a_request_gets_the_sdks_names_and_keeps_the_callers() -> None:
    spot = Compute("ml.m5.xlarge", 600, spot=True, subnets=("subnet-1",))
    request = TrainingRequest(
        name_prefix="scones",
        image_uri="registry/scones-model:0.1.0",
        role_arn="role",
        data_bucket="data",
        artifacts_bucket="artifacts",
        kms_key_arn="key",
        hyperparameters={"batchSize": "8"},
        channels={"train": ("dataset/v7/train/", "")},
        compute=spot,
        tags={"CostCenter": "7"},
    )
    named = snake_cased(job_request(request, "job-1"))
    assert named["hyper_parameters"] == {"batchSize": "8"}
    assert named["tags"] == [{"key": "CostCenter", "value": "7"}]
    assert named["resource_config"]["volume_size_in_gb"] == 10
    assert named["checkpoint_config"] == {"s3_uri": "s3://artifacts/checkpoints/job-1"}
    source = named["input_data_config"][0]["data_source"]["s3_data_source"]
    assert source["s3_uri"] == "s3://data/dataset/v7/train/"


def test_no_two_members_of_the_api_get_one_name() -> None:
    model = botocore.session.Session().get_service_model("sagemaker")
    shape = model.operation_model("CreateTrainingJob").input_shape
    assert shape is not None
    members = shape.members
    assert len(snake_cased(dict.fromkeys(members))) == len(members)


@pytest.mark.skipif(not WITHOUT_SDK, reason="the SDK is installed here")
def test_without_the_sdk_the_sentence_says_how_to_get_it() -> None:
    with pytest.raises(SettingsError, match=r"requirements/sagemaker\.lock"):
        SdkSageMaker(None)


@pytest.mark.skipif(not WITHOUT_SDK, reason="the SDK is installed here")
def test_without_the_whole_sdk_the_sentence_says_so_too() -> None:
    with pytest.raises(SettingsError, match=r"requirements/sagemaker-sdk\.lock"):
        TrainerSageMaker(None)
