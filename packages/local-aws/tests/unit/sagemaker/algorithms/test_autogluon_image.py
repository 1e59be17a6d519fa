"""The stand-in for AWS's AutoGluon image: which script it runs, and its small model."""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from local_aws.sagemaker.algorithms.algorithm_images import algorithm_of, builtin_argv
from local_aws.sagemaker.algorithms.autogluon_image.__main__ import (
    MAX_BYTES,
    MAX_MEMBERS,
    ScriptError,
    script,
)
from local_aws.sagemaker.algorithms.autogluon_image.packages.autogluon.tabular import (
    TabularPredictor,
)

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/autogluon-training"
SUBMITTED = "/opt/ml/input/data/code/sourcedir.tar.gz"


def job(base: Path, **given: str) -> Path:
    config, code = base / "input" / "config", base / "input" / "data" / "code"
    config.mkdir(parents=True)
    code.mkdir(parents=True)
    wish = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": SUBMITTED, **given}
    (config / "hyperparameters.json").write_text(json.dumps(wish))
    with tarfile.open(code / "sourcedir.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("train.py")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"\n"))
    return base


def test_the_archives_script_gets_the_hyperparameters(tmp_path: Path) -> None:
    argv, folder = script(job(tmp_path, presets='"good_quality"'))
    assert argv == [sys.executable, "-u", "train.py", "--presets", "good_quality"]
    assert (folder / "train.py").is_file()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sagemaker_program": "../train.py"}, "must name a Python file"),
        ({"sagemaker_program": "absent.py"}, "has no absent.py"),
        ({"sagemaker_submit_directory": "s3://bucket/code.tar.gz"}, "from a channel"),
        ({"sagemaker_submit_directory": "/opt/ml/../../etc/passwd"}, "from a channel"),
        ({"sagemaker_submit_directory": "/opt/ml/absent"}, "cannot be unpacked"),
    ],
)
def test_a_job_without_a_script_is_refused(
    tmp_path: Path, given: dict[str, str], message: str
) -> None:
    with pytest.raises(ScriptError, match=message):
        script(job(tmp_path, **given))


def packed(base: Path, *members: tarfile.TarInfo, size: int = 0) -> Path:
    """Return a job's folder whose archive announces these members, each of so many bytes."""
    job(base)
    with tarfile.open(base / "input/data/code/sourcedir.tar.gz", "w:gz") as archive:
        for member in members:
            member.size = size
            archive.addfile(member)
    return base


def linked(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("members", "size", "message"),
    [
        ([tarfile.TarInfo("train.py")], MAX_BYTES + 1, "bytes"),
        ([tarfile.TarInfo(f"{number}") for number in range(MAX_MEMBERS + 1)], 0, "members"),
        ([tarfile.TarInfo("../train.py")], 0, "outside of it"),
        ([linked("train.py")], 0, "no plain file"),
    ],
)
def test_an_archive_that_must_not_be_unpacked_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo], size: int, message: str
) -> None:
    with pytest.raises(ScriptError, match=f"cannot be unpacked.*{message}"):
        script(packed(tmp_path, *members, size=size))
    assert not (tmp_path / "code" / "train.py").exists()


def test_awss_image_has_the_stand_in_and_no_metrics_of_its_own() -> None:
    found = algorithm_of(f"{IMAGE}:1.1.1-cpu-py311-ubuntu20.04")
    assert found is not None
    assert not found.metrics
    assert builtin_argv(found, "train")[0][2].endswith(".autogluon_image")
    assert algorithm_of(IMAGE) is None


def test_a_predictor_learns_a_column_and_is_read_back(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    known = draw.uniform(0, 10, (400, 2))
    lines = [f"{a},{b},{a + 0.1 * b}" for a, b in known]
    (tmp_path / "known.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    made = TabularPredictor("y", "regression", path=str(tmp_path / "model"))
    made.fit(str(tmp_path / "known.csv"))
    (tmp_path / "asked.csv").write_text("a,b\n1,5\n9,5\n,5\n")
    asked = str(tmp_path / "asked.csv")
    found = made.predict(asked, as_pandas=False)
    assert found[:2] == pytest.approx([1.5, 9.5], abs=1)
    again = TabularPredictor.load(str(tmp_path / "model"))
    assert again.predict(asked, as_pandas=False) == pytest.approx(found)
