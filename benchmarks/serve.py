"""How fast the serving program answers, next to servers that people would pick instead.

    python benchmarks/serve.py --seconds 5 --rounds 3

Every server answers the same PNG with the same model folder, of the shape that the default
recipe trains, the same decoder and ONNX Runtime, on the loopback, with as many workers as there
are cores. First the latency: one caller, requests next to the same work in this process, on one
core and on all, in turns of 25; the ratio is to the quicker of the two. Then the throughput:
8 callers that keep their connections. The servers take turns, round by round, so that a disturbed
host disturbs all. The others are installed into build/benchmark-servers. Exits 1 where a
request takes more than 1.2 times the work in-process at the median, or another server answers more.
"""

import argparse
import base64
import contextlib
import io
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from PIL import Image

from scones_core.model_card import ModelCard
from scones_images import decode
from scones_train.channels import Normalisation
from scones_train.evaluation.predictions import ImagePredictions
from scones_train.model.classifier import Classifier, fold_norms
from scones_train.model.efficientnet import EfficientNetLite0
from scones_train.model.export import to_onnx
from scones_train.model_folder import write_artifact
from scones_train.serving.predictor import Predictor
from scones_train.training.fine_tuning import input_side

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "build" / "benchmark-servers"
OTHERS = ("gunicorn", "fastapi", "litserve")
SIZE, CALLERS = (32, 32), 8
# One after the other, each would find its model pushed out of the processor's caches by the other.
BLOCK = 25
CORES = os.cpu_count() or 1

FLASK = """
import os
from pathlib import Path
from flask import Flask, Response, jsonify, request
from scones_images import decode
from scones_train.serving.predictor import Predictor
predictor = Predictor.load(Path(os.environ["SM_MODEL_DIR"]))
app = Flask(__name__)
@app.get("/ping")
def ping():
    return Response(status=200)
@app.post("/invocations")
def invocations():
    pixels = decode(request.get_data(), predictor.card.size)
    return jsonify(predictor.probabilities(pixels[None])[0].tolist())
"""
FASTAPI = """
import os
from pathlib import Path
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from scones_images import decode
from scones_train.serving.predictor import Predictor
predictor = Predictor.load(Path(os.environ["SM_MODEL_DIR"]))
app = FastAPI()
def classify(body):
    return predictor.probabilities(decode(body, predictor.card.size)[None])[0].tolist()
@app.get("/ping")
async def ping():
    return {}
@app.post("/invocations")
async def invocations(request: Request):
    return await run_in_threadpool(classify, await request.body())
"""
LITSERVE = """
import base64, os, sys
from pathlib import Path
import litserve
from scones_images import decode
from scones_train.serving.predictor import Predictor
class Api(litserve.LitAPI):
    def setup(self, device):
        self.predictor = Predictor.load(Path(os.environ["SM_MODEL_DIR"]))
    def decode_request(self, request):
        return base64.b64decode(request["image"])
    def predict(self, body):
        pixels = decode(body, self.predictor.card.size)
        return self.predictor.probabilities(pixels[None])[0].tolist()
    def encode_response(self, output):
        return output
if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/invocations"), accelerator="cpu",
        workers_per_device=int(sys.argv[2]), healthcheck_path="/ping", track_requests=False)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
"""


@dataclass
class Served:
    """One server, its port, and what was measured of it: milliseconds, answers a second.

    `in_process` holds the milliseconds of the same work without a server, on one core and on all.
    """

    name: str
    port: int
    latencies: list[float] = field(default_factory=list)
    in_process: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    throughputs: list[float] = field(default_factory=list)

    @property
    def own(self) -> tuple[float, float]:
        """The medians in-process: on one core, and on all."""
        one, every = self.in_process
        return statistics.median(one), statistics.median(every)

    @property
    def ratio(self) -> float:
        """The median request over the work in-process, the quicker way."""
        return statistics.median(self.latencies) / min(self.own)

    @property
    def rate(self) -> float:
        """The median answers a second."""
        return statistics.median(self.throughputs)


class Caller:
    """One kept connection that posts one image again and again."""

    def __init__(self, served: Served) -> None:
        self._socket = socket.create_connection(("127.0.0.1", served.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind, body = b"image/png", image()
        if served.name == "litserve":
            # It takes no plain bytes: JSON is what its documentation sends.
            kind, body = b"application/json", b'{"image": "%s"}' % base64.b64encode(body)
        self._request = (
            b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
            b"Content-Length: %d\r\n\r\n" % (kind, len(body))
        ) + body

    def __call__(self) -> None:
        """Post the image and read the whole answer; raises RuntimeError unless it is 200."""
        self._socket.sendall(self._request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        head, _, rest = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head[:80]!r} {rest[:200]!r}")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(rest) < int(line[15:]):
                    rest += self._socket.recv(65536)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def untrained() -> tuple[Classifier, Normalisation]:
    """Return a network of the default recipe; what it was trained for does not matter."""
    torch.manual_seed(0)
    network = EfficientNetLite0(2, side=input_side(SIZE), horizontal_flip=True).eval()
    fold_norms(network)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network, network.normalisation


def write_model(folder: Path) -> None:
    """Write a model folder as the default recipe leaves it."""
    network, normalisation = untrained()
    card = ModelCard(
        labels=("bicycle", "motorcycle"),
        image={"height": SIZE[0], "width": SIZE[1], "channels": 3},
        normalisation={"mean": normalisation.mean, "std": normalisation.std},
        temperature=1.0,
        threshold=0.5,
        target_precision=0.99,
        metrics={},
        confusion_matrix=(),
        settings={},
        dataset_version="none",
        manifest_sha256="",
    )
    graph = to_onnx(network, normalisation, 1.0, SIZE)
    nothing = ImagePredictions((), np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
    write_artifact(folder, card, graph, b"", nothing)


def commands(folder: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    """Return the command of each server."""
    for name, text in {
        "flask_app": FLASK,
        "fastapi_app": FASTAPI,
        "litserve_app": LITSERVE,
    }.items():
        (folder / f"{name}.py").write_text(text)
    python, workers = [sys.executable, "-m"], str(CORES)
    bind = f"127.0.0.1:{ports['flask + gunicorn']}"
    gunicorn = ["gunicorn", "-w", workers, "-b", bind, "-k", "gthread", "--threads", "4"]
    uvicorn = ["uvicorn", "--workers", workers, "--log-level", "warning", "--no-access-log"]
    return {
        "scones": [*python, "scones_train.serving.serve"],
        "flask + gunicorn": [*python, *gunicorn, "--log-level", "error", "flask_app:app"],
        "fastapi + uvicorn": [
            *python, *uvicorn, "--port", str(ports["fastapi + uvicorn"]), "fastapi_app:app",
        ],
        "litserve": [sys.executable, "litserve_app.py", str(ports["litserve"]), workers],
    }  # fmt: skip


@contextmanager
def servers(folder: Path) -> Iterator[list[Served]]:
    """Yield all servers, up; they are gone afterwards."""
    names = ("scones", "flask + gunicorn", "fastapi + uvicorn", "litserve")
    ports = {name: _free_port() for name in names}
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(folder), str(PACKAGES))),
        "SM_MODEL_DIR": str(folder / "model"),
        "SAGEMAKER_BIND_TO_PORT": str(ports["scones"]),
        "SCONES_BIND_HOST": "127.0.0.1",
    }
    running = []
    try:
        for command in commands(folder, ports).values():
            running.append(
                subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environ,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
            )
        yield [_ready(Served(name, port)) for name, port in ports.items()]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            # Some servers leave workers behind; each server has a process group of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(served: Served) -> Served:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            caller = Caller(served)
            caller()
            caller.close()
            return served
        except (OSError, RuntimeError):
            time.sleep(0.2)
    raise RuntimeError(f"{served.name} did not come up")


def image() -> bytes:
    """Return one PNG of the model's size."""
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def latency(served: Served, predictor: Predictor, seconds: float) -> None:
    """Measure one caller, and the same work in this process, in turns."""
    body, caller = image(), Caller(served)

    def classify(all_cores: bool) -> None:
        predictor.probabilities(decode(body, SIZE)[None], all_cores=all_cores)[0].tolist()

    measured: list[tuple[list[float], Callable[[], None]]] = [
        (served.latencies, caller),
        (served.in_process[0], partial(classify, False)),
        (served.in_process[1], partial(classify, True)),
    ]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for milliseconds, work in measured:
            for _ in range(BLOCK):
                started = time.perf_counter()
                work()
                milliseconds.append((time.perf_counter() - started) * 1000)
    caller.close()


def throughput(served: Served, seconds: float) -> None:
    """Measure how many answers 8 callers get in a second."""
    counts, deadline = [0] * CALLERS, time.monotonic() + seconds

    def call(number: int) -> None:
        caller = Caller(served)
        while time.monotonic() < deadline:
            caller()
            counts[number] += 1
        caller.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served.throughputs.append(sum(counts) / (time.monotonic() - started))


def report(found: list[Served]) -> list[str]:
    """Print what was measured, as medians with quartiles; return the aims that were missed."""
    versions = {d.name.lower(): d.version for d in distributions(path=[str(PACKAGES)])}
    shown = ", ".join(f"{name} {versions.get(name, '?')}" for name in OTHERS)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{shown}; {CORES} cores, load {load}")
    print("server             p50 ms (quartiles)      in process 1, all  ratio   answers/s")
    scones = found[0]
    for served in found:
        low, middle, high = statistics.quantiles(served.latencies, n=4)
        one, every = served.own
        rounds = ", ".join(f"{value:.0f}" for value in served.throughputs)
        print(
            f"{served.name:18} {middle:6.2f} ({low:.2f} - {high:.2f}), n={len(served.latencies):5}"
            f"  {one:6.2f}, {every:6.2f}  {served.ratio:6.2f}   {served.rate:7.0f} ({rounds}),"
            f" scones {scones.rate / served.rate:.2f} of it"
        )
    faults = [f"{s.name} answers more" for s in found[1:] if s.rate > scones.rate]
    if scones.ratio > 1.2:
        faults.append("a request takes more than 1.2 times the work in-process")
    print("\n".join(f"MISSED: {fault}" for fault in faults) or "all aims reached")
    return faults


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    # As an exception, so that no server outlives the benchmark.
    signal.signal(signal.SIGTERM, _stop)
    torch.set_num_threads(1)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(PACKAGES)]
    if not PACKAGES.is_dir():
        subprocess.run([*install, *OTHERS], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model")
        predictor = Predictor.load(folder / "model", CORES)
        with servers(folder) as found:
            for _ in range(given.rounds):
                for served in found:
                    latency(served, predictor, given.seconds)
                for served in found:
                    throughput(served, given.seconds)
            return 1 if report(found) else 0


if __name__ == "__main__":
    sys.exit(main())
