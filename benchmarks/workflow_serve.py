"""The whole workflow with a model of the default recipe, against what `serve` alone answers.

    python benchmarks/workflow_serve.py [--images 2000] [--seconds 10]

First 8 callers with kept connections ask `serve` itself; then the deployed workflow takes a
manifest in an embedded AWS whose endpoint is the same program with the same model. Both on this
host, one after the other; the embedded AWS, the functions and `serve` share its cores. The seconds
of a processor are printed next to the rates: on a busy host the rates say little.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import serve, workflow, workflow_newer_design  # noqa: E402

from local_aws.control import ImageCommands, LocalAws  # noqa: E402


def image(number: int) -> bytes:
    """Return a PNG of the model's size, of its own content."""
    pixels = np.random.default_rng(number).integers(0, 256, (*serve.SIZE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def serving(model: Path) -> Iterator[tuple[serve.Served, int]]:
    """Yield `serve` with this model, up, and its process."""
    found = serve.Served("scones", serve._free_port())
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "SM_MODEL_DIR": str(model),
        "SAGEMAKER_BIND_TO_PORT": str(found.port),
        "SCONES_BIND_HOST": "127.0.0.1",
    }
    command = [sys.executable, "-m", "scones_train.serving.serve"]
    process = subprocess.Popen(command, env=environ)
    try:
        yield serve._ready(found), process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


def alone(model: Path, seconds: float) -> dict[str, float]:
    """Return what `serve` alone answers a second, and what it takes for an answer."""
    with serving(model) as (served, pid):
        serve.throughput(served, 1.0)
        with workflow.measured(pid) as use:
            serve.throughput(served, seconds)
        rate = served.throughputs[-1]
    return {
        "images_per_second": round(rate, 1),
        "processor_ms_per_image": round(1000 * use.whole / (rate * use.seconds), 3),
    }


def whole(home: Path, model: Path, count: int) -> dict[str, Any]:
    """Return the figures of the workflow with that model."""
    program = ("/usr/bin/env", f"SM_MODEL_DIR={model}", sys.executable)
    commands = ImageCommands(
        serve=(*program, "-m", "scones_train.serving.serve"),
        environment={"PYTHONPATH": str(ROOT / "src")},
    )
    with LocalAws.start(home, 0, {"toy-*": commands}) as local:
        deployed, pid = workflow_newer_design.deploy(local, instances=1), local.record.pid
        workflow.newer(deployed, pid, workflow.WARM, image)
        return workflow.newer(deployed, pid, count, image)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0, help="that serve alone is asked")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model"
        serve.write_model(model)
        before = alone(model, given.seconds)
        after = whole(Path(name) / "aws", model, given.images)
    found = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "serve_alone": before,
        "workflow": after,
        "share_of_serve_alone": round(after["images_per_second"] / before["images_per_second"], 3),
    }
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
