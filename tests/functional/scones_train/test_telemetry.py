import os
import subprocess
import sys

ASK = "import scones_train.serving.predictor, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"


def test_onnx_runtime_telemetry_is_disabled_before_it_is_loaded() -> None:
    environ = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}

    ended = subprocess.run(
        [sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=True
    )

    assert ended.stdout == "1\n"


def test_who_wants_to_report_may() -> None:
    environ = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}

    ended = subprocess.run(
        [sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=True
    )

    assert ended.stdout == "0\n"
