"""Nothing that a server started is left when it stops, or when it is killed."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from integration.sagemaker.conftest import Sagemaker

from local_aws.control import LocalAws
from local_aws.sagemaker.image_programs import ImageCommands

BUCKET = "sagemaker-tests"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_program_outlives_its_server(
    sm: Sagemaker, images: dict[str, ImageCommands], tmp_path: Path, end: signal.Signals
) -> None:
    with LocalAws.start(tmp_path, 0, images) as aws:
        other = type(sm)(aws)
        other.role("sagemaker", {"Effect": "Allow", "Action": "*", "Resource": "*"})
        other.client("s3").create_bucket(Bucket=BUCKET)
        other.client("s3").put_object(Bucket=BUCKET, Key="dataset/train/a.png", Body=b"pixels")
        other.train("long", hyperparameters={"seconds": "60", "ignore_sigterm": "1"})
        other.model("shop")
        other.endpoint("shop", "shop")
        serving = int(other.invoke("shop", b"pid")["Body"])
        training = int(other.until(lambda: _pid_in_log(other)))
        assert alive(serving)
        assert alive(training)

        os.kill(aws.record.pid, end)

        other.until(lambda: not alive(serving) and not alive(training))
        other.until(lambda: not alive(aws.record.pid))


def _pid_in_log(local: Any) -> str:
    try:
        lines = local.log_lines("/aws/sagemaker/TrainingJobs", "long/algo-1-")
    except local.client("logs").exceptions.ResourceNotFoundException:
        return ""
    return next((line.removeprefix("pid=") for line in lines if line.startswith("pid=")), "")
