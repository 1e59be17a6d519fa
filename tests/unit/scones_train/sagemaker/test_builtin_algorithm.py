import re
from typing import Any

import pytest

from scones_core.errors import TrainingError
from scones_train.sagemaker.builtin_algorithm import (
    BuiltinHyperparameters,
    channels,
    require_counts,
    require_gpu_instance,
)


def given(**more: Any) -> BuiltinHyperparameters:
    return BuiltinHyperparameters(**{"num_classes": 2, "num_training_samples": 900, **more})


def test_what_has_no_default_is_left_out_and_the_rest_are_strings() -> None:
    strings = given(image_shape=(3, 32, 32), lr_scheduler_step=(10, 20)).strings()
    assert strings["image_shape"] == "3,32,32"
    assert strings["lr_scheduler_step"] == "10,20"
    assert strings["early_stopping"] == "False"
    assert (strings["num_layers"], strings["momentum"]) == ("152", "0.9")
    assert "augmentation_type" not in strings
    assert all(type(text) is str for text in strings.values())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_classes": 1}, "num_classes must be at least 2, not 1"),
        ({"num_training_samples": 0}, "num_training_samples must be a whole number"),
        ({"mini_batch_size": 901}, "mini_batch_size is 901, and there are 900 training images"),
        ({"mini_batch_size": 0}, "mini_batch_size"),
        ({"num_layers": 19}, "num_layers must be one of 18, 20, 32"),
        ({"num_layers": 20}, "num_layers 20 is for images of up to 32 pixels"),
        (
            {"num_layers": 20, "use_pretrained_model": 1, "image_shape": (3, 32, 32)},
            "use_pretrained_model num_layers is one of 18",
        ),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, rmsprop, nag, not lion"),
        ({"learning_rate": 1.5}, "learning_rate must be 0 to 1"),
        ({"augmentation_type": "flip"}, "augmentation_type"),
        ({"top_k": 3}, "top_k 3 exceeds the 2 classes"),
        ({"checkpoint_frequency": 31}, "exceeds the 30 epochs"),
        ({"use_weighted_loss": 1}, "goes with multi_label"),
        ({"image_shape": (3, 0, 32)}, "image_shape"),
        ({"precision_dtype": "bfloat16"}, "float32, float16"),
    ],
)
def test_what_the_algorithm_would_refuse_is_refused_before(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(TrainingError, match=re.escape(named)):
        given(**change)


@pytest.mark.parametrize("counts", [{"a": 450, "b": 449}, {"a": 300, "b": 300, "c": 300}])
def test_another_number_of_images_or_classes_than_staged_is_refused(counts: dict[str, int]) -> None:
    require_counts(given(), {"a": 450, "b": 450})
    with pytest.raises(TrainingError, match="num_training_samples is 900, num_classes 2"):
        require_counts(given(), counts)


@pytest.mark.parametrize("instance_type", ["ml.m5.xlarge", "ml.c5.2xlarge", "ml.g5x.large"])
def test_an_instance_without_a_gpu_is_refused(instance_type: str) -> None:
    require_gpu_instance("ml.g5.xlarge")
    require_gpu_instance("ml.p3.2xlarge")
    with pytest.raises(TrainingError, match=re.escape(instance_type)):
        require_gpu_instance(instance_type)


def test_channels_are_images_with_their_lists_or_records() -> None:
    images = channels("dataset/v7", records=False)
    assert set(images) == {"train", "validation", "train_lst", "validation_lst"}
    assert images["train_lst"] == ("dataset/v7/train_lst/", "application/x-image")
    assert channels("dataset/v7", records=True) == {
        "train": ("dataset/v7/train_rec/", "application/x-recordio"),
        "validation": ("dataset/v7/validation_rec/", "application/x-recordio"),
    }
