"""Lists of images as MXNet's im2rec writes them."""

import json
from pathlib import Path

import pytest

from local_aws.sagemaker.algorithms.image_classification.channels import Channels
from local_aws.sagemaker.algorithms.image_classification.errors import CustomerError


def _channels(base: Path, listed: bytes) -> Channels:
    names = ("train", "train_lst", "validation", "validation_lst")
    (base / "input/config").mkdir(parents=True)
    (base / "input/config/inputdataconfig.json").write_text(
        json.dumps({name: {"ContentType": "application/x-image"} for name in names})
    )
    images = base / "input/data/train/night bus"
    images.mkdir(parents=True)
    (images / "a.png").write_bytes(b"first")
    (images / "b.png").write_bytes(b"second")
    (base / "input/data/train_lst").mkdir()
    (base / "input/data/train_lst/images.lst").write_bytes(listed)
    return Channels(base)


def test_labels_may_be_fractions_of_zero_lines_end_as_on_windows_and_folders_have_spaces(
    tmp_path: Path,
) -> None:
    listed = b"7\t1.000000\tnight bus/b.png\r\n2\t0\tnight bus/a.png\r\n\r\n"
    found = list(_channels(tmp_path, listed).examples("train"))
    assert found == [(1, b"second"), (0, b"first")]


@pytest.mark.parametrize(
    "listed",
    [
        b"0\t0.5\tnight bus/a.png",
        b"0 0 night bus/a.png",
        b"0\t0\t../night bus/a.png",
        b"0\t0\t1\tnight bus/a.png",
    ],
)
def test_a_list_of_another_form_is_the_customers_error(tmp_path: Path, listed: bytes) -> None:
    with pytest.raises(CustomerError):
        list(_channels(tmp_path, listed).examples("train"))
