import http.client
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_train.serving.predictor import Predictor

DEADLINE_SECONDS = 30
WORKERS = 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """The serving program in a process of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = int(environment["SAGEMAKER_BIND_TO_PORT"])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scones_train.serving.serve"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> "Server":
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.request("GET", "/ping")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.stop()}")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "image/png",
        **headers: str,
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": content_type, **headers})
            answer = connection.getresponse()
            assert answer.headers["Content-Type"] == "application/json"
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def invoke(
        self, body: bytes, content_type: str = "image/png", **headers: str
    ) -> tuple[int, Any]:
        return self.request("POST", "/invocations", body, content_type, **headers)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def environment_of(base: Path, model_dir: Path | None = None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("src")),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(free_port()),
        "SCONES_BIND_HOST": "127.0.0.1",
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(WORKERS),
        **({"SM_MODEL_DIR": str(model_dir)} if model_dir else {}),
    }


@pytest.fixture(scope="module")
def server(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> Iterator[Server]:
    base, _ = trained
    server = Server(environment_of(base)).wait()
    yield server
    server.stop()


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(side: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    )


def picture(side: int = 16) -> Image.Image:
    return Image.new("RGB", (side, side), (200, 120, 40))


def test_an_image_gets_the_models_probabilities_in_label_order(
    server: Server, trained: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    base, _ = trained
    predictor = Predictor.load(base / "model")
    for index, label in enumerate(predictor.card.labels):
        file = base / "input" / "data" / "test" / label / "0.png"
        status, answer = server.invoke(file.read_bytes())
        assert status == 200
        assert sum(answer) == pytest.approx(1, abs=1e-5)
        assert answer[index] > 0.5
        expected = predictor.probabilities(np.asarray(Image.open(file))[None])[0]
        assert answer == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("JPEG", "application/x-image"),
        ("PNG", "IMAGE/PNG; charset=binary"),
    ],
)
def test_every_taken_content_type_answers(server: Server, kind: str, content_type: str) -> None:
    status, answer = server.invoke(encoded(picture(200), kind), content_type)
    assert (status, len(answer)) == (200, 2)


ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.mark.parametrize(
    ("header", "asked", "count"),
    [
        (ATTRIBUTES, "top_k=1", 1),
        (ATTRIBUTES, "trace=7,top_k=5", 2),
        ("Accept", "application/json; top_k=1", 1),
        ("Accept", "application/json;top_k=5", 2),
    ],
)
def test_the_likeliest_labels_are_answered_when_asked_for(
    server: Server, header: str, asked: str, count: int
) -> None:
    body = encoded(picture())
    plain = dict(zip(("bicycle", "motorcycle"), server.invoke(body)[1], strict=True))
    status, answer = server.invoke(body, **{header: asked})
    assert status == 200
    likeliest = sorted(plain, key=plain.__getitem__, reverse=True)[:count]
    assert answer == [{"label": label, "probability": plain[label]} for label in likeliest]


@pytest.mark.parametrize("asked", ["top_k=0", "top_k=", "top_k=-1", "top_k=x", "top_k=99999"])
def test_a_number_of_labels_that_there_is_not_is_the_callers_fault(
    server: Server, asked: str
) -> None:
    status, answer = server.invoke(encoded(picture()), **{ATTRIBUTES: asked})
    assert status == 400
    assert "top_k" in answer["error"]


def test_other_attributes_are_none_of_its_business(server: Server) -> None:
    status, answer = server.invoke(encoded(picture()), **{ATTRIBUTES: "trace=stop_k=3"})
    assert (status, type(answer[0])) == (200, float)


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", encoded(picture(64))[:60], encoded(picture(), "GIF")],
    ids=["empty", "text", "truncated", "gif"],
)
def test_what_is_no_image_is_the_callers_fault(server: Server, body: bytes) -> None:
    status, answer = server.invoke(body)
    assert status == 400
    assert answer["error"].endswith(".")
    assert "Traceback" not in answer["error"]


@pytest.mark.parametrize("body", [bomb(20_000), bomb(60_000)])
def test_a_bomb_is_refused(server: Server, body: bytes) -> None:
    status, answer = server.invoke(body)
    assert status == 413
    assert "pixels" in answer["error"]


def test_a_huge_body_is_refused(server: Server) -> None:
    assert server.invoke(b"\0" * (ENDPOINT_BODY_BYTES + 1))[0] == 413


@pytest.mark.parametrize("content_type", ["text/csv", "", "image/gif"])
def test_another_content_type_is_refused(server: Server, content_type: str) -> None:
    status, answer = server.invoke(encoded(picture()), content_type)
    assert status == 415
    assert "image/png" in answer["error"]


def test_other_paths_and_methods_are_refused(server: Server) -> None:
    assert server.request("GET", "/models")[0] == 404
    assert server.request("GET", "/invocations")[0] == 405
    assert server.request("POST", "/ping", b"")[0] == 405


def test_ping_answers_while_images_are_classified(server: Server) -> None:
    photo = encoded(Image.effect_noise((2000, 1500), 60).convert("RGB"), "JPEG", quality=60)
    with ThreadPoolExecutor(8) as pool:
        busy = [pool.submit(server.invoke, photo, "image/jpeg") for _ in range(8)]
        assert server.request("GET", "/ping")[0] == 200
        assert [future.result()[0] for future in busy] == [200] * 8


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_without_a_word(
    trained: tuple[Path, subprocess.CompletedProcess[str]], number: signal.Signals
) -> None:
    server = Server(environment_of(trained[0])).wait()
    output = server.stop(number)
    assert (server.process.returncode, *output) == (0, "", "")


def test_a_stop_under_load_loses_no_request(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Callers keep their connections and send the next request until they are stopped."""
    server = Server(environment_of(trained[0])).wait()
    body, counts = encoded(picture()), []

    def caller() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        for number in range(1, 100_000):
            connection.request("POST", "/invocations", body, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            assert (answer.status, len(json.loads(answer.read()))) == (200, 2)
            counts.append(number)
            if answer.headers["Connection"] == "close":
                return number
        raise AssertionError("never stopped")

    with ThreadPoolExecutor(6) as pool:
        callers = [pool.submit(caller) for _ in range(6)]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(counts) < 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        assert all(future.result() > 1 for future in callers)
    assert server.stop() == ("", "")
    assert server.process.returncode == 0


def workers_of(server: Server) -> set[int]:
    """The ids of a server's workers, once there are as many as configured."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = {int(text) for text in children.read_text().split()}
        if len(found) == WORKERS:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{WORKERS} workers did not come up")


def gone(pids: set[int]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if not any(lives(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def lives(pid: int) -> bool:
    """Whether a process runs, be it that nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_dies_is_replaced_and_the_others_answer_meanwhile(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    server = Server(environment_of(trained[0])).wait()
    before = workers_of(server)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    assert gone({killed})
    body = encoded(picture())
    assert [server.invoke(body)[0] for _ in range(20)] == [200] * 20
    assert len(workers_of(server) - before) == 1
    _, stderr = server.stop()
    assert "another takes its place" in stderr
    assert server.process.returncode == 0


def test_no_worker_outlives_the_program(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    server = Server(environment_of(trained[0])).wait()
    left = workers_of(server)
    server.stop(signal.SIGKILL)
    assert gone(left)


@pytest.mark.parametrize("text", ["0", "two", "-1", "9999999999"])
def test_a_number_of_workers_that_there_is_not_is_one_sentence(
    trained: tuple[Path, subprocess.CompletedProcess[str]], text: str
) -> None:
    environment = {**environment_of(trained[0]), "SAGEMAKER_MODEL_SERVER_WORKERS": text}
    server = Server(environment)
    _, stderr = server.process.communicate(timeout=DEADLINE_SECONDS)
    assert server.process.returncode == 1
    assert "SAGEMAKER_MODEL_SERVER_WORKERS" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["model.json", "model.onnx"])
def test_an_incomplete_model_is_one_sentence(
    trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, missing: str
) -> None:
    shutil.copytree(trained[0] / "model", tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    server = Server(environment_of(tmp_path / "nothing", tmp_path / "model"))
    _, stderr = server.process.communicate(timeout=DEADLINE_SECONDS)
    assert server.process.returncode == 1
    assert missing in stderr
    assert stderr.count("\n") == 1


def test_a_taken_port_is_one_sentence(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = environment_of(trained[0])
        environment["SAGEMAKER_BIND_TO_PORT"] = str(taken.getsockname()[1])
        server = Server(environment)
        _, stderr = server.process.communicate(timeout=DEADLINE_SECONDS)
    assert server.process.returncode == 1
    assert "SAGEMAKER_BIND_TO_PORT" in stderr
    assert stderr.count("\n") == 1


def test_serving_loads_no_pytorch(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    script = (
        "import sys, scones_train.serving.serve, scones_train.serving.worker;"
        "print([m for m in sys.modules if 'torch' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment_of(trained[0]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


HOSTILE = sorted((Path(__file__).parent / "hostile").glob("*.bin"))


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_an_image_that_once_was_changed_to_break_the_decoder_is_answered(
    server: Server, path: Path
) -> None:
    """The shortest of each way in which `benchmarks/fuzz_decode.py` had an image refused."""
    sound = dict.fromkeys(("still-an-image", "exif-that-is-none"), 200)
    wanted = {"bomb": 413, "too-many-pixels": 413, **sound}.get(path.stem, 400)
    status, _ = server.invoke(path.read_bytes())
    assert status == wanted
    assert server.invoke(encoded(picture()))[0] == 200
