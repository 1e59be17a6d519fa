"""A stand-in for a customer's processing program; its arguments say how it is to behave."""

import json
import os
import sys
import time
from pathlib import Path

BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])


def main(source: str, target: str, *wishes: str) -> int:
    print(f"processing {source}", flush=True)
    seen = {
        "arguments": [source, target, *wishes],
        "files": {
            str(path.relative_to(source)): path.read_text() for path in Path(source).rglob("*.*")
        },
        "processingjobconfig": json.loads((BASE / "config/processingjobconfig.json").read_text()),
        "resourceconfig": json.loads((BASE / "config/resourceconfig.json").read_text()),
        "environment": dict(os.environ),
    }
    (Path(target) / "seen.json").write_text(json.dumps(seen))
    for wish in wishes:
        kind, _, value = wish.partition("=")
        if kind == "message":
            # An argument has at most 256 characters: a long message comes in parts.
            with (BASE / "output" / "message").open("a") as message:
                message.write(value)
        elif kind == "bytes":
            (BASE / "output" / "message").write_bytes(bytes.fromhex(value))
        elif kind == "sleep":
            time.sleep(float(value))
        elif kind == "fail":
            print(value, flush=True)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
