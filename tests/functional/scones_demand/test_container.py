"""The demand container's two programs: training leaves a model folder, serving answers from it."""

import io
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scones_core.container_folders import Container
from scones_core.errors import TrainingError
from scones_demand import train as program
from scones_demand.forecast_files import HELD_OUT
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import write_hours
from scones_demand.model import DemandModel
from scones_demand.serve import CSV, PARQUET, DemandServer

QUICK = {"max_iter": "12", "learning_rate": "0.3", "max_leaf_nodes": "8", "fold_every": "3"}
KNOWN, ASKED = competition_split(generate_hours(days=120))


def container(base: Path, hyperparameters: dict[str, str]) -> Container:
    config = base / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(hyperparameters))
    (base / "model").mkdir()
    return Container(base, {})


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("ml")
    given = container(base, QUICK)
    write_hours(given.channel("train") / "train.csv", KNOWN)
    program.run(given)
    return given.model_dir


@pytest.fixture(scope="module")
def server(model_dir: Path) -> Iterator[DemandServer]:
    found = DemandServer(("127.0.0.1", 0), DemandModel.read(model_dir))
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def ask(
    server: DemandServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, str, bytes]:
    host, port = server.server_address[:2]
    connection = HTTPConnection(str(host), port, timeout=30)
    connection.request(
        method, path, body or None, {k.replace("_", "-"): v for k, v in headers.items()}
    )
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return found


def asked_csv(folder: Path) -> bytes:
    write_hours(folder / "test.csv", ASKED)
    return (folder / "test.csv").read_bytes()


def test_a_training_leaves_a_model_and_prints_what_sagemaker_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = container(tmp_path, QUICK)
    write_hours(given.channel("train") / "train.csv", KNOWN)
    card = program.run(given)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"rmsle={card.metrics['rmsle']:.4f}")
    assert any(line.startswith("step=1/") for line in lines)
    assert (given.model_dir / HELD_OUT).exists()


def test_a_job_without_hours_or_with_a_wrong_hyperparameter_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"channel 'train' has no train\.csv"):
        program.run(container(tmp_path / "a", QUICK))
    with pytest.raises(TrainingError, match="no hyperparameter 'epochs'"):
        program.run(container(tmp_path / "b", {"epochs": "3"}))


def test_hours_are_answered_as_csv_and_as_parquet(server: DemandServer, tmp_path: Path) -> None:
    body = asked_csv(tmp_path)
    assert ask(server, "GET", "/ping")[0] == 200
    status, kind, text = ask(server, "POST", "/invocations", body, Content_Type=CSV)
    assert (status, kind) == (200, CSV)
    lines = text.decode().splitlines()
    assert lines[0] == "datetime,count,low,high"
    assert len(lines) - 1 == len(ASKED)
    status, kind, table = ask(
        server, "POST", "/invocations", body, Content_Type=CSV, Accept=PARQUET
    )
    assert (status, kind) == (200, PARQUET)
    assert pq.read_table(io.BytesIO(table)).num_rows == len(ASKED)


def test_what_cannot_be_answered_says_why(server: DemandServer, tmp_path: Path) -> None:
    write_hours(tmp_path / "train.csv", KNOWN)
    known = (tmp_path / "train.csv").read_bytes()
    cases = [
        (ask(server, "POST", "/invocations", b"a,b\n1,2\n"), 400, "no column 'datetime'"),
        (ask(server, "POST", "/invocations", b"\xff\xfe"), 400, "not UTF-8"),
        (ask(server, "POST", "/invocations", known), 400, "the model was trained on"),
        (ask(server, "POST", "/invocations", b"x", Content_Type="image/png"), 415, "text/csv"),
        (ask(server, "POST", "/other", b"x"), 404, "/invocations"),
        (ask(server, "GET", "/other"), 404, "/ping"),
        (
            ask(server, "POST", "/invocations", b"x", Content_Length=str(2**40)),
            413,
            "is longer than",
        ),
    ]
    for (status, kind, body), expected, sentence in cases:
        assert (status, kind) == (expected, "application/json")
        assert sentence in json.loads(body)["error"]
    assert ask(server, "GET", "/ping")[0] == 200
