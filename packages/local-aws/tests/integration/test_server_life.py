import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local_aws.control import LocalAws
from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.image_programs import ImageCommands
from local_aws.testing.aws import Aws, eventually


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child of nobody is a zombie until something collects it; it runs no more.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_second_server_on_the_folder_is_refused_by_the_name_of_the_first(aws: Aws) -> None:
    with pytest.raises(LocalAwsError, match=str(aws.local.record.pid)):
        LocalAws.start(aws.local.home, 0, {})
    assert LocalAws.attach(aws.local.home).endpoint_url == aws.local.endpoint_url


def test_a_second_server_on_the_folder_leaves_the_log_of_the_first(aws: Aws) -> None:
    log = aws.local.home / "server.log"
    with log.open("ab") as output:
        output.write(b"kept\n")
    with pytest.raises(LocalAwsError, match="already uses"):
        LocalAws.start(aws.local.home, 0, {})
    assert b"kept\n" in log.read_bytes()


def test_a_taken_port_is_reported_in_one_sentence(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match=f"port {aws.local.record.port}"):
        LocalAws.start(tmp_path, aws.local.record.port, {})
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_an_invalid_port_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="port 99999"):
        LocalAws.start(tmp_path, 99_999, {})


def test_nothing_to_attach_to_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="No embedded AWS runs"):
        LocalAws.attach(tmp_path)


def test_no_address_but_the_one_is_bound(aws: Aws) -> None:
    port = aws.local.record.port
    socket.create_connection(("127.0.0.1", port), 5).close()
    # A server on all addresses would answer on the rest of the loopback network too.
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), 5):
        pass


def test_the_mends_can_be_listed(aws: Aws) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.local.record.port, timeout=5)
    connection.request("GET", "/_local_aws/patches")
    patches = json.load(connection.getresponse())
    connection.close()
    faults = {patch["symbol"].split(".moto.")[-1]: patch["why"] for patch in patches}
    assert "Docker" in faults["moto.awslambda.models.LambdaFunction.invoke"]
    assert all(patch["why"] and patch["moto_version"] == "5.2.5" for patch in patches)


def test_a_stopped_server_leaves_no_worker_no_record_and_a_free_port(
    aws: Aws, tmp_path: Path
) -> None:
    images = {"*-model": ImageCommands(train=("t",), serve=("s",))}
    with LocalAws.start(tmp_path, 0, images) as local:
        assert "*-model" in (tmp_path / "images.json").read_text()
        worker = _worker(aws, local)
        port = local.record.port
    assert not running(worker) and not running(local.record.pid)
    assert not (tmp_path / "server.json").exists()
    local.stop()
    with LocalAws.start(tmp_path, port, {}) as again:
        assert again.record.port == port


def test_the_log_says_by_what_a_server_ended_also_once_another_runs(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        os.kill(local.record.pid, signal.SIGTERM)
        eventually(lambda: None if running(local.record.pid) else True)
    log = tmp_path / "server.log"
    assert "ends by SIGTERM" in log.read_text()
    with LocalAws.start(tmp_path, 0, {}) as local:
        assert log.read_text() == ""
        assert "ends by SIGTERM" in (tmp_path / "server.previous.log").read_text()
        os.kill(local.record.pid, signal.SIGSEGV)
        eventually(lambda: None if running(local.record.pid) else True)
    assert "Fatal Python error: Segmentation fault" in log.read_text()


def test_an_attached_server_can_be_stopped(tmp_path: Path) -> None:
    local = LocalAws.start(tmp_path, 0, {})
    LocalAws.attach(tmp_path).stop()
    local.stop()
    assert not running(local.record.pid)


def test_a_killed_server_takes_its_workers_along_and_the_folder_is_free(
    aws: Aws, tmp_path: Path
) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        worker = _worker(aws, local)
        os.kill(local.record.pid, signal.SIGKILL)
        aws.eventually(lambda: None if running(worker) else True)
    with LocalAws.start(tmp_path, 0, {}) as again:
        assert again.record.pid != local.record.pid


def test_nothing_is_started_once_all_is_stopped() -> None:
    children = Children()
    process = children.spawn([sys.executable, "-c", "input()"], env={})
    children.stop_all()
    assert process.poll() is not None
    with pytest.raises(LocalAwsError, match="stopping"):
        children.spawn([sys.executable, "-c", ""], env={})


def test_a_missing_program_is_reported() -> None:
    children = Children()
    try:
        with pytest.raises(LocalAwsError, match="/no/such/program"):
            children.spawn(["/no/such/program"], env={})
    finally:
        children.stop_all()


def test_a_grace_lets_a_child_end_by_itself() -> None:
    children = Children()
    source = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\nsignal.pause()\n"
    )
    try:
        process = children.spawn([sys.executable, "-c", source], env={}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        children.terminate(process, grace_seconds=20)
        assert process.returncode == 7
        process.stdout.close()
    finally:
        children.stop_all()


def _worker(aws: Aws, local: LocalAws) -> int:
    """Return the process id of a warm worker of another server than the module's."""
    other = aws.of(local)
    pid: int = other.invoke(
        other.function("import os\ndef handler(event, context):\n    return os.getpid()\n")
    )[0]
    return pid


def test_the_server_lists_its_processes_and_what_each_works_for(aws: Aws) -> None:
    name = aws.function("import os\ndef handler(event, context):\n    return os.getpid()\n")
    pid = aws.invoke(name)[0]
    found = {p["pid"]: p for p in aws.local.ask("/_local_aws/processes")}
    assert found[pid]["owner"] == f"function/{name}"
    assert found[pid]["memory_mb"] > 0 and found[pid]["uptime_seconds"] >= 0


def buckets(local: LocalAws, *, create: str = "") -> list[str]:
    """Return the names of all buckets, after creating one perhaps."""
    environ = local.environment()
    s3 = boto3.client(
        "s3",
        endpoint_url=local.endpoint_url,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_DEFAULT_REGION"],
    )
    if create:
        s3.create_bucket(Bucket=create)
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_server_that_is_to_forget_saves_nothing_and_one_without_its_folder_ends(
    tmp_path: Path,
) -> None:
    home = tmp_path / "aws"
    with LocalAws.start(home, 0, {}) as kept:
        assert buckets(kept, create="kept") == ["kept"]
    with LocalAws.start(home, 0, {}, keep=False) as forgetful:
        assert buckets(forgetful, create="forgotten") == ["forgotten"]
    with LocalAws.start(home, 0, {}) as again:
        assert buckets(again) == ["kept"]
        shutil.rmtree(home)
        eventually(lambda: None if running(again.record.pid) else True)
        assert not home.exists()


def test_a_server_whose_moto_lacks_a_patched_symbol_does_not_start_and_names_it(
    tmp_path: Path,
) -> None:
    program = (
        "import sys\n"
        "from moto.awslambda.models import LambdaFunction\n"
        "del LambdaFunction.invoke\n"
        f"sys.argv = ['server', '--home={tmp_path}', '--port=0', '--forget']\n"
        "from local_aws.server.main import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode != 0
    symbol = "moto.awslambda.models.LambdaFunction.invoke"
    assert f"moto has no {symbol} any more" in ended.stderr
    assert "Traceback" not in ended.stderr
