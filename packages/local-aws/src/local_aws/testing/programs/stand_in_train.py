"""A stand-in for a customer's training program; hyperparameters say how it is to behave."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    base = Path(os.environ["SAGEMAKER_BASE_DIR"])
    wish = json.loads((base / "input/config/hyperparameters.json").read_text())
    if "ignore_sigterm" in wish:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"pid={os.getpid()}", flush=True)
    model = Path(os.environ["SM_MODEL_DIR"])
    seen = {
        "hyperparameters": wish,
        "inputdataconfig": json.loads((base / "input/config/inputdataconfig.json").read_text()),
        "resourceconfig": json.loads((base / "input/config/resourceconfig.json").read_text()),
        "files": sorted(
            str(p.relative_to(base / "input/data")) for p in (base / "input/data").rglob("*.*")
        ),
        "environment": dict(os.environ),
    }
    (model / "seen.json").write_text(json.dumps(seen))
    (model / "answer.txt").write_text(wish.get("answer", "[0.9, 0.1]"))
    if "x" in wish:
        # A hill with its top at 0.3.
        print(f"objective={1 - (float(wish['x']) - 0.3) ** 2:.6f}", flush=True)
    checkpoint = base / "checkpoints" / "epoch"
    first = int(checkpoint.read_text()) if checkpoint.exists() else 0
    print(f"first epoch: {first + 1}", flush=True)
    for epoch in range(first, int(wish.get("epochs", "2"))):
        print(f"epoch={epoch + 1} validation_accuracy=0.{epoch + 5}", flush=True)
        if "level" in wish:
            print(f"objective={wish['level']}", flush=True)
        if "checkpoint" in wish:
            checkpoint.write_text(str(epoch + 1))
        time.sleep(float(wish.get("seconds", "0")))
    if "fail" in wish:
        (base / "output/failure").write_text(wish["fail"])
        return 1
    print("test_accuracy=0.955", flush=True)
    return int(wish.get("status", "0"))


if __name__ == "__main__":
    sys.exit(main())
