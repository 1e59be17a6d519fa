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
    for epoch in range(int(wish.get("epochs", "2"))):
        print(f"epoch={epoch + 1} validation_accuracy=0.{epoch + 5}", flush=True)
        time.sleep(float(wish.get("seconds", "0")))
    if "fail" in wish:
        (base / "output/failure").write_text(wish["fail"])
        return 1
    print("test_accuracy=0.955", flush=True)
    return int(wish.get("status", "0"))


if __name__ == "__main__":
    sys.exit(main())
