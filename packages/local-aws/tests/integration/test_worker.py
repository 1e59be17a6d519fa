"""Workers without a server: the Runtime API, the process behind it, and the pools."""

import hashlib
import io
import json
import os
import pathlib
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.lambda_.functions import (
    FunctionSpec,
    WorkerSettings,
    base_python,
    base_runtime,
    lambda_runtime_folder,
)
from local_aws.lambda_.pools import LambdaPools, Throttled


def spec(source: str, **more: Any) -> FunctionSpec:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    code = buffer.getvalue()
    fields = {
        "name": "f",
        "version": "$LATEST",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "handler": "app.handler",
        "runtime": base_runtime(),
        "code": code,
        "code_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "timeout_seconds": 5.0,
        "memory_mb": 256,
        "environment": {},
        "region": "us-east-1",
        "log_group": "/aws/lambda/f",
    }
    return FunctionSpec(**{**fields, **more})


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    made.stop_all()


@pytest.fixture(params=[(), ("--pure",)], ids=["native", "pure"])
def pools(request: pytest.FixtureRequest, tmp_path: Path, children: Children) -> LambdaPools:
    settings = WorkerSettings(
        base_python(), lambda_runtime_folder(), tmp_path / "tmp", {}, flags=request.param
    )
    return LambdaPools(tmp_path, settings, children, lambda *_: None)


HANDLER = (
    "import runtime_client\nclass Odd(Exception): pass\n"
    "def handler(event, context):\n"
    "    if event == 'raise': raise Odd('ü')\n"
    "    print('seen', event)\n"
    "    return [event, context.get_remaining_time_in_millis() > 1000,\n"
    "            hasattr(runtime_client, '__file__'), context.invoked_function_arn]\n"
)


def test_either_client_of_the_runtime_api_serves_results_and_errors(
    pools: LambdaPools, request: pytest.FixtureRequest
) -> None:
    function = spec(HANDLER)
    native = "native" in request.node.name
    for event in ("ü", {"a": None}):
        outcome = pools.invoke(function, json.dumps(event).encode())
        assert json.loads(outcome.payload) == [event, True, native, function.arn]
        assert "seen" in outcome.log and not outcome.failed
    outcome = pools.invoke(function, b'"raise"')
    error = json.loads(outcome.payload)
    assert outcome.failed and (error["errorType"], error["errorMessage"]) == ("Odd", "ü")


def test_a_large_event_and_answer_pass_whole(pools: LambdaPools) -> None:
    event = json.dumps("x" * 5_000_000).encode()
    outcome = pools.invoke(spec("def handler(event, context):\n    return event\n"), event)
    assert json.loads(outcome.payload) == json.loads(event)


def test_a_function_that_uses_up_its_reserved_concurrency_is_throttled(
    pools: LambdaPools, tmp_path: Path
) -> None:
    function = spec(
        "import pathlib, time\n"
        "def handler(event, context):\n"
        "    pathlib.Path(event, 'started').touch()\n"
        "    while not pathlib.Path(event, 'go').exists(): time.sleep(0.01)\n",
        reserved_concurrency=1,
    )
    event = json.dumps(str(tmp_path)).encode()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(pools.invoke(function, event)))
    thread.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(Throttled):
        pools.invoke(function, event)
    (tmp_path / "go").touch()
    thread.join(20)
    assert [outcome.failed for outcome in outcomes] == [False]
    assert not pools.invoke(function, event).failed


def test_a_worker_whose_child_holds_the_pipe_still_answers(pools: LambdaPools) -> None:
    outcome = pools.invoke(
        spec(
            "import subprocess\ndef handler(event, context):\n"
            "    subprocess.Popen(['sleep', '60'])\n    return 1\n"
        ),
        b"{}",
    )
    assert outcome.payload == b"1"


def test_a_missing_runtime_says_what_to_do(tmp_path: Path, children: Children) -> None:
    settings = WorkerSettings(base_python(), tmp_path / "none", tmp_path / "tmp", {})
    pools = LambdaPools(tmp_path, settings, children, lambda *_: None)
    with pytest.raises(LocalAwsError, match="make setup"):
        pools.invoke(spec(HANDLER), b"{}")


def test_a_burst_on_a_fast_function_starts_few_workers(pools: LambdaPools) -> None:
    function = spec("import os\ndef handler(event, context):\n    return os.getpid()\n")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(pools.invoke(function, b"{}").payload))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 40
    assert len(set(found)) <= 8


def test_handlers_that_wait_for_each_other_all_get_a_worker(
    pools: LambdaPools, tmp_path: Path
) -> None:
    # More than start at once: the pool must see that none gets free.
    function = spec(
        "import os, pathlib, time\n"
        "def handler(event, context):\n"
        "    folder = pathlib.Path(event)\n"
        "    (folder / f'here-{os.getpid()}').touch()\n"
        "    while len(list(folder.glob('here-*'))) < 10: time.sleep(0.02)\n",
        timeout_seconds=60.0,
    )
    event = json.dumps(str(tmp_path)).encode()
    failed = []
    threads = [
        threading.Thread(target=lambda: failed.append(pools.invoke(function, event).failed))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == [False] * 10


def test_an_idle_worker_ends_after_its_time_and_the_next_event_starts_another(
    tmp_path: Path, children: Children
) -> None:
    settings = WorkerSettings(
        base_python(), lambda_runtime_folder(), tmp_path / "tmp", {}, idle_seconds=0.0
    )
    pools = LambdaPools(tmp_path, settings, children, lambda *_: None)
    function = spec("import os\ndef handler(event, context):\n    return os.getpid()\n")
    first = int(pools.invoke(function, b"{}").payload)
    pools.end_idle()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert int(pools.invoke(function, b"{}").payload) != first


def test_a_worker_of_an_older_session_is_not_used_with_renewed_credentials(
    pools: LambdaPools,
) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ['KEY']\n"
    for key in ("first", "second"):
        function = spec(source, credentials={"KEY": key})
        assert json.loads(pools.invoke(function, b"{}").payload) == key


def test_the_memory_of_a_functions_own_processes_counts(pools: LambdaPools) -> None:
    # The child says so once it has the memory, and keeps it until the worker ends.
    held = "import sys, time\nheld = b'x' * 400_000_000\nprint(1, flush=True)\ntime.sleep(600)\n"
    function = spec(
        "import subprocess, sys, time\n"
        "def handler(event, context):\n"
        f"    child = subprocess.Popen([sys.executable, '-c', {held!r}], stdout=subprocess.PIPE)\n"
        "    child.stdout.readline()\n"
        "    time.sleep(60)\n",
        timeout_seconds=90.0,
    )
    outcome = pools.invoke(function, b"{}")
    assert json.loads(outcome.payload)["errorType"] == "Runtime.OutOfMemory"


def test_more_temporary_files_than_were_asked_for_end_the_worker(pools: LambdaPools) -> None:
    function = spec(
        "import os, pathlib, tempfile, time\n"
        "def handler(event, context):\n"
        "    if event == 'again': return 'fresh'\n"
        "    for number in range(3):\n"
        "        with open(f'{tempfile.gettempdir()}/{number}', 'wb') as file:\n"
        "            file.write(b'x' * 2_000_000)\n"
        "    return 'written'\n",
        temporary_mb=4,
    )
    outcome = pools.invoke(function, b"{}")
    assert outcome.failed
    assert "No space left on device" in json.loads(outcome.payload)["errorMessage"]
    assert json.loads(pools.invoke(function, b'"again"').payload) == "fresh"


def test_a_daemon_of_a_function_ends_with_its_worker(pools: LambdaPools) -> None:
    function = spec(
        "import os, subprocess\n"
        "def handler(event, context):\n"
        "    daemon = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "    return daemon.pid\n"
    )
    pid = int(pools.invoke(function, b"{}").payload)
    os.kill(pid, 0)
    pools.retire("f")
    deadline = time.monotonic() + 20
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
